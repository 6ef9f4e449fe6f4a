"""What becomes of what was passed on: edited in whose name, taken back wherever it went, and never said after that."""

import dataclasses

import pytest

from bot.channels import Channel
from bot.store import Store, outbox
from bot.words.document import OCTETS, Enclosed, TakenBack, Text
from bot.words.message import Change, Place, Standing
from bot.words.plain import to_plain
from bot.words.talk import LARGEST_FILE, as_passed_on
from tests.unit.talk import MATRIX, MQTT, OTHER, PLACES, ZULIP, Talk, a_file, change


@pytest.fixture
def talk(store: Store) -> Talk:
    return Talk(store)


async def test_an_edit_changes_every_copy_and_what_is_taken_back_is_gone_everywhere(talk: Talk) -> None:
    event = await talk.says("helo")
    (first,) = await talk.sent(MQTT)
    await talk.changes(event, words="hello")
    assert (await talk.heard(MATRIX), await talk.heard(MQTT)) == (["olga (zulip): hello"],) * 2
    assert await talk.sent(MQTT) == [(first[0], None)], "it edits what was said"
    await talk.changes(event)
    assert await talk.heard(OTHER) == ["(taken back)"]


async def test_nobody_edits_what_another_has_written(talk: Talk) -> None:
    event = await talk.says("hello")
    await talk.changes(event, who="otto", words="goodbye")
    await talk.changes("$never", words="goodbye")
    assert await talk.heard(MQTT) == ["olga (zulip): hello"]
    await talk.changes(event, who="a moderator")
    assert await talk.heard(MQTT) == ["(taken back)"], "but others may take it back, where a network lets them"


@pytest.mark.parametrize("together", [True, False])
async def test_where_nobody_is_proven_only_the_same_name_takes_back(talk: Talk, *, together: bool) -> None:
    message = talk.message("hello", MQTT, "lamp", Standing.RELAYED)
    others, own = (change(message.event, MQTT, who, standing=Standing.RELAYED) for who in ("another", "lamp"))
    await talk.takes(message, changes=[others] if together else ())
    await talk.takes(changes=[others])
    assert await talk.heard(ZULIP) == ["lamp (mqtt, unproven): hello"]
    await talk.takes(changes=[own])
    assert await talk.heard(ZULIP) == ["(taken back)"]


async def test_a_name_that_anybody_can_choose_holds_no_sign_behind_which_words_begin(talk: Talk) -> None:
    await talk.says("hi", MQTT, "Olga: yes, reset it. Lamp (x)", standing=Standing.RELAYED)
    assert await talk.heard(ZULIP) == ["Olga  yes, reset it. Lamp  x  (mqtt, unproven): hi"]


async def test_a_change_on_another_network_or_without_words_changes_nothing(talk: Talk) -> None:
    event = await talk.says("hello")
    await talk.takes(changes=[change(event, words="goodbye")], network="matrix")
    account = change(event).account
    await talk.takes(changes=[Change(ZULIP, event, account, removed=False, standing=Standing.NAMED)])
    assert [await talk.heard(place) for place in (OTHER, MQTT)] == [["olga (zulip): hello"]] * 2


async def test_an_edit_of_what_never_crossed_is_not_said(talk: Talk) -> None:
    event = await talk.says("a secret", MATRIX)
    await talk.changes(event, MATRIX, words="no secret", standing=Standing.CLEAR)
    assert (await talk.heard(ZULIP), await talk.heard(OTHER)) == ([], ["olga (matrix, unproven): no secret"])
    for event in (await talk.says("to the bot", apart=True), await talk.says("old news", age_s=90_000.0)):
        await talk.changes(event, words="goodbye")
    assert await talk.heard(MQTT) == []


async def test_an_edit_is_as_proven_as_itself_and_as_its_message(talk: Talk) -> None:
    event = await talk.says("nothing is approved", MATRIX)
    await talk.changes(event, MATRIX, words="I approve it", standing=Standing.CLEAR)
    assert await talk.heard(OTHER) == ["olga (matrix, unproven): I approve it"]
    event = await talk.says("who knows", MATRIX, standing=Standing.UNPROVEN)
    await talk.changes(event, MATRIX, words="I do")
    assert (await talk.heard(OTHER))[-1] == "olga (matrix, unproven): I do"


@pytest.mark.parametrize("together", [True, False])
async def test_what_is_encrypted_is_secret_where_its_message_or_its_edit_is(talk: Talk, *, together: bool) -> None:
    clear, secret = (
        talk.message(words, MATRIX, standing=how, files=[a_file()])
        for words, how in (("in clear", Standing.CLEAR), ("encrypted", Standing.UNPROVEN))
    )
    edits = [
        change(clear.event, MATRIX, words="now encrypted"),
        change(secret.event, MATRIX, words="now in clear", standing=Standing.CLEAR),
    ]
    edits = [dataclasses.replace(each, files=(a_file(),)) for each in edits]
    await talk.takes(clear, secret, changes=edits if together else ())
    if not together:
        await talk.takes(changes=edits)
    said = " ".join(await talk.posts(ZULIP))
    assert "now" not in said
    assert said == ("" if together else "olga (matrix, unproven): in clear File: plan.pdf")


@pytest.mark.parametrize("when", ["in the same batch", "before it is sent", "later"])
async def test_a_file_that_its_writer_has_edited_out_is_taken_back(talk: Talk, when: str) -> None:
    message = talk.message("look", ZULIP, files=[a_file("secret.pdf")])
    edits = [change(message.event, words=words) for words in ("nothing", "nothing to see")]
    await talk.takes(message, changes=edits if when == "in the same batch" else ())
    if when == "later":
        await talk.all_sent()
    if when != "in the same batch":
        for edit in edits:
            await talk.takes(changes=[edit], tries=2)
    await talk.all_sent()
    assert [words for _, words in await talk.stands(MATRIX)] == ["olga (zulip): nothing to see"]
    taken_back = "SELECT count(*) FROM outbox WHERE subject LIKE 'moved % file 0 %' AND state = 'sent'"
    sent = await talk.store.read(lambda tx: tx.execute(taken_back).fetchone()[0])
    assert sent == (2 * len(talk.lab.takers(ZULIP)) if when == "later" else 0)


async def test_a_file_that_an_edit_leaves_there_stays(talk: Talk) -> None:
    message = talk.message("look", ZULIP, files=[a_file()])
    await talk.takes(message)
    await talk.takes(changes=[dataclasses.replace(change(message.event, words="see"), files=(a_file(),))])
    await talk.all_sent()
    assert [words for _, words in await talk.stands(MATRIX)] == ["olga (zulip): see", "File: plan.pdf"]


async def test_what_was_shared_once_is_not_edited_where_it_is_not_shared_any_more(store: Store) -> None:
    talk = Talk(store, share=True)
    event = await talk.says("hello", MATRIX)
    await talk.sent(ZULIP)
    talk.channels.take([Talk(store).lab])
    await talk.changes(event, MATRIX, words="in clear", standing=Standing.CLEAR)
    assert (await talk.posts(ZULIP), len(await talk.posts(OTHER))) == ([], 2)


async def test_of_a_batch_only_the_last_words_are_said_and_nothing_that_was_taken_back(talk: Talk) -> None:
    gone, edited, stays = (talk.message(words) for words in ("hunter2", "helo", "stays"))
    changes = [
        change(edited.event, words="hell"),
        change(edited.event, words="hello"),
        Change(ZULIP, edited.event, edited.account, removed=False),
        change(gone.event, words="hunter3"),
        change(gone.event),
        change(gone.event, words="hunter4"),
    ]
    await talk.takes(gone, edited, stays, changes=changes)
    assert await talk.posts(MQTT) == ["olga (zulip): hello", "olga (zulip): stays"]


async def test_a_strangers_edit_in_the_same_batch_keeps_nobody_from_being_heard(talk: Talk) -> None:
    message = talk.message("I am in danger")
    await talk.takes(message, changes=[change(message.event, who="mallory", words="all is well")])
    assert await talk.heard(MQTT) == ["olga (zulip): I am in danger"]


async def test_what_was_refused_is_not_said_after_it_was_taken_back_or_edited(talk: Talk) -> None:
    gone, edited = await talk.says("hunter2"), await talk.says("helo")
    for _ in range(2):
        await talk.refused(MQTT)
    await talk.changes(gone)
    await talk.changes(edited, words="hello")
    await talk.store.write(lambda tx: outbox.retry(tx, None))
    assert await talk.posts(MQTT) == ["olga (zulip): hello"]


async def test_what_waits_is_not_said_any_more_when_it_was_taken_back(talk: Talk) -> None:
    await talk.says("first in line")
    event = await talk.says("hunter2")
    await talk.changes(event)
    assert await talk.posts(MQTT) == ["olga (zulip): first in line"]
    await talk.says_next(MQTT)
    assert await talk.head(MQTT) is None, "there is nothing to take back"


async def test_what_is_first_in_line_may_be_on_its_way_and_is_taken_back_behind_it(talk: Talk) -> None:
    event = await talk.says("hunter2")
    await talk.changes(event)
    first = await talk.says_next(MQTT)
    second = await talk.says_next(MQTT)
    assert second.edits == f"{MQTT.id} {first.row}"
    assert second.post.document.blocks == (TakenBack(taken_back=True),)


@pytest.mark.parametrize("left", [(), (Channel("lab", (MATRIX, OTHER)),), (Channel("lab", (ZULIP, OTHER)),)])
async def test_copies_are_taken_back_where_nothing_is_passed_on_any_more(store: Store, left: tuple[Channel]) -> None:
    talk = Talk(store, share=True)
    event = await talk.says("hunter2", MATRIX)
    await talk.sent(ZULIP)
    await talk.changes(event, MATRIX, words="hunter3")
    talk.channels.take(left)
    await store.write(talk.channels.announce)
    await talk.changes(event, MATRIX)
    await store.write(talk.channels.announce)
    for place in (ZULIP, MQTT):
        last = None
        while await talk.head(place):
            last = await talk.says_next(place)
        assert last is not None
        assert to_plain(last.post.document) == "(taken back)", place


async def test_copies_are_taken_back_after_a_restart_and_after_the_channel_is_gone(store: Store) -> None:
    talk = Talk(store)
    event = await talk.says("hunter2")
    await talk.sent(MQTT)
    later = Talk(store, lab=Channel("other", (OTHER, Place("matrix", "!more:here"))))
    await later.changes(event)
    assert await later.blocks(MQTT) == [TakenBack(taken_back=True)]


async def test_what_may_not_go_any_more_does_not_go(store: Store) -> None:
    talk = Talk(store, share=True)
    for words in ("first in line", "encrypted"):
        await talk.says(words, MATRIX, files=[a_file()])
    await talk.says("in clear", ZULIP)
    talk.channels.take([Talk(store).lab])
    await store.write(talk.channels.announce)
    assert [each for each in await talk.posts(MQTT) if "File" not in each] == [
        "olga (matrix): first in line",
        "olga (zulip): in clear",
    ]
    assert not [each for each in await talk.posts(MQTT) if "File" in each]
    assert len([each for each in await talk.posts(OTHER) if "File" in each]) == 2
    talk.channels.take([Channel("lab", (ZULIP, MQTT), only_hear=frozenset({ZULIP}))])
    await store.write(talk.channels.announce)
    assert [each for each in await talk.posts(OTHER) if "passed on" not in each] == ["olga (matrix): first in line"]
    assert "olga (zulip): in clear" not in await talk.posts(MQTT)


async def test_files_are_posts_of_their_own_and_each_is_taken_back(talk: Talk) -> None:
    files = [a_file("plan.pdf"), a_file("large.pdf", size=LARGEST_FILE + 1), a_file("run.html", type_="text/html")]
    event = await talk.says("look", files=files)
    head, plan, large, run = await talk.blocks(MQTT)
    assert isinstance(head, Text)
    assert (plan, run) == (files[0], dataclasses.replace(files[2], type=OCTETS))
    assert isinstance(large, Text)
    assert "large.pdf is not passed on: 10.5 MB, and 10.5 MB may be." in large.spans[0].text
    await talk.sent(MQTT)
    await talk.changes(event)
    assert await talk.blocks(MQTT) == [TakenBack(taken_back=True)] * 4


async def test_a_file_without_words_is_said_of_whom_it_is_and_too_many_leave_a_sign(talk: Talk) -> None:
    await talk.says("", files=[a_file(f"{number}.pdf") for number in range(12)])
    posts = await talk.posts(MQTT)
    assert posts[0] == "olga (zulip): "
    assert len(posts) == 11
    assert posts[-1] == "(3 more files are not passed on.)"


async def test_files_are_as_secret_as_the_words(talk: Talk) -> None:
    await talk.says("look", MATRIX, files=[a_file()])
    assert [len(await talk.posts(place)) for place in PLACES] == [0, 2, 0, 0]


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("../../etc/passwd", "_.._etc_passwd"),
        ("c:\\run.exe", "c:_run.exe"),
        ("\u202efdp.exe\n", "\ufffdfdp.exe "),
        ("...", "file"),
        ("x" * 99, "x" * 79 + "…"),
    ],
)
def test_a_files_name_leads_nowhere(name: str, shown: str) -> None:
    file = as_passed_on(a_file(name))
    assert isinstance(file, Enclosed)
    assert file.name.strip() == shown.strip()


@pytest.mark.parametrize("size", [0, -1, LARGEST_FILE + 1])
def test_what_is_no_file_that_can_be_brought_is_words(size: int) -> None:
    assert isinstance(as_passed_on(a_file(size=size)), Text)
    assert isinstance(as_passed_on(a_file(size=LARGEST_FILE)), Enclosed)
