"""Notes in a file, one after the other: whole ones come back as they were, and half a one spoils no other."""

from hypothesis import given
from hypothesis import strategies as st

from bot.audit.note import Checkpoint, Signer, sign_note
from bot.record.witnesses.notebook import entry, notes_in
from wire.envelope import PrivateKey

SIGNERS = [Signer(name, PrivateKey(name.encode().ljust(32))) for name in ("example.org/log", "other.example")]


def note(size: int, signers: int = 1) -> bytes:
    return sign_note(str(Checkpoint("example.org/log", size, bytes(32))), *SIGNERS[:signers])


def written(*notes: bytes, after: bytes = b"") -> bytes:
    content = after
    for each in notes:
        content += entry(each, content[-2:])
    return content


NOTES = st.lists(st.builds(note, st.integers(0, 10**9), st.integers(1, 2)), max_size=5)


@given(notes=NOTES)
def test_all_come_back_as_they_were(notes: list[bytes]) -> None:
    assert notes_in(written(*notes)) == notes


@given(before=NOTES, after=NOTES.filter(len), data=st.data())
def test_wherever_a_write_was_torn_only_that_note_is_lost(
    before: list[bytes], after: list[bytes], data: st.DataObject
) -> None:
    whole = written(*before)
    torn = written(note(7), after=whole)[: len(whole) + data.draw(st.integers(0, len(note(7)) - 1))]
    assert notes_in(torn) == before
    found = notes_in(written(*after, after=torn))
    assert found[: len(before)] == before
    assert found[-len(after) :] == after


@given(content=st.binary(max_size=200) | st.text("— \nab", max_size=60).map(str.encode))
def test_whatever_else_stands_there_does_no_harm(content: bytes) -> None:
    notes_in(content)
    assert notes_in(written(note(7), after=content))[-1:] == [note(7)]


def test_a_note_that_a_person_copied_counts_without_its_last_blank_line() -> None:
    assert notes_in(b"\n\n" + note(3)) == [note(3)]
