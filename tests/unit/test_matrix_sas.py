"""The comparison of emoji as pure code: two of them agree, and nothing that was changed on the way passes."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridges.matrix.emoji import EMOJI
from bridges.matrix.sas import Broken, Comparison, Side

ALICE, BOT = Side("@alice:example.org", "PHONE"), Side("@tocsin:example.org", "TOCSIN")
RELATION = {"transaction_id": "t"}
KEYS = {"ed25519:PHONE": "phones", "ed25519:master": "master"}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def sides() -> tuple[Comparison, Comparison]:
    return Comparison("t", ALICE, BOT), Comparison("t", BOT, ALICE)


def shown(alice: Comparison, bot: Comparison) -> None:
    """Both have come as far as the emoji. Alice has begun."""
    key = alice.accepted(bot.accept(alice.begin(RELATION)))
    answer = bot.key(key)
    assert answer is not None
    assert alice.key(answer) is None


def test_both_see_the_same_and_each_proves_its_keys_to_the_other() -> None:
    alice, bot = sides()
    shown(alice, bot)
    assert alice.emoji == bot.emoji
    assert len(bot.emoji) == 7
    assert bot.proven(alice.macs(KEYS), KEYS) == KEYS.keys()
    assert alice.proven(bot.macs({"ed25519:TOCSIN": "own"}), {"ed25519:TOCSIN": "own"}) == {"ed25519:TOCSIN"}


def test_what_is_not_known_is_not_proven() -> None:
    alice, bot = sides()
    shown(alice, bot)
    assert bot.proven(alice.macs(KEYS), {"ed25519:PHONE": "phones"}) == {"ed25519:PHONE"}
    assert bot.proven(alice.macs(KEYS), {}) == frozenset()


@pytest.mark.parametrize("other", [{"ed25519:PHONE": "swapped"}, {"ed25519:PHONE": "phones", "ed25519:master": "else"}])
def test_a_key_that_the_homeserver_has_swapped_is_found(other: dict[str, str]) -> None:
    alice, bot = sides()
    shown(alice, bot)
    with pytest.raises(Broken, match="not those that the homeserver shows") as broken:
        bot.proven(alice.macs(KEYS), other)
    assert broken.value.code == "m.key_mismatch"


def test_who_stands_between_is_seen_by_the_emoji() -> None:
    (alice, between), (other, bot) = sides(), sides()
    shown(alice, between)
    shown(other, bot)
    assert alice.emoji != bot.emoji


def test_a_key_that_is_not_the_one_that_was_promised_is_refused() -> None:
    promised, bot = sides()
    bot.key(promised.accepted(bot.accept(promised.begin(RELATION))))
    alice, other = sides()
    swapped = other.key(alice.accepted(other.accept(alice.begin(RELATION))))
    assert swapped is not None
    with pytest.raises(Broken, match="had promised") as broken:
        promised.key(swapped)
    assert broken.value.code == "m.mismatched_commitment"


def test_a_mac_does_not_count_for_another_side_or_transaction() -> None:
    alice, bot = sides()
    shown(alice, bot)
    with pytest.raises(Broken):
        alice.proven(alice.macs(KEYS), KEYS)  # reflected


def test_nothing_is_confirmed_before_the_emoji() -> None:
    alice, bot = sides()
    for early in (lambda: alice.macs(KEYS), lambda: bot.proven({"mac": {}, "keys": ""}, KEYS), lambda: bot.key({})):
        with pytest.raises(Broken) as broken:
            early()
        assert broken.value.code == "m.unexpected_message"


def test_no_step_is_taken_twice() -> None:
    alice, bot = sides()
    start = alice.begin(RELATION)
    accept = bot.accept(start)
    key = alice.accepted(accept)
    answer = bot.key(key)
    assert answer is not None
    alice.key(answer)
    for again in (
        lambda: alice.begin(RELATION),
        lambda: bot.accept(start),
        lambda: alice.accepted(accept),
        lambda: bot.key(key),
    ):
        with pytest.raises(Broken, match="does not come now"):
            again()


@pytest.mark.parametrize(
    "field", ["key_agreement_protocols", "hashes", "message_authentication_codes", "short_authentication_string"]
)
@pytest.mark.parametrize("offered", [[], ["md5"], None, "sha256", 5])
def test_what_is_not_safe_or_not_known_is_refused(field: str, offered: object) -> None:
    alice, bot = sides()
    with pytest.raises(Broken) as broken:
        bot.accept({**alice.begin(RELATION), field: offered})
    assert broken.value.code == "m.unknown_method"


@given(content=st.dictionaries(st.sampled_from(["key", "mac", "keys", "commitment", "method", "hash", "x"]), ANYTHING))
def test_whatever_comes_breaks_only_the_comparison(content: dict[str, Any]) -> None:
    for take in (
        lambda: sides()[1].accept(content),
        lambda: _begun().accepted(content),
        lambda: _accepted().key(content),
        lambda: _shown().proven(content, KEYS),
    ):
        with pytest.raises(Broken):
            take()


def _begun() -> Comparison:
    alice, _ = sides()
    alice.begin(RELATION)
    return alice


def _accepted() -> Comparison:
    alice, bot = sides()
    bot.accept(alice.begin(RELATION))
    return bot


def _shown() -> Comparison:
    alice, bot = sides()
    shown(alice, bot)
    return bot


def test_there_are_64_emoji_and_no_two_are_called_the_same() -> None:
    assert len(EMOJI) == len({each.symbol for each in EMOJI}) == len({each.name for each in EMOJI}) == 64
