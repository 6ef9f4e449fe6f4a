"""Which topics may be places, and what a message on one is called: an event is its topic and the id in its payload."""

from bot.words.message import Place
from wire.messages import ROOT

NETWORK = "mqtt"
LONGEST = 255
"""In bytes. Brokers take more; nobody types it."""


def mistake_in(place: Place) -> str:
    """Why a topic cannot be a place, of talk or of what the bot says of itself. Empty where it can."""
    topic = place.id
    if "+" in topic or "#" in topic:
        return "must be one topic, without + and #: such as mqtt:lab/talk"
    if topic.startswith("$"):
        return "must not begin with $: such topics are the broker's own"
    if is_under(topic, ROOT):
        return f"must not be under {ROOT}: there bots talk to components"
    if not topic.strip() or not topic.isprintable() or topic != topic.strip():
        return "must be a topic, such as mqtt:lab/talk"
    if len(topic.encode()) > LONGEST:
        return f"must be a topic of at most {LONGEST} bytes"
    return ""


def is_under(topic: str, root: str) -> bool:
    """Whether a topic is this one, or below it."""
    return f"{topic}/".startswith(f"{root}/")


def event_of(topic: str, id_: str) -> str:
    """The event of a message. No topic that is a place holds the sign between them."""
    return f"{topic}#{id_}"


def id_in(event: str) -> str:
    """What the payload calls it."""
    return event.partition("#")[2]
