"""Is the record what was signed, and what others saw of it? It changes nothing, and works offline and beside a bot.

Without a witness nobody can know: whoever has the file and the key can sign another record.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from bot.audit.errors import AuditError, Unsigned
from bot.audit.merkle import EMPTY_ROOT, Frontier, leaf_hashes
from bot.audit.note import Checkpoint, VerifierKey, open_note
from bot.audit.tiles import join
from bot.record.recounting import Facts, Pass, Progress, Signed
from bot.record.verdict import Finding, State, Verdict, altered, entries, gravest_first, incomplete
from bot.store import Tx, evidence
from bot.store.evidence import Damaged, Disturbed, KeptCheckpoint, KeptTree
from bot.words.errors import StoreError

MOST_TRIES = 3
KEEP_IT = "Keep the file as it is, and compare it with a backup."


def verify(
    database: Path,
    keys: Sequence[VerifierKey],
    witnessed: Sequence[bytes],
    *,
    progress: Progress = lambda _, __: None,
    all_signatures: bool = False,
) -> Verdict:
    """Check the record in a database, with the keys that it may be signed with and notes that are held elsewhere.

    Fetch the notes before this is called: a bot that runs adds to the record. Each is one signed note. `progress` is
    told how many entries were read and of about how many. With `all_signatures` those of the old checkpoints are
    verified as well, not only their roots. It raises nothing for what is wrong with the database: that is its verdict.
    """
    for _ in range(MOST_TRIES - 1):
        try:
            return _verify(database, keys, witnessed, progress, all_signatures=all_signatures)
        except Disturbed:  # a bot was started meanwhile: now its log is there, and is read as well
            continue
        except StoreError as error:
            return _unread(error)
    try:
        return _verify(database, keys, witnessed, progress, all_signatures=all_signatures)
    except StoreError as error:
        return _unread(error)


def _verify(
    database: Path,
    keys: Sequence[VerifierKey],
    witnessed: Sequence[bytes],
    progress: Progress,
    *,
    all_signatures: bool,
) -> Verdict:
    with evidence.opened(database) as tx:
        if (version := evidence.version(tx)) > evidence.NEWEST:
            newer = f"The database is of version {version}, and this Tocsin knows up to {evidence.NEWEST}."
            return _nothing_known(incomplete(newer, "Verify it with the newer Tocsin."))
        lacking = evidence.lacking(tx)
        if lacking and version < evidence.NEWEST:
            older = f"The database is of version {version}: that Tocsin did not seal what it recorded."
            return _nothing_known(incomplete(older, "Start this Tocsin on it once; what is recorded then is sealed."))
        return _Examination(tx, keys, lacking, all_signatures=all_signatures).verdict(witnessed, progress)


def _unread(error: StoreError) -> Verdict:
    found = altered if isinstance(error, Damaged) else incomplete
    return _nothing_known(found(error.what, error.hint))


def _nothing_known(finding: Finding) -> Verdict:
    return Verdict((finding,), "", 0, EMPTY_ROOT, None)


class _Examination:
    """From what was seen to what it means."""

    def __init__(self, tx: Tx, keys: Sequence[VerifierKey], lacking: frozenset[str], *, all_signatures: bool) -> None:
        self._tx = tx
        self._keys = keys
        self._lacking = lacking
        self._findings: list[Finding] = []
        self._has_no_tree_row = False
        self._tree = self._tree_row()
        origin = self._tree.origin if self._tree else ""
        self._pass = Pass(tx, origin, keys, lacking=lacking, all_signatures=all_signatures)

    def verdict(self, witnessed: Sequence[bytes], progress: Progress) -> Verdict:
        """What all of it comes to."""
        origin = self._tree.origin if self._tree else ""
        notes = [*self._witnesses(witnessed)]
        facts = self._pass.run((note.size for note in notes), progress)
        head = self._pass.signed(facts.head) if facts.head and self._tree else None
        self._findings += facts.findings
        self._findings += (altered(f"The table {table} is missing.", KEEP_IT) for table in sorted(self._lacking))
        self._findings += self._on_entries(facts, head)
        self._findings += self._on_the_end(facts)
        self._findings += self._on_the_head(facts, head)
        self._findings += self._on_signatures(facts)
        self._findings += self._on_witnesses(facts, notes, any_given=bool(witnessed))
        seen = [note.size for note in notes if note.origin == origin and facts.roots.get(note.size) == note.root]
        findings = gravest_first(self._findings)
        return Verdict(findings, origin, facts.size, facts.root, max(seen, default=None))

    def _tree_row(self) -> KeptTree | None:
        if "tree" in self._lacking:
            return None
        try:
            row = evidence.tree_row(self._tx)
            self._has_no_tree_row = row is None
        except StoreError as error:
            found = altered if isinstance(error, Damaged) else incomplete
            self._findings.append(found(f"What the record is called cannot be read. {error.what}", error.hint))
            return None
        return row

    def _witnesses(self, witnessed: Sequence[bytes]) -> Iterator[Checkpoint]:
        """What the notes say, as far as somebody known has signed them in the name of their own record."""
        errors: list[str] = []
        is_strange = False
        for note in witnessed:
            try:
                text, signers = open_note(note, *self._keys)
                checkpoint = Checkpoint.parse(text)
            except AuditError as error:
                errors.append(error.what)
                is_strange = is_strange or isinstance(error, Unsigned)  # it may be ours, and the keys another's
                continue
            if any(key.name == checkpoint.origin for key in signers):
                yield checkpoint
            else:
                errors.append("It is not signed in the name of its own record.")
        if errors:
            some = "A note of a witness" if len(errors) == 1 else f"{len(errors):,} notes of witnesses"
            do = "Fetch it again, and see that the right keys are given."
            state = State.INCOMPLETE if is_strange else State.INTACT
            self._findings.append(Finding(state, f"{some} cannot be used. {errors[0]}", do))

    def _on_entries(self, facts: Facts, head: Signed | None) -> Iterator[Finding]:
        """Which entry is another than the one that was signed; else what was changed beside the entries."""
        proven = head is Signed.TRULY and facts.head_fits
        bad = facts.mismatched.get(Signed.TRULY) or (None if proven else facts.mismatched.get(Signed.BY_UNKNOWN))
        if bad is not None:
            yield self._changed(facts, bad, resigned=proven)
        elif facts.unlike_kept is not None and facts.head is None:
            yield altered(f"{_named(facts.unlike_kept)} is not the one whose hash is kept.", KEEP_IT)
        elif facts.unlike_kept is not None:
            yield altered(
                f"The hash that is kept of {entries(facts.unlike_kept, facts.unlike_kept)} is another than the"
                " entry's. The checkpoints agree with the entry: the hash was changed.",
                KEEP_IT,
            )
        for worth in (Signed.FALSELY, Signed.BY_UNKNOWN):
            row = facts.mismatched.get(worth)
            if row is not None and row is not bad and row is not facts.head:
                yield altered(
                    f"The checkpoint of {row.size:,} entries was changed: its root is not theirs, and no key that"
                    " is known has signed it.",
                    KEEP_IT,
                )
        if bad is None and facts.odd_tile and not facts.cut_short:
            yield altered(
                f"The kept hashes are damaged: {facts.odd_tile} is missing, or is not what it must be.", KEEP_IT
            )

    def _changed(self, facts: Facts, bad: KeptCheckpoint, *, resigned: bool) -> Finding:
        """The first entry that was changed, as exactly as the evidence tells."""
        good = self._last_good(bad)
        suspect = facts.unlike_kept
        within = suspect is not None and good < suspect <= bad.size
        afterwards = " Newer checkpoints agree with the change: whoever made it had the key." if resigned else ""
        if suspect is not None and within and (good + 1 == bad.size or self._tiles_lead_to(bad)):
            return altered(f"{_named(suspect)} is not the one that was recorded.{afterwards}", KEEP_IT)
        if good + 1 == bad.size:
            return altered(f"{_named(bad.size)} is not the one that was recorded.{afterwards}", KEEP_IT)
        among = f" The kept hashes point at {entries(suspect, suspect)}." if suspect is not None and within else ""
        return altered(
            f"Among {entries(good + 1, bad.size)} at least one is not the one that was recorded: they were written"
            f" in one commit, and its checkpoint does not fit them.{among}{afterwards}",
            KEEP_IT,
        )

    def _last_good(self, bad: KeptCheckpoint) -> int:
        """Up to where the entries are those that were signed. Below the first mismatch all that is as true fits."""
        enough = {Signed.TRULY, self._pass.signed(bad)} - {Signed.FALSELY}
        try:
            below = evidence.checkpoints(self._tx, below=bad.size)
            return next((each.size for each in below if self._pass.signed(each) in enough), 0)
        except StoreError:
            return 0

    def _tiles_lead_to(self, bad: KeptCheckpoint) -> bool:
        """Whether the kept hashes make the root that was signed: then they are the hashes of what was recorded."""
        counted = Frontier()
        try:
            for _, hashes in evidence.lowest_tiles(self._tx):
                row = join([hashes]) if isinstance(hashes, bytes) else []
                counted.extend(row[: bad.size - counted.size])
            counted.extend(leaf_hashes(evidence.entries_between(self._tx, counted.size, bad.size)))
        except (StoreError, AuditError):
            return False
        return counted.root() == bad.root

    def _on_the_end(self, facts: Facts) -> Iterator[Finding]:
        """Whether the entries end where all else does."""
        if facts.cut_short:
            return
        head = facts.head.size if facts.head else 0
        promised = max(head, facts.hashes_up_to, self._tree.size if self._tree else 0)
        if promised > facts.size:
            gone = entries(facts.size + 1, promised)
            yield altered(
                f"The end was cut off: {gone} were signed, and are not there.", "Put them back from a backup."
            )
        elif facts.head and head < facts.size:
            yield altered(
                f"No checkpoint is over {entries(head + 1, facts.size)}: the bot did not write them, or their"
                " checkpoint was taken away.",
                KEEP_IT,
            )
        elif facts.head_fits and self._tree and not self._edge_fits(self._tree, facts):
            yield altered("What is kept of the edge of the tree is not what the entries make.", KEEP_IT)

    @staticmethod
    def _edge_fits(tree: KeptTree, facts: Facts) -> bool:
        return (tree.size, tree.edge) == (facts.size, b"".join(facts.edge))

    def _on_the_head(self, facts: Facts, head: Signed | None) -> Iterator[Finding]:
        """Who has signed the newest checkpoint."""
        if facts.head is None:
            if self._tree or facts.hashes_up_to:
                yield altered("All checkpoints are gone: nothing says what the entries were.", KEEP_IT)
            elif facts.size:
                yield incomplete("There is no checkpoint: nothing says what the entries were.", "Is it the right file?")
            else:
                yield incomplete("The record is empty.", "Is it the right file?")
        elif self._tree is None:
            if self._has_no_tree_row:
                yield altered("What the record is called is gone, and no checkpoint can be verified.", KEEP_IT)
        elif head is Signed.FALSELY:
            good = self._last_good(facts.head)
            sure = f"Only {entries(1, good)} are surely those that were signed." if good else "Nothing is sure."
            yield altered(
                f"The newest checkpoint, of {facts.head.size:,} entries, was changed: its signature is false. {sure}",
                KEEP_IT,
            )
        elif head is Signed.BY_UNKNOWN:
            yield incomplete(
                "The newest checkpoint is signed by no key that is known.",
                "Give the key of the record, from a copy that you kept elsewhere.",
            )

    def _on_signatures(self, facts: Facts) -> Iterator[Finding]:
        """The signatures of the old checkpoints, where they were asked for."""
        head = facts.head.size if facts.head else 0
        if (size := facts.badly_signed.get(Signed.FALSELY)) is not None and size != head:
            yield altered(f"The checkpoint of {size:,} entries was changed: its signature is false.", KEEP_IT)
        if (size := facts.badly_signed.get(Signed.BY_UNKNOWN)) is not None and size != head:
            yield incomplete(
                f"The checkpoint of {size:,} entries is signed by no key that is known.",
                "Give the keys that the record had before as well.",
            )

    def _on_witnesses(self, facts: Facts, notes: Sequence[Checkpoint], *, any_given: bool) -> Iterator[Finding]:
        """What others saw, beside what is there."""
        if not notes:
            none = "No witness could be used" if any_given else "No witness was asked"
            yield incomplete(
                f"{none}: whether the end was cut off, or all was signed anew, cannot be known.",
                "Give a checkpoint that is held elsewhere.",
            )
            return
        origin = self._tree.origin if self._tree else None
        others = [note for note in notes if note.origin != origin]
        if others and origin is not None:
            yield altered(
                f"A witness has seen the record {others[0].origin}, and this is {origin}.",
                "Was another file put in its place? Or was the note of another bot given?",
            )
        ours = sorted((note for note in notes if note.origin == origin or origin is None), key=lambda note: note.size)
        unlike = [note for note in ours if facts.roots.get(note.size, note.root) != note.root]
        if unlike:
            fitting = max((each.size for each in ours if each.size < unlike[0].size and each not in unlike), default=0)
            yield altered(
                f"Among {entries(fitting + 1, unlike[0].size)} at least one is not the one that a witness has seen.",
                "The witness is right: its note is signed. " + KEEP_IT,
            )
        if ours and ours[-1].size > facts.size and not facts.cut_short:
            yield altered(
                f"The end was cut off, or an old copy was put back: a witness has seen {ours[-1].size:,} entries, and"
                f" the record has {facts.size:,}.",
                "Look for a newer copy. What the lost entries said, nobody can tell from here.",
            )


def _named(number: int) -> str:
    return f"Entry {number:,}"
