"""What a message that was read back tells of its edits, where the server tells more and where it tells less."""

from pathlib import Path
from typing import Any

import pytest

from bot.store.heard import Heard
from bot.words.message import Place
from bot.words.people import Account
from bridges.zulip import answers
from bridges.zulip.answers import read
from bridges.zulip.api import History
from bridges.zulip.catching_up import Window
from bridges.zulip.client import Answer
from bridges.zulip.places import Places
from bridges.zulip.reading import Reader

HEARD = Heard("5.1000", Place("zulip", "4/topic"), Account("zulip", "7"), 1001.0)
MOVE = {"timestamp": 1010, "prev_topic": "topic", "topic": "elsewhere"}
EDIT = {"timestamp": 1010, "prev_content": "before"}


@pytest.mark.parametrize(
    ("history", "text"),
    [
        (None, "after"),
        ([], "after"),
        ("odd", "after"),
        ([EDIT, MOVE], "after"),
        ([{**EDIT, "timestamp": "odd"}], "after"),
        ([MOVE], None),
        ([MOVE, {**EDIT, "timestamp": 1000}], None),
    ],
)
def test_a_message_was_edited_where_its_history_does_not_say_otherwise(
    history: Any, text: str | None, tmp_path: Path
) -> None:
    nobody: Any = None
    places = Places(nobody, tmp_path, "https://here")
    places.set_channels([answers.Channel(stream_id=4, name="incidents")])
    body = {"id": 5, "sender_id": 7, "type": "stream", "content": "after", "timestamp": 1000}
    more = {"stream_id": 4, "subject": "elsewhere", "last_edit_timestamp": 1010, "edit_history": history}
    message = read(answers.Message, {**body, **more})
    window = Window(History([], found_oldest=True, found_newest=True, answer=Answer({}, {}, 0.0)), {5: message})
    spots = window.spots([HEARD], {})
    changes = window.changed_since([HEARD], spots, Reader(8, "tocsin", places), places, 1002.0)
    assert [(each.place.id, each.text) for each in changes] == ([] if text is None else [("4/elsewhere", text)])
