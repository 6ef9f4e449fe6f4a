"""The keys of the bot, each handed over to the next: only what both have signed leads anywhere."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wire.chain import KIND, Chain, hand_over, read_hand_over
from wire.envelope import PrivateKey, PublicKey, seal
from wire.errors import BadMessage, BadSignature
from wire.messages import HandOver

ROOT = "tocsin/v1"
KEYS = [PrivateKey(bytes([number]) * 32) for number in range(4)]
LINKS = [hand_over(old, new, ROOT) for old, new in itertools.pairwise(KEYS)]
THIEF = PrivateKey(b"thief".ljust(32, b"."))


def signed_by(old: PublicKey, new: PublicKey, *signers: PrivateKey, root: str = ROOT, kind: str = KIND) -> bytes:
    return seal(signers[0], root, kind, HandOver(old, new).to_bytes(), *signers[1:])


class TestOneLink:
    def test_what_both_have_signed_is_read(self) -> None:
        assert read_hand_over(LINKS[0], ROOT, KEYS[0].public) == HandOver(KEYS[0].public, KEYS[1].public)

    def test_the_order_of_the_signatures_does_not_matter(self) -> None:
        old, new = KEYS[:2]
        envelope = signed_by(old.public, new.public, new, old)
        assert read_hand_over(envelope, ROOT, old.public).new == new.public

    @pytest.mark.parametrize(
        "signers", [(KEYS[0],), (KEYS[1],), (THIEF,), (KEYS[1], THIEF), (KEYS[0], KEYS[0])], ids=str
    )
    def test_what_one_of_them_has_not_signed_is_refused(self, signers: tuple[PrivateKey, ...]) -> None:
        envelope = signed_by(KEYS[0].public, KEYS[1].public, *signers)
        with pytest.raises(BadSignature, match="not signed by all"):
            read_hand_over(envelope, ROOT, KEYS[0].public)

    def test_it_is_read_by_who_has_the_old_key_and_nobody_else(self) -> None:
        with pytest.raises(BadMessage, match="another key"):
            read_hand_over(LINKS[0], ROOT, KEYS[1].public)
        with pytest.raises(BadSignature):
            read_hand_over(LINKS[0], ROOT, KEYS[2].public)

    def test_a_thief_of_no_key_takes_nobody_over(self) -> None:
        for old, new in ((KEYS[0].public, THIEF.public), (THIEF.public, THIEF.public), (THIEF.public, KEYS[0].public)):
            with pytest.raises(BadMessage):
                read_hand_over(signed_by(old, new, THIEF), ROOT, KEYS[0].public)

    def test_a_key_that_signs_as_a_third_hands_over_nothing_of_another(self) -> None:
        old, new, mine = KEYS[:3]
        envelope = signed_by(old.public, new.public, old, new, mine)
        with pytest.raises(BadMessage, match="another key"):
            read_hand_over(envelope, ROOT, mine.public)

    @pytest.mark.parametrize(("root", "kind"), [("tocsin/v2", KIND), (ROOT, "stop"), (ROOT, "roster")])
    def test_it_is_of_its_root_and_kind(self, root: str, kind: str) -> None:
        envelope = signed_by(KEYS[0].public, KEYS[1].public, *KEYS[:2], root=root, kind=kind)
        with pytest.raises(BadSignature, match="came where"):
            read_hand_over(envelope, ROOT, KEYS[0].public)

    @given(payload=st.binary(max_size=200))
    @settings(deadline=None)
    def test_any_bytes_that_both_have_signed_are_read_or_refused(self, payload: bytes) -> None:
        envelope = seal(KEYS[0], ROOT, KIND, payload, KEYS[1])
        with pytest.raises(BadMessage):
            read_hand_over(envelope, ROOT, KEYS[0].public)


class TestChain:
    def test_whoever_knows_an_older_key_is_led_to_todays(self) -> None:
        chain = Chain(KEYS[3].public, LINKS, ROOT)
        assert chain.keys == tuple(key.public for key in KEYS)
        for number, key in enumerate(KEYS):
            believed = key.public
            links = chain.since(believed.id)
            assert links == tuple(LINKS[number:])
            for link in links or ():
                believed = read_hand_over(link, ROOT, believed).new
            assert believed == KEYS[3].public

    def test_without_links_there_is_one_key(self) -> None:
        chain = Chain(KEYS[0].public, [], ROOT)
        assert chain.keys == (KEYS[0].public,)
        assert chain.since(KEYS[0].public.id) == ()

    def test_a_key_that_is_none_of_ours_leads_nowhere(self) -> None:
        chain = Chain(KEYS[1].public, LINKS[:1], ROOT)
        for key_id in (THIEF.public.id, KEYS[2].public.id, ""):
            assert chain.since(key_id) is None

    @pytest.mark.parametrize(
        "links",
        [
            LINKS[:1],
            LINKS[:3],
            [LINKS[0], LINKS[0]],
            [LINKS[1], LINKS[0]],
            [signed_by(KEYS[1].public, KEYS[2].public, KEYS[2])],
            [signed_by(KEYS[1].public, KEYS[2].public, KEYS[1])],
            [b"no envelope"],
        ],
        ids=["too short", "too long", "one twice", "wrong order", "not by the old", "not by the new", "nonsense"],
    )
    def test_links_that_do_not_lead_to_todays_key_are_refused(self, links: list[bytes]) -> None:
        with pytest.raises(BadMessage):
            Chain(KEYS[2].public, links, ROOT)
