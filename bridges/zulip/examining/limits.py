"""What the server takes from the bot, and what the organization lets it do with its own messages."""

from bot.findings import Finding, Findings, good, hint, warn
from bot.words.times import span
from bridges.zulip.api import Api
from bridges.zulip.budget import USUAL_LIMIT
from bridges.zulip.examining.account import Examined
from bridges.zulip.realm import LONGEST_MESSAGE, LONGEST_TOPIC, USUAL_EDIT_LIMIT_S
from bridges.zulip.rules import Rules

POLICIES = "in Zulip, under the organization's permissions"


async def limits(api: Api, own: Examined) -> Findings:
    """Requests, edits, deletions and lengths."""
    rules = await own.rules()
    taken = api.requests_a_minute()
    if taken < USUAL_LIMIT:
        what = f"The server takes {taken} requests a minute from the bot, fewer than is usual: it waits often."
        yield warn("requests", what, f"Have whoever runs the server raise its limit to {USUAL_LIMIT} or more.")
    else:
        yield good("requests", f"The server takes {taken} a minute from the bot.")
    yield _editing(rules)
    yield _deleting(rules)
    lengths = f"Messages may have {rules.max_message_length:,} characters, topics {rules.max_topic_length}."
    if rules.max_message_length < LONGEST_MESSAGE or rules.max_topic_length < LONGEST_TOPIC:
        yield hint("lengths", f"{lengths} That is less than is usual.", "Long answers come in more messages.")
    else:
        yield good("lengths", lengths)


def _editing(rules: Rules) -> Finding:
    limit_s = rules.realm_message_content_edit_limit_seconds
    if not rules.realm_allow_message_editing:
        what = "Nobody may edit a message: whatever changes is said anew, and what goes on fills its topic."
        return warn("editing", what, f"Let messages be edited, {POLICIES}.")
    if not limit_s:
        return good("editing", "The bot may edit its messages for ever.")
    what = f"The bot may edit its messages for {span(limit_s)}. Then a new one takes their place."
    if limit_s < USUAL_EDIT_LIMIT_S:
        return hint("editing", what, f"Where that is too many, lengthen the time, {POLICIES}.")
    return good("editing", what)


def _deleting(rules: Rules) -> Finding:
    limit_s = rules.realm_message_content_delete_limit_seconds
    may = rules.may_delete()
    if may is None:
        what = "Whether the bot may delete its messages does not show. It tries, and else edits them."
        return hint("deleting", what, f"Look at who may delete their own, {POLICIES}.")
    if not may:
        what = 'The bot may not delete its messages: what is taken back elsewhere becomes "(taken back)" here.'
        return hint("deleting", what, f"Let members delete their own, {POLICIES}.")
    return good("deleting", f"The bot may delete its messages {f'for {span(limit_s)}' if limit_s else 'for ever'}.")
