"""Pictures of a job on the wire: named by the end alone, within bounds, and counted only where the bytes are right."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.test_asyncapi import DOCUMENT, validator
from tests.unit.test_fields import ANY_JSON
from tests.vectors.signed import PICTURE
from wire.envelope import LARGEST, PrivateKey, seal
from wire.errors import BadMessage
from wire.picture import LARGEST_PICTURE, LONGEST_ALT, MediaType, PictureNamed, picture_topic
from wire.work import LARGEST_RESULT, MOST_PICTURES, Job, JobState

NAMED: dict[str, Any] = {
    "alt": "A curve",
    "media_type": "image/png",
    "bytes": len(PICTURE),
    "sha256": hashlib.sha256(PICTURE).hexdigest(),
}
JOB: dict[str, Any] = {"id": "walker", "job": "ab", "session": "5e", "seq": 3, "state": "done"}
NEARLY = st.fixed_dictionaries(
    {},
    optional={
        "alt": st.text(max_size=20) | ANY_JSON,
        "media_type": st.sampled_from([*MediaType, "image/gif"]) | ANY_JSON,
        "bytes": st.integers(-1, LARGEST_PICTURE + 1) | ANY_JSON,
        "sha256": st.sampled_from(["0" * 64, "0" * 63, "A" * 64]) | ANY_JSON,
    },
)


def read(pictures: object, **more: object) -> Job:
    return Job.parse(json.dumps(JOB | {"pictures": pictures} | more).encode())


@given(pictures=ANY_JSON | st.lists(NEARLY, max_size=MOST_PICTURES + 2), state=st.sampled_from(JobState))
def test_whatever_stands_for_pictures_is_within_the_bounds_or_refused(pictures: object, state: JobState) -> None:
    try:
        job = read(pictures, state=state)
    except BadMessage:
        return
    assert len(job.pictures) <= (MOST_PICTURES if job.state.is_over else 0)
    for each in job.pictures:
        assert len(each.alt) <= LONGEST_ALT
        assert 1 <= each.size <= LARGEST_PICTURE
        assert int(each.sha256, 16) >= 0
        assert len(each.sha256) == 64
    assert Job.parse(job.to_bytes()) == job


@pytest.mark.parametrize(
    ("pictures", "good"),
    [
        ([], True),
        ([NAMED] * MOST_PICTURES, True),
        ([NAMED] * (MOST_PICTURES + 1), False),
        ([NAMED | {"alt": ""}], True),
        ([NAMED | {"alt": "ü" * LONGEST_ALT}], True),
        ([NAMED | {"alt": "x" * (LONGEST_ALT + 1)}], False),
        ([NAMED | {"media_type": "image/webp"}], True),
        ([NAMED | {"media_type": "image/svg+xml"}], False),
        ([NAMED | {"bytes": LARGEST_PICTURE}], True),
        ([NAMED | {"bytes": LARGEST_PICTURE + 1}], False),
        ([NAMED | {"bytes": 0}], False),
        ([NAMED | {"bytes": True}], False),
        ([NAMED | {"sha256": "0" * 63}], False),
        ([NAMED | {"sha256": "A" * 64}], False),
        ([NAMED | {"more": 1}], True),
        (["a picture"], False),
        ({"0": NAMED}, False),
        (None, False),
        *(([{name: value for name, value in NAMED.items() if name != left_out}], False) for left_out in NAMED),
    ],
    ids=str,
)
def test_the_code_and_the_schema_take_and_refuse_the_same(pictures: Any, good: bool) -> None:
    schema = validator(DOCUMENT["components"]["schemas"]["job"])
    assert schema.is_valid(JOB | {"pictures": pictures}) is good
    if good:
        read(pictures)
        return
    with pytest.raises(BadMessage):
        read(pictures)


@pytest.mark.parametrize("state", JobState)
def test_only_the_end_names_pictures(state: JobState) -> None:
    schema = validator(DOCUMENT["components"]["schemas"]["job"])
    assert schema.is_valid(JOB | {"state": state, "pictures": [NAMED]}) is state.is_over
    assert read([], state=state).pictures == ()
    if state.is_over:
        assert read([NAMED], state=state).pictures[0].alt == "A curve"
        return
    with pytest.raises(BadMessage, match="at its end, and none before"):
        read([NAMED], state=state)


def test_an_end_without_pictures_is_written_as_before() -> None:
    assert b"pictures" not in Job("walker", "ab", "5e", 3, JobState.DONE).to_bytes()


@pytest.mark.parametrize("other", [b"", PICTURE[:-1], PICTURE + b"\0", PICTURE[::-1]])
def test_other_bytes_are_not_the_ones_named(other: bytes) -> None:
    named = PictureNamed.of("A curve", MediaType.PNG, PICTURE)
    assert named.is_of(PICTURE)
    assert not named.is_of(other)


def test_bytes_of_another_length_than_the_one_named_do_not_count() -> None:
    named = PictureNamed("A curve", MediaType.PNG, len(PICTURE) + 1, hashlib.sha256(PICTURE).hexdigest())
    assert not named.is_of(PICTURE)


def test_the_topic_is_the_one_of_the_contract() -> None:
    assert picture_topic("tocsin/v1", "walker", "0" * 64) == f"tocsin/v1/picture/walker/{'0' * 64}"


def test_the_largest_end_with_the_most_pictures_fits_an_envelope() -> None:
    named = PictureNamed("\U0001f6d1" * LONGEST_ALT, MediaType.JPEG, LARGEST_PICTURE, "f" * 64)
    result = {"a": "x" * (LARGEST_RESULT - len('{"a":""}'))}
    job = Job("w" * 63, "a" * 64, "5" * 64, 2**53, JobState.DONE, 1 / 3, "\x01" * 300, result, (named,) * MOST_PICTURES)
    assert len(seal(PrivateKey(bytes(32)), "tocsin/v1", "job", job.to_bytes())) <= LARGEST
