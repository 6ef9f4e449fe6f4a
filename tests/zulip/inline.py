"""What stands within a line of Zulip's markup: code, emphasis, links, mentions, channels, emoji and times."""

import html
import re
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import quote, urlsplit

from tests.zulip import emoji
from tests.zulip.realm import Realm
from tests.zulip.things import User

_BEFORE_A_NAME = r"(?<![^\s'\"({\[/<])"
_PARTS = re.compile(
    r"(?P<code>(?<!`)(?P<ticks>`+)(?!`)(?P<coded>.+?)(?<!`)(?P=ticks)(?!`))"
    rf"|(?P<mention>{_BEFORE_A_NAME}@(?P<quietly>_?)\*\*(?P<name>[^*]+)\*\*)"
    rf"|(?P<group>{_BEFORE_A_NAME}@(?P<group_quietly>_?)\*(?P<group_name>[^*]+)\*)"
    r"|(?P<channel>#\*\*(?P<channel_name>[^*>]+)(?:>(?P<topic>[^*]+))?\*\*)"
    r"|(?P<time><time:(?P<when>[^>]+)>)"
    r"|(?P<math>\$\$(?P<formula>\S(?:.*?\S)?)\$\$)"
    r"|(?P<link>(?<!!)\[(?P<text>[^\]]*)\]\((?P<target>[^()\s]+(?:\([^()\s]*\)[^()\s]*)?)\))"
    r"|(?P<bare>https?://(?:\([^\s<>()]*\)|[^\s<>()])+)"
    r"|(?P<emoji>:(?P<emoji_name>[\w+-]+):)"
    r"|(?P<sign>[\u2600-\u27bf\U0001f300-\U0001faff](?:\u200d[\u2600-\u27bf\U0001f300-\U0001faff])*)"
    r"|(?P<bold>\*\*(?P<bolded>.+?)\*\*(?!\*))"
    r"|(?P<struck>~~(?P<stricken>.+?)~~)"
    r"|(?P<italic>\*(?P<slanted>[^*\s](?:[^*]*[^*\s])?)\*)"
)
_AMPERSAND = re.compile(r"&(?!#?\w+;)")
_EVERYBODY = {"all", "everyone", "channel", "stream"}
_PICTURE = re.compile(r"\.(png|jpe?g|gif|webp)$", re.IGNORECASE)


def escaped(text: str) -> str:
    return _AMPERSAND.sub("&amp;", text).replace("<", "&lt;").replace(">", "&gt;")


def in_address(text: str) -> str:
    return quote(text, safe="").replace(".", "%2E").replace("%", ".")


def channel_in_address(channel_id: int, name: str) -> str:
    return in_address(f"{channel_id}-{name.replace(' ', '-')}")


class Reader:
    """Reads the lines of one paragraph; `called` is told whom they mention, and `previews` fills with pictures."""

    def __init__(self, realm: Realm, url: str, called: set[int], *, silent: bool) -> None:
        self._realm = realm
        self._url = url
        self._called = called
        self._silent = silent
        self.everybody = False
        self.everybody_in_topic = False
        self.previews: list[str] = []

    def read(self, line: str) -> str:
        shown: list[str] = []
        end = 0
        for part in _PARTS.finditer(line):
            shown.append(escaped(line[end : part.start()]))
            shown.append(self._part(part))
            end = part.end()
        return "".join(shown) + escaped(line[end:])

    def _part(self, part: re.Match[str]) -> str:
        kinds: dict[str, Callable[[re.Match[str]], str]] = {
            "code": lambda found: f"<code>{escaped(found['coded'])}</code>",
            "mention": self._mention,
            "group": self._group,
            "channel": self._channel,
            "time": _time,
            "math": lambda found: f'<span class="tex-error">$${escaped(found["formula"])}$$</span>',
            "link": self._link,
            "bare": self._bare,
            "emoji": self._emoji,
            "sign": lambda found: _sign(found[0]),
            "bold": lambda found: f"<strong>{self.read(found['bolded'])}</strong>",
            "struck": lambda found: f"<del>{self.read(found['stricken'])}</del>",
            "italic": lambda found: f"<em>{self.read(found['slanted'])}</em>",
        }
        kind = next(name for name in kinds if part[name] is not None)
        return kinds[kind](part)

    def _mention(self, part: re.Match[str]) -> str:
        name = part["name"]
        quietly = bool(part["quietly"]) or self._silent
        if name in _EVERYBODY:
            self.everybody |= not quietly
            return _span("user-mention", 'data-user-id="*"', name, quietly=quietly)
        if name == "topic":
            self.everybody_in_topic |= not quietly
            return f'<span class="topic-mention{" silent" if quietly else ""}">{"" if quietly else "@"}topic</span>'
        user = self._user(name)
        if user is None:
            return f"@{part['quietly']}<strong>{escaped(name)}</strong>"
        quietly = quietly or not user.is_active
        if not quietly:
            self._called.add(user.id)
        return _span("user-mention", f'data-user-id="{user.id}"', user.full_name, quietly=quietly)

    def _user(self, name: str) -> User | None:
        full_name, bar, number = name.rpartition("|")
        if bar and number.isdigit():
            user = self._realm.users.get(int(number))
            fits = user is not None and full_name.lower() in {"", user.full_name.lower()}
            return user if fits else None
        named = [user for user in self._realm.users.values() if user.full_name.lower() == name.lower()]
        return min(named, key=lambda user: user.id, default=None)

    def _group(self, part: re.Match[str]) -> str:
        group = self._realm.group_by_name(part["group_name"])
        quietly = bool(part["group_quietly"]) or self._silent
        if group is None or group.of_the_server:
            return f"@{part['group_quietly']}<em>{escaped(part['group_name'])}</em>"
        if not quietly:
            self._called.update(group.members)
        return _span("user-group-mention", f'data-user-group-id="{group.id}"', group.name, quietly=quietly)

    def _channel(self, part: re.Match[str]) -> str:
        channel = self._realm.channel_by_name(part["channel_name"])
        if channel is None:
            return f"#<strong>{escaped(part['channel_name'])}</strong>"
        address = f"/#narrow/stream/{channel_in_address(channel.id, channel.name)}"
        if part["topic"] is None:
            kind, name = "stream", f"#{channel.name}"
        else:
            kind, name = "stream-topic", f"#{channel.name} > {part['topic']}"
            address += f"/topic/{in_address(part['topic'])}"
        return f'<a class="{kind}" data-stream-id="{channel.id}" href="{address}">{escaped(name)}</a>'

    def _link(self, part: re.Match[str]) -> str:
        target = part["target"]
        if re.match(r"(?!https?:|mailto:)\w+:", target):
            return escaped(part[0])
        if target.startswith(f"{self._url}/#narrow/"):
            target = target.removeprefix(f"{self._url}/")
        self._preview(target, part["text"])
        return f'<a href="{html.escape(target)}">{self.read(part["text"])}</a>'

    def _bare(self, part: re.Match[str]) -> str:
        target = part[0].rstrip(".,;:!?")
        self._preview(target, "")
        return f'<a href="{html.escape(target)}">{escaped(target)}</a>{escaped(part[0][len(target) :])}'

    def _preview(self, target: str, title: str) -> None:
        if not _PICTURE.search(urlsplit(target).path):
            return
        address = html.escape(target)
        named = f' title="{html.escape(title)}"' if title else ""
        self.previews.append(
            f'\n<div class="message_inline_image"><a href="{address}"{named}><img src="{address}"></a></div>'
        )

    def _emoji(self, part: re.Match[str]) -> str:
        name = part["emoji_name"]
        own = next((each for each in self._realm.emoji.values() if each.name == name and not each.deactivated), None)
        if own is not None:
            source = f"/user_avatars/2/emoji/images/{own.id}.png"
            return f'<img alt=":{name}:" class="emoji" src="{source}" title="{name.replace("_", " ")}">'
        if name not in emoji.CODES:
            return escaped(part[0])
        return _shown_emoji(emoji.CODES[name], name)


def _sign(sign: str) -> str:
    code = "-".join(f"{ord(each):x}" for each in sign)
    return _shown_emoji(code, emoji.OWN_NAMES[code]) if code in emoji.OWN_NAMES else sign


def _shown_emoji(code: str, name: str) -> str:
    title = name.replace("_", " ")
    return f'<span aria-label="{title}" class="emoji emoji-{code}" role="img" title="{title}">:{name}:</span>'


def _span(kind: str, known: str, name: str, *, quietly: bool) -> str:
    silent, at = (" silent", "") if quietly else ("", "@")
    return f'<span class="{kind}{silent}" {known}>{at}{escaped(name)}</span>'


def _time(part: re.Match[str]) -> str:
    try:
        when = datetime.fromisoformat(part["when"])
    except ValueError:
        return f'<span class="timestamp-error">Invalid time format: {escaped(part["when"])}</span>'
    in_utc = when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return f'<time datetime="{in_utc}">{escaped(part["when"])}</time>'
