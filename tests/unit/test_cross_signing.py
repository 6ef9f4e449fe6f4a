"""Which devices a homeserver's answer about keys proves to be somebody's own."""

import copy
import os
from collections.abc import Callable
from typing import Any

import pytest

from bridges.matrix.cross_signing import CrossSigning
from bridges.matrix.identity import Device, identity_of
from bridges.matrix.signing import SigningKey, canonical, is_signed, padded, unpadded

ALICE = "@alice:example.org"
CURVE = unpadded(bytes(range(32)))
Answer = dict[str, Any]
Change = Callable[[Answer], object]


def answer_of(keys: CrossSigning, device: SigningKey) -> Answer:
    upload = keys.upload(ALICE)
    entry: Answer = {
        "user_id": ALICE,
        "device_id": "PHONE",
        "keys": {"ed25519:PHONE": device.public, "curve25519:PHONE": CURVE},
    }
    signatures = {"ed25519:PHONE": device.sign(entry), keys.self_signing.id: keys.self_signing.sign(entry)}
    entry["signatures"] = {ALICE: signatures}
    return {
        "master_keys": {ALICE: upload["master_key"]},
        "self_signing_keys": {ALICE: upload["self_signing_key"]},
        "device_keys": {ALICE: {"PHONE": entry}},
    }


def phone(answer: Answer) -> Answer:
    return answer["device_keys"][ALICE]["PHONE"]


SPOILED_DEVICES: list[Change] = [
    lambda answer: phone(answer)["signatures"][ALICE].clear(),
    lambda answer: phone(answer).pop("signatures"),
    lambda answer: phone(answer)["keys"].update({"curve25519:PHONE": "another"}),
    lambda answer: phone(answer).update({"device_id": "OTHER"}),
    lambda answer: phone(answer).update({"user_id": "@mallory:example.org"}),
    lambda answer: phone(answer).update({"keys": None}),
    lambda answer: answer["device_keys"][ALICE].update({"PHONE": None}),
    lambda answer: answer["device_keys"][ALICE].update({"OTHER": answer["device_keys"][ALICE].pop("PHONE")}),
    lambda answer: answer["device_keys"].clear(),
    lambda answer: answer["device_keys"].update({ALICE: None}),
    lambda answer: answer["device_keys"].update({ALICE: ["PHONE"]}),
    lambda answer: answer.update({"device_keys": None}),
    lambda answer: answer.update({"device_keys": []}),
]
SPOILED_CHAINS: list[Change] = [
    lambda answer: answer.pop("master_keys"),
    lambda answer: answer["self_signing_keys"].clear(),
    lambda answer: answer["self_signing_keys"][ALICE].pop("signatures"),
    lambda answer: answer["self_signing_keys"][ALICE].update({"usage": ["user_signing"]}),
    lambda answer: answer["master_keys"][ALICE].update({"user_id": "@mallory:example.org"}),
    lambda answer: answer["master_keys"][ALICE]["keys"].update({"ed25519:more": "more"}),
    lambda answer: answer["master_keys"].update({ALICE: CrossSigning.fresh().upload(ALICE)["master_key"]}),
    lambda answer: answer["master_keys"].update({ALICE: []}),
]


@pytest.fixture
def device() -> SigningKey:
    return SigningKey(os.urandom(32))


@pytest.fixture
def keys() -> CrossSigning:
    return CrossSigning.fresh()


def test_a_device_that_the_master_key_reaches_is_its_owners(keys: CrossSigning, device: SigningKey) -> None:
    identity = identity_of(answer_of(keys, device), ALICE)
    assert identity is not None
    assert identity.master == keys.master.public
    assert identity.devices == {Device(ALICE, "PHONE", device.public, CURVE)}


@pytest.mark.parametrize("change", SPOILED_DEVICES)
def test_a_device_that_differs_from_what_was_signed_is_nobodys(
    change: Change, keys: CrossSigning, device: SigningKey
) -> None:
    answer = answer_of(keys, device)
    change(answer)
    identity = identity_of(answer, ALICE)
    assert identity is not None
    assert identity.devices == frozenset()


@pytest.mark.parametrize("curve", [["x"], {}, None, 5, "", "curve", CURVE + "=", unpadded(bytes(31)), CURVE[:-1] + "9"])
def test_a_device_with_rubbish_for_a_key_is_nobodys_whoever_signed_it(
    curve: object, keys: CrossSigning, device: SigningKey
) -> None:
    answer = answer_of(keys, device)
    entry = phone(answer)
    entry["keys"]["curve25519:PHONE"] = curve
    entry["signatures"][ALICE] = {
        "ed25519:PHONE": device.sign(entry),
        keys.self_signing.id: keys.self_signing.sign(entry),
    }
    identity = identity_of(answer, ALICE)
    assert identity is not None
    assert identity.devices == frozenset()


@pytest.mark.parametrize("change", SPOILED_CHAINS)
def test_an_identity_whose_chain_is_broken_is_none(change: Change, keys: CrossSigning, device: SigningKey) -> None:
    answer = answer_of(keys, device)
    change(answer)
    assert identity_of(answer, ALICE) is None


def test_an_identity_read_back_from_its_file_is_the_same(keys: CrossSigning) -> None:
    assert CrossSigning.loads(keys.dumps()).upload(ALICE) == keys.upload(ALICE)


def test_a_signature_holds_for_the_signed_words_and_its_signer_only(keys: CrossSigning, device: SigningKey) -> None:
    thing: Answer = {"b": "ä", "a": [1, {"z": None}]}
    thing["signatures"] = {ALICE: {device.id: device.sign(thing)}}
    thing["unsigned"] = {"added": "by the server"}
    assert is_signed(thing, by=device.public, user=ALICE)
    assert not is_signed(thing, by=keys.master.public, user=ALICE, key_id=device.id)
    assert not is_signed(thing, by="no key", user=ALICE, key_id=device.id)
    changed = copy.deepcopy(thing)
    changed["b"] = "a"
    assert not is_signed(changed, by=device.public, user=ALICE)


def test_canonical_json_is_sorted_and_without_spaces() -> None:
    assert canonical({"b": "ä", "a": 1, "unsigned": {}, "signatures": {}}) == '{"a":1,"b":"ä"}'.encode()


def test_base64_goes_both_ways_without_padding() -> None:
    assert unpadded(b"\xff") == "/w"
    assert padded("/w") == b"\xff"
    with pytest.raises(ValueError, match="base64"):
        padded("?")
