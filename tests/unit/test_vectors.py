"""The signed vectors of the documents: the code makes them, and takes and refuses each as they say."""

import base64
import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.vectors.__main__ import PLACE, made
from tests.vectors.signed import KEYS, PARSERS, SEEDS, kind_of, messages, plain
from tests.vectors.tried import Read, reads
from wire.chain import read_hand_over
from wire.envelope import pae, unseal
from wire.errors import BadMessage
from wire.messages import ROOT
from wire.work import Job


def take(read: Read) -> None:
    """As its receiver does. Raises where it is refused."""
    envelope = read.envelope + b" " * read.spaces
    if read.kind == "key":
        read_hand_over(envelope, ROOT, KEYS[read.keys[0]].public)
    else:
        PARSERS[read.kind](unseal(envelope, ROOT, read.kind, *(KEYS[name].public for name in read.keys)))


def test_the_file_is_what_the_code_makes() -> None:
    assert PLACE.read_text(encoding="utf-8") == made(), "Run: python -m tests.vectors"


def test_every_signed_message_verifies_without_our_code() -> None:
    for signed in json.loads(PLACE.read_text(encoding="utf-8"))["signed"]:
        envelope = json.loads(signed["envelope"])
        assert base64.b64decode(envelope["payload"]).decode() == signed["payload"]
        for name, signature in zip(signed["signed_by"], envelope["signatures"], strict=True):
            key = Ed25519PrivateKey.from_private_bytes(SEEDS[name]).public_key()
            key.verify(base64.b64decode(signature["sig"]), signed["pae"].encode())
        assert signed["pae"].encode() == pae(kind_of(signed["kind"]), signed["payload"].encode())


def test_the_picture_of_the_file_is_the_one_that_the_end_of_a_job_names() -> None:
    document = json.loads(PLACE.read_text(encoding="utf-8"))
    jobs = [Job.parse(each["payload"].encode()) for each in document["signed"] if each["kind"] == "job"]
    (named,) = [picture for job in jobs for picture in job.pictures]
    assert named.is_of(base64.b64decode(document["picture"]["payload_b64"]))


@pytest.mark.parametrize(("kind", "payload"), [each[:2] for each in messages().values()], ids=messages())
def test_each_message_is_read_back_and_written_the_same(kind: str, payload: bytes) -> None:
    assert PARSERS[kind](payload).to_bytes() == payload


def test_there_is_one_message_of_each_kind_that_the_code_knows() -> None:
    kinds = {kind for kind, _, _ in messages().values()} | {kind for kind, _ in plain().values()}
    assert kinds == PARSERS.keys() | {"tele"}


@pytest.mark.parametrize("read", [each for each in reads() if each.refused is None], ids=lambda each: each.name)
def test_it_is_taken(read: Read) -> None:
    take(read)


@pytest.mark.parametrize("read", [each for each in reads() if each.refused is not None], ids=lambda each: each.name)
def test_it_is_refused(read: Read) -> None:
    with pytest.raises(BadMessage):
        take(read)


@pytest.mark.parametrize("read", [each for each in reads() if each.refused == "message"], ids=lambda each: each.name)
def test_it_is_refused_for_what_is_in_it_and_not_for_its_envelope(read: Read) -> None:
    unseal(read.envelope, ROOT, read.kind, KEYS["bot"].public)
