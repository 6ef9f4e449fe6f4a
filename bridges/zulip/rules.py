"""What a server and its organization let be done, as they tell it to whoever looks at an installation."""

from typing import Annotated, Any

from pydantic import Field

from bridges.zulip.answers import LATEST_S, Name, Number, Part

MEMBERS, FULL_MEMBERS, EVERYBODY = 1, 3, 5
"""Who may do a thing, in the words of older servers."""


class Server(Part):
    """What a server tells anybody."""

    zulip_version: Name
    zulip_feature_level: Number = 0


class Rules(Part):
    """What the organization has decided."""

    realm_allow_message_editing: bool = True
    realm_message_content_edit_limit_seconds: Annotated[int | None, Field(ge=0, le=LATEST_S)] = None
    realm_message_content_delete_limit_seconds: Annotated[int | None, Field(ge=0, le=LATEST_S)] = None
    realm_delete_own_message_policy: Any = None
    """Newer servers name a group instead, whose members nobody need look up for this."""
    max_message_length: Number = 10_000
    max_topic_length: Number = 60

    def may_delete(self) -> bool | None:
        """Whether a plain member may take its own messages away. None where that does not tell."""
        policy = self.realm_delete_own_message_policy
        if not isinstance(policy, int) or policy == FULL_MEMBERS:
            return None
        return policy in {MEMBERS, EVERYBODY}
