"""How verdicts are told: harmless, folded, and never better than they are."""

import io

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from components.check.call import arguments_of, broker_of, chosen
from components.check.judge import RULES
from components.check.rule import CannotJudge, Outcome, Verdict
from components.check.show import LONGEST, Screen, harmless, passed, summary, to_json
from wire.broker import Broker

RULE = RULES[0]
KEPT, BROKEN, UNTRIED, SKIPPED = (Verdict(RULE, each, "this", "that") for each in Outcome)


@given(st.text())
def test_what_a_component_says_never_commands_the_terminal(text: str) -> None:
    shown = harmless(text)
    assert len(shown) <= LONGEST
    assert shown == "" or shown.isprintable()


@pytest.mark.parametrize(
    ("verdicts", "good"),
    [
        ([KEPT], True),
        ([KEPT, SKIPPED], True),
        ([KEPT, BROKEN], False),
        ([KEPT, UNTRIED], False),
        ([SKIPPED], False),
        ([], False),
    ],
)
def test_only_what_was_tried_and_kept_is_good(verdicts: list[Verdict], good: bool) -> None:
    assert passed(verdicts) is good
    assert ("It keeps the contract." in summary(verdicts, 1, len(verdicts)).plain) is good
    assert "It keeps the contract." not in summary(verdicts, 1).plain  # these are not all rules
    assert orjson.loads(to_json(verdicts, 1))["passed"] is good


@pytest.mark.parametrize("width", [30, 60, 100])
def test_no_line_is_wider_than_the_terminal_and_details_hang_below_their_label(width: int) -> None:
    paper = io.StringIO()
    console = Console(file=paper, width=width, force_terminal=True, color_system=None, legacy_windows=False)
    screen = Screen(console, 1)
    screen.told.verdict(Verdict(RULE, Outcome.BROKEN, "a statement " * 12, "\x1b[2J nothing"))
    lines = paper.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    assert "\x1b" not in paper.getvalue()
    assert f"  ✗ {RULE.sentence[:8]}" in paper.getvalue()
    assert any(line.startswith((" " * 16 + "statement", " " * 16 + "a ")) for line in lines)


def test_what_reads_lines_gets_a_line_for_each_thing() -> None:
    paper = io.StringIO()
    screen = Screen(Console(file=paper, width=40), 1)
    screen.told.verdict(Verdict(RULE, Outcome.BROKEN, "a statement " * 20, "nothing"))
    assert [line[:15].strip() for line in paper.getvalue().splitlines()[3:]] == ["expected", "seen", "contract"]


def test_every_rule_has_a_name_of_its_own_a_sentence_and_a_paragraph() -> None:
    assert len({rule.name for rule in RULES}) == len(RULES)
    assert all(rule.sentence and "\n" not in rule.sentence and rule.paragraph for rule in RULES)


def test_rules_are_chosen_by_name_and_all_where_none_is_named() -> None:
    assert chosen(()) == RULES
    assert chosen([RULE.name]) == (RULE,)
    with pytest.raises(CannotJudge, match="There is no rule 'nonsense'"):
        chosen(["nonsense"])


@pytest.mark.parametrize(
    ("text", "broker"),
    [("", None), ("box", Broker("box", 1883)), ("box:18", Broker("box", 18)), ("[::1]:18", Broker("::1", 18))],
)
def test_a_broker_is_named_by_host_and_port(text: str, broker: Broker | None) -> None:
    assert broker_of(text, None) == broker


@pytest.mark.parametrize("text", ["box:port", ":18", "box:0", "box:65536", "box:"])
def test_what_is_no_broker_is_refused(text: str) -> None:
    with pytest.raises(CannotJudge, match="Write --broker HOST:PORT"):
        broker_of(text, None)


def test_arguments_are_an_object() -> None:
    assert arguments_of("", "") is None
    assert arguments_of('{"steps": 5}', "walk") == {"steps": 5}
    for wrong in ("[1]", "{", "5"):
        with pytest.raises(CannotJudge, match="--arguments"):
            arguments_of(wrong, "walk")
