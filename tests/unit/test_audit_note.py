"""Signed notes and checkpoints: the specification's own, and that nobody unknown is believed."""

import base64
import dataclasses

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from bot.audit.errors import BadKey, BadNote, Unsigned
from bot.audit.merkle import EMPTY_ROOT, MOST_ENTRIES
from bot.audit.note import LONGEST_NOTE, Checkpoint, Signer, VerifierKey, open_note, sign_note
from wire.envelope import PrivateKey

# The examples of the reference implementation: golang.org/x/mod/sumdb/note, note.go and note_test.go
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETER_LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
ENOCH_LINE = (
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
)
PETER_TEXT = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
ENOCH_TEXT = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
PETER_SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]

PETER, ENOCH = VerifierKey.parse(PETER_TEXT), VerifierKey.parse(ENOCH_TEXT)
NOTE = f"{TEXT}\n{PETER_LINE}".encode()
ADA = Signer("example.com/ada", PrivateKey(b"ada".ljust(32, b".")))
BEN = Signer("example.com/ben", PrivateKey(b"ben".ljust(32, b".")))
CHECKPOINT = Checkpoint("example.com/log", 20_852_163, bytes(range(32)))
NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Zs", "Zl", "Zp"]), min_size=1).filter(
    lambda name: "+" not in name
)
LINES = st.text(st.characters(codec="utf-8", exclude_characters=[chr(code) for code in range(32)]))


def test_the_note_of_the_specification_is_opened_and_made() -> None:
    assert open_note(NOTE, PETER) == (TEXT, (PETER,))
    assert sign_note(TEXT, Signer("PeterNeumann", PrivateKey(PETER_SEED))) == NOTE


def test_a_note_of_two_signers_is_read_by_who_knows_one_and_by_who_knows_both() -> None:
    both = NOTE + ENOCH_LINE.encode()
    assert open_note(both, ENOCH) == (TEXT, (ENOCH,))
    assert open_note(both, PETER, ADA.verifier) == (TEXT, (PETER,))
    assert open_note(both, ENOCH, PETER) == (TEXT, (PETER, ENOCH))
    assert open_note(NOTE + PETER_LINE.encode(), PETER) == (TEXT, (PETER,))


@pytest.mark.parametrize("known", [(), (ENOCH,), (ADA.verifier, BEN.verifier)])
def test_a_note_that_no_known_key_has_signed_is_refused(known: tuple[VerifierKey, ...]) -> None:
    with pytest.raises(Unsigned, match="none of the keys"):
        open_note(NOTE, *known)


def test_whoever_shares_only_the_name_or_only_the_id_is_unknown() -> None:
    namesake = Signer("PeterNeumann", PrivateKey(bytes(32)))
    with pytest.raises(Unsigned):
        open_note(NOTE, namesake.verifier)
    renamed = NOTE.replace("— PeterNeumann".encode(), "— PeterNeuman".encode())
    with pytest.raises(Unsigned):
        open_note(renamed, PETER)
    assert open_note(sign_note(TEXT, namesake, ADA), PETER, ADA.verifier) == (TEXT, (ADA.verifier,))


def test_a_false_signature_of_a_known_key_spoils_the_note_though_another_is_true() -> None:
    false = Signer("PeterNeumann", PrivateKey(PETER_SEED)).line("Something else\n")
    note = sign_note(TEXT, ADA) + false.encode()
    assert open_note(note, ADA.verifier) == (TEXT, (ADA.verifier,))
    with pytest.raises(BadNote, match="PeterNeumann under a note is false"):
        open_note(note, ADA.verifier, PETER)
    with pytest.raises(BadNote, match="is false"):
        open_note(NOTE + false.encode(), PETER)


@pytest.mark.parametrize("length", [1, 63, 65, 2420])
def test_a_signature_of_a_wrong_length_is_false(length: int) -> None:
    content = base64.b64encode(PETER.id + bytes(length)).decode()
    with pytest.raises(BadNote, match="is false"):
        open_note(f"{TEXT}\n— PeterNeumann {content}\n".encode(), PETER)


def test_a_bit_changed_anywhere_is_refused() -> None:
    for place in range(len(NOTE)):
        for bit in range(8):
            changed = bytearray(NOTE)
            changed[place] ^= 1 << bit
            with pytest.raises(BadNote):
                open_note(bytes(changed), PETER)


def test_a_note_that_is_cut_off_is_refused() -> None:
    for length in range(len(NOTE)):
        with pytest.raises(BadNote):
            open_note(NOTE[:length], PETER)


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"\n",
        b"\n\n",
        TEXT.encode(),
        f"{TEXT}\n".encode(),
        f"{TEXT}{PETER_LINE}".encode(),
        f"{TEXT}\n{PETER_LINE}\n".encode(),
        f"{TEXT}\n{PETER_LINE[:-1]}".encode(),
        f"{TEXT}\n{PETER_LINE}{PETER_LINE[2:]}".encode(),
        f"{TEXT}\n{PETER_LINE}anything\n".encode(),
        f"{TEXT}\n{PETER_LINE}{ENOCH_LINE[:-1]}".encode(),
        f"{TEXT}\n{PETER_LINE}— somebody AAAAAA==\n".encode(),  # an id, and nothing signed
        PETER_LINE.encode(),
        NOTE.replace(b"\n", b"\r\n"),
        NOTE.replace(b"problem", b"prob\0em"),
        NOTE.replace(b"problem", b"prob\xffem"),
        NOTE.replace("— ".encode(), b"- "),
        NOTE.replace("— ".encode(), "—  ".encode()),
        NOTE.replace("— ".encode(), "—\u00a0".encode()),
        NOTE.replace(b"PeterNeumann", b""),
        NOTE.replace(b"PeterNeumann", b"Peter Neumann"),
        NOTE.replace(b"PeterNeumann", "Peter\u2003Neumann".encode()),
        NOTE.replace(b"PeterNeumann", b"Peter+Neumann"),
        NOTE.replace(b"M=\n", b"M\n"),
        NOTE.replace(b"M=\n", b"N=\n"),  # the same bytes, written in another way
        NOTE.replace(b"M=\n", b"M= \n"),
        f"{TEXT}\n— PeterNeumann {base64.b64encode(PETER.id).decode()}\n".encode(),
        f"{TEXT}\n— PeterNeumann AAAA\n".encode(),
        f"{TEXT}\n— PeterNeumann \n".encode(),
        f"{TEXT}\n— PeterNeumann\n".encode(),
    ],
)
def test_what_is_no_note_is_refused(note: bytes) -> None:
    with pytest.raises(BadNote) as refused:
        open_note(note, PETER)
    assert not isinstance(refused.value, Unsigned)


@pytest.mark.parametrize("text", ["a\tb\n", "a\r\n", "\x1b[2J\n", "\0\n"])
def test_control_characters_are_refused_though_they_are_signed(text: str) -> None:
    with pytest.raises(BadNote, match="control characters"):
        open_note(f"{text}\n{ADA.line(text)}".encode(), ADA.verifier)


def test_a_signature_of_nothing_is_no_note() -> None:
    assert open_note(f"\n\n{ADA.line(chr(10))}".encode(), ADA.verifier)[0] == "\n"
    with pytest.raises(BadNote, match="a blank line"):
        open_note(ADA.line("\n").encode(), ADA.verifier)


@given(st.binary() | st.text().map(str.encode) | st.text().map(lambda text: f"{text}\n\n{PETER_LINE}".encode()))
@example(b"\xed\xa0\x80\n\n")
def test_anything_else_is_refused(note: bytes) -> None:
    with pytest.raises(BadNote):
        open_note(note, PETER)


@given(st.text(), st.text())
def test_anything_for_a_signature_is_refused_or_ignored(name: str, content: str) -> None:
    assume((name, content) != ("PeterNeumann", PETER_LINE.split(" ")[2].strip()))
    try:
        line = f"— {name} {content}\n".encode()
    except UnicodeEncodeError:
        return
    try:
        text, signers = open_note(NOTE + line, PETER)
    except BadNote:
        return
    assert (text, signers) == (TEXT, (PETER,))


@given(text=st.lists(LINES).map(lambda lines: "".join(f"{line}\n" for line in lines)))
@example("\n")
@example("\n\n")
@example(f"{TEXT}\n{PETER_LINE}")
def test_what_was_signed_is_opened(text: str) -> None:
    assume(text)
    assert open_note(sign_note(text, ADA, BEN), BEN.verifier) == (text, (BEN.verifier,))


@pytest.mark.parametrize("text", ["", "no newline", "a\r\n", "a\tb\n", "\0\n", "\ud800\n"])
def test_a_text_that_no_note_can_have_is_not_signed(text: str) -> None:
    with pytest.raises(BadNote, match="ends with a newline"):
        sign_note(text, ADA)


def test_sixteen_signatures_are_read_and_seventeen_are_not() -> None:
    signers = [Signer(f"witness-{number}", PrivateKey(bytes([number]) * 32)) for number in range(17)]
    note = sign_note(TEXT, *signers[:16])
    assert open_note(note, signers[15].verifier) == (TEXT, (signers[15].verifier,))
    with pytest.raises(BadNote, match="more than 16"):
        open_note(note + signers[16].line(TEXT).encode(), signers[0].verifier)
    for wrong in ([], signers):
        with pytest.raises(BadNote, match="1 to 16"):
            sign_note(TEXT, *wrong)


def test_a_note_over_the_bound_is_neither_made_nor_looked_into() -> None:
    frame = len(sign_note("\n", ADA)) - 1
    text = "x" * (LONGEST_NOTE - frame - 1) + "\n"
    note = sign_note(text, ADA)
    assert len(note) == LONGEST_NOTE
    assert open_note(note, ADA.verifier) == (text, (ADA.verifier,))
    with pytest.raises(BadNote, match="over the bound"):
        sign_note(f"x{text}", ADA)
    with pytest.raises(BadNote, match="over the bound"):
        open_note(b"x" + note, ADA.verifier)


def test_sixteen_signatures_of_the_largest_kind_fit() -> None:
    largest = base64.b64encode(bytes(4 + 5000)).decode()  # the specification: "up to nearly 5kB"
    note = sign_note(str(CHECKPOINT), ADA) + f"— witness.example {largest}\n".encode() * 15
    assert open_note(note, ADA.verifier) == (str(CHECKPOINT), (ADA.verifier,))


def test_a_verifier_key_is_read_as_it_is_written() -> None:
    assert str(PETER) == PETER_TEXT
    assert PETER.id.hex() == "c74f20a3"
    assert {PETER, VerifierKey.parse(PETER_TEXT)} == {PETER}
    assert PETER != ENOCH
    assert PETER != PETER_TEXT
    assert repr(PETER) == f"VerifierKey({PETER_TEXT})"


@given(name=NAMES, seed=st.binary(min_size=32, max_size=32))
def test_every_key_of_ours_is_written_and_read(name: str, seed: bytes) -> None:
    assume(not any(letter.isspace() for letter in name))
    signer = Signer(name, PrivateKey(seed))
    known = VerifierKey.parse(str(signer.verifier))
    assert known == signer.verifier
    assert open_note(sign_note(TEXT, signer), known) == (TEXT, (known,))


def test_a_key_of_a_kind_that_is_not_known_is_told_from_a_broken_one() -> None:
    unknown = "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    with pytest.raises(BadKey, match="PeterNeumann is of a kind that this version does not know: 0x65"):
        VerifierKey.parse(unknown)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "PeterNeumann",
        "PeterNeumann+c74f20a3",
        "PeterNeumann+c74f20a3+",
        PETER_TEXT.replace("c7", "C7"),
        PETER_TEXT.replace("c74f20a3", "c74f20a4"),
        PETER_TEXT.replace("c74f20a3", "0c74f20a3"),
        PETER_TEXT.replace("PeterNeumann", "PeterNeuman"),
        PETER_TEXT.replace("PeterNeumann", ""),
        PETER_TEXT.replace("PeterNeumann", "Peter Neumann"),
        PETER_TEXT.replace("PeterNeumann", "Peter\u2028Neumann"),
        PETER_TEXT.replace("PeterNeumann", "Peter\0Neumann"),
        PETER_TEXT.replace("PeterNeumann", "Peter\ud800"),
        f" {PETER_TEXT}",
        f"{PETER_TEXT}\n",
        f"{PETER_TEXT}=",
        "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
        "PeterNeumann+00000000+AQ==",
    ],
)
def test_what_is_no_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(BadKey):
        VerifierKey.parse(text)


@given(st.text() | st.binary().map(lambda raw: f"x+00000000+{base64.b64encode(raw).decode()}"))
def test_a_text_is_a_verifier_key_or_refused(text: str) -> None:
    with pytest.raises(BadKey):
        VerifierKey.parse(text)


@given(st.binary(min_size=32, max_size=32))
@example(bytes(32))
@example(b"\xff" * 32)
def test_any_32_bytes_are_a_key_that_signs_nothing_of_others(raw: bytes) -> None:
    stranger = VerifierKey("PeterNeumann", 1, raw)
    assume(stranger != PETER)
    signature = base64.b64decode(PETER_LINE.split(" ")[2])[4:]
    assert not stranger.verify(signature, TEXT.encode())


@pytest.mark.parametrize("name", ["", " ", "a b", "a\nb", "a+b", "a\u00a0", "\0", "\ud800"])
def test_a_name_that_no_note_can_have_is_refused(name: str) -> None:
    with pytest.raises(BadKey, match="The name of a key"):
        Signer(name, PrivateKey(bytes(32)))


def test_a_signer_does_not_show_its_key() -> None:
    assert repr(ADA) == f"Signer({ADA.verifier})"


def test_a_checkpoint_is_written_as_the_specification_shows() -> None:
    text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    checkpoint = Checkpoint.parse(text)
    assert (checkpoint.origin, checkpoint.size) == ("example.com/behind-the-sofa", 20_852_163)
    assert checkpoint.root == base64.b64decode("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")
    assert str(checkpoint) == text


CHECKPOINTS = st.builds(
    Checkpoint,
    LINES.filter(bool),
    st.integers(0, MOST_ENTRIES),
    st.binary(min_size=32, max_size=32),
    st.lists(LINES.filter(bool), max_size=3).map(tuple),
)


@given(CHECKPOINTS)
@example(Checkpoint("x", 0, EMPTY_ROOT))
@example(Checkpoint("x", 1, bytes(32), ("one", "two")))
def test_a_checkpoint_is_read_as_it_is_written(checkpoint: Checkpoint) -> None:
    assert Checkpoint.parse(str(checkpoint)) == checkpoint
    text, _ = open_note(sign_note(str(checkpoint), ADA), ADA.verifier)
    assert Checkpoint.parse(text) == checkpoint


ROOT = base64.b64encode(bytes(32)).decode()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "\n\n\n",
        "x\n1\n",
        f"x\n1\n{ROOT}",
        f"\n1\n{ROOT}\n",
        f"x\n\n{ROOT}\n",
        f"x\n01\n{ROOT}\n",
        f"x\n00\n{ROOT}\n",
        f"x\n-1\n{ROOT}\n",
        f"x\n+1\n{ROOT}\n",
        f"x\n 1\n{ROOT}\n",
        f"x\n1_0\n{ROOT}\n",
        f"x\n1.0\n{ROOT}\n",
        f"x\n\N{ARABIC-INDIC DIGIT ONE}\n{ROOT}\n",
        f"x\n{2**63}\n{ROOT}\n",
        f"x\n{'9' * 5000}\n{ROOT}\n",
        "x\n1\n\n",
        "x\n1\nAAAA\n",
        f"x\n1\n{ROOT[:-1]}\n",
        f"x\n1\n{ROOT[:-2]}B=\n",
        f"x\n1\n{ROOT} \n",
        f"x\n1\n{base64.b64encode(bytes(33)).decode()}\n",
        f"x\n1\n{ROOT}\n\n",
        f"x\n1\n{ROOT}\nmore",
        f"x\n1\n{ROOT}\n\nmore\n",
        f"x\r\n1\r\n{ROOT}\r\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(BadNote):
        Checkpoint.parse(text)


@given(st.text() | st.lists(st.text() | st.integers().map(str) | st.just(ROOT)).map("\n".join))
def test_a_text_is_the_one_form_of_a_checkpoint_or_refused(text: str) -> None:
    try:
        checkpoint = Checkpoint.parse(text)
    except BadNote:
        return
    assert str(checkpoint) == text


@pytest.mark.parametrize(
    "change",
    [
        {"origin": ""},
        {"origin": "a\nb"},
        {"origin": "\ud800"},
        {"size": -1},
        {"size": MOST_ENTRIES + 1},
        {"size": 10**5000},
        {"root": b""},
        {"root": bytes(31)},
        {"root": bytes(33)},
        {"extensions": ("",)},
        {"extensions": ("a", "b\nc")},
        {"extensions": ("\x1b[2J",)},
    ],
    ids=map(str, range(12)),
)
def test_a_checkpoint_that_has_no_text_cannot_be(change: dict[str, object]) -> None:
    with pytest.raises(BadNote):
        dataclasses.replace(CHECKPOINT, **change)
