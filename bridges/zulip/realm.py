"""What holds on a server: how long a message may be, how long it can be edited, and which message is the newest."""

from bridges.zulip.answers import RealmEvent, Registered

USUAL_EDIT_LIMIT_S = 600.0
LONGEST_MESSAGE, LONGEST_TOPIC = 10_000, 60


class Realm:
    """The organization's settings, as far as they are known. It begins with those of a fresh server."""

    def __init__(self) -> None:
        self.edits = True
        self.edit_limit_s: float | None = USUAL_EDIT_LIMIT_S
        """None where a message can be edited for ever."""
        self.longest_message = LONGEST_MESSAGE
        self.newest = -1
        """The highest id of a message that there is, as far as is known. What is sent from now on is above it."""
        self.begun_again = 0
        """How often the server has gone back to an older state: it gives ids again then."""

    def note(self, message_id: int) -> None:
        """There is this message."""
        self.newest = max(self.newest, message_id)

    def set(self, registered: Registered) -> None:
        """What holds as a queue begins."""
        self.edits = registered.realm_allow_message_editing
        self.edit_limit_s = registered.realm_message_content_edit_limit_seconds or None
        if 0 <= registered.max_message_id < self.newest:
            self.newest = registered.max_message_id
            self.begun_again += 1

    def update(self, event: RealmEvent) -> None:
        """A setting has changed: alone, or as one of several."""
        changed = {event.property: event.value} if event.op == "update" else event.data
        if isinstance(allowed := changed.get("allow_message_editing"), bool):
            self.edits = allowed
        if "message_content_edit_limit_seconds" in changed:
            limit = changed["message_content_edit_limit_seconds"]
            if limit is None or (isinstance(limit, int) and not isinstance(limit, bool) and limit >= 0):
                self.edit_limit_s = limit or None

    def may_edit(self, age_s: float) -> bool:
        """Whether a message of this age can still be edited."""
        return self.edits and (self.edit_limit_s is None or age_s < self.edit_limit_s)
