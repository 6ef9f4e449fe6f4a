"""What `tocsin stop` says to the bot, and how it understands the answers: held against the bot's own words."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.desk import grammar
from bot.desk.call import Call
from bot.stop.course import Course
from bot.stop.report import notice
from bot.store.incidents import Told
from bot.system import System
from bot.words.document import Document, document, mono, table, text
from bot.words.message import Lane, Message, Place, Standing
from bot.words.people import Account, People
from bridges.console.lines import Hello, Posted, event_of
from bridges.console.stop_asking import Asking, lines_for
from commands.shutdown import shutdown
from wire.issuer import Incident
from wire.messages import Target

REASONS = st.text(st.characters(exclude_categories=("Cs",)), max_size=300).filter(lambda reason: reason.strip() != "")


class NoNames:
    """Names that a stop's grammar does not look at."""

    def components(self) -> tuple[str, ...]:
        return ()

    def groups(self) -> tuple[str, ...]:
        return ()

    def people(self) -> tuple[str, ...]:
        return ()


@given(REASONS)
def test_whatever_the_reason_the_bot_understands_the_target_and_the_reason(reason: str) -> None:
    line, *without = lines_for("walk-1", reason)
    assert without == ["!shutdown walk-1"]
    parsed = grammar.parse(line, addressed=False)
    assert parsed is not None
    assert parsed.name == "shutdown"
    target, because, said = shutdown.signature.bind(parsed.rest, NoNames()).args
    assert (target, because, said) == ("walk-1", "because", " ".join(reason.split()))


class Talk:
    """An order at the console, and what the bot says to it and to others."""

    def __init__(self) -> None:
        self.shown: list[Document] = []
        self.asking = Asking(Path("nowhere"), ("!shutdown all",), self.shown.append)
        self._said = self.asking.said
        self.asking.met(Hello("ann", "alice", "operator", "1.0"))

    def answers(self, words: Document, lane: Lane = Lane.STOP) -> None:
        self.asking.show(Posted("0" * 32, words, lane, event_of("ann", self._said.id), None), self._said)

    def tells(self, words: Document, *, ours: bool = True, lane: Lane = Lane.STOP) -> None:
        event = event_of("ann", self._said.id if ours else "b" * 32)
        self.asking.show(Posted("1" * 32, words, lane, event, None), None)

    def outcome(self) -> tuple[bool | None, bool | None]:
        taken, confirmed = self.asking.taken, self.asking.confirmed
        return taken.result() if taken.done() else None, confirmed.result() if confirmed.done() else None


def course(incident: str, *, escalations: int = 0) -> Course:
    return Course(Incident(incident, Target()), (), Told.NOTHING, 0.0, sent=True, escalations=escalations)


@pytest.fixture
def ask(system: System, people: People) -> Callable[[str], Awaitable[Document]]:
    """What the real command answers to olga."""

    def asked(target: str) -> Awaitable[Document]:
        account = Account("chat", "olga")
        person = people.holder_of(account)
        assert person is not None
        message = Message(Place("chat", "room"), account, f"${target}", "", Standing.ATTESTED, "PHONE", 1, 0.0)
        return shutdown.handler(Call(os.urandom(16).hex(), person, message, system), target)

    return asked


@pytest.mark.parametrize(
    ("told", "escalations", "confirmed"),
    [(Told.CONFIRMED, 0, True), (Told.NOT_CONFIRMED, 0, False), (Told.NOT_CONFIRMED, 2, False)],
)
async def test_the_bots_own_words_are_understood(
    ask: Callable[[str], Awaitable[Document]], system: System, told: Told, escalations: int, confirmed: bool
) -> None:
    talk = Talk()
    talk.answers(await ask("all"))
    assert talk.outcome() == (True, None)
    (incident,) = system.bell.incidents()
    talk.tells(notice(course(incident.id, escalations=escalations), told, ()))
    assert talk.outcome() == (True, confirmed)
    assert len(talk.shown) == 2


async def test_news_of_a_stop_that_was_joined_count_and_those_of_another_do_not(
    ask: Callable[[str], Awaitable[Document]], system: System
) -> None:
    await ask("all")
    (incident,) = system.bell.incidents()
    talk = Talk()
    talk.answers(await ask("ALL"))
    talk.tells(notice(course("f" * 32), Told.CONFIRMED, ()), ours=False)
    assert talk.outcome() == (True, None)
    talk.tells(notice(course(incident.id), Told.CONFIRMED, ()), ours=False)
    assert talk.outcome() == (True, True)


async def test_a_table_that_changes_and_an_answer_of_another_lane_confirm_nothing() -> None:
    talk = Talk()
    talk.tells(document(text("STOPPED")), lane=Lane.PROGRESS)
    assert talk.outcome() == (None, None)
    talk.answers(document(text("Nothing was stopped.")), lane=Lane.ANSWER)
    assert talk.outcome() == (False, None)


@pytest.mark.parametrize("words", [document(), document(table(("a",), [("b",)])), document(text(mono("")))])
async def test_no_document_breaks_it(words: Document) -> None:
    talk = Talk()
    talk.answers(words)
    talk.tells(words)
    assert talk.outcome() == (True, None)
