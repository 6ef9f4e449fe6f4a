"""The pictures of one job, as its own code adds them in any thread. They are said with its end, and not before."""

import threading
from collections.abc import Mapping

from components.trouble import Cancelled
from wire.picture import LARGEST_PICTURE, LONGEST_ALT, MediaType, PictureNamed
from wire.work import MOST_PICTURES


class Pictures:
    """Up to eight, each within its bounds. What is over a bound is an error where it is added."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._named: list[PictureNamed] = []
        self._data: dict[str, bytes] = {}
        self._is_closed = False

    def add(self, alt: str, data: bytes, media_type: str) -> None:
        """One more. Raises ValueError over a bound, and Cancelled where the job has ended."""
        data = bytes(memoryview(data))  # as it is now, whatever kind of bytes it is
        named = PictureNamed.of(_checked_alt(alt), _checked_type(media_type), data)
        if not 1 <= named.size <= LARGEST_PICTURE:
            raise ValueError(f"a picture has 1 to {LARGEST_PICTURE} bytes, not {named.size}")
        with self._lock:
            if self._is_closed:
                raise Cancelled
            if len(self._named) >= MOST_PICTURES:
                raise ValueError(f"a job has up to {MOST_PICTURES} pictures")
            self._named.append(named)
            self._data[named.sha256] = data

    def close(self) -> tuple[tuple[PictureNamed, ...], Mapping[str, bytes]]:
        """All of them, and their bytes by digest. There will be no more."""
        with self._lock:
            self._is_closed = True
            named, data = tuple(self._named), self._data
            self._named, self._data = [], {}
        return named, data


def _checked_alt(alt: str) -> str:
    """What cannot be printed may not be sent, and would make the end of a job larger than an envelope may be."""
    line = "".join(each if each.isprintable() else " " for each in alt).strip()
    if not 1 <= len(line) <= LONGEST_ALT:
        raise ValueError(f"alt says in 1 to {LONGEST_ALT} characters what a picture shows, not in {len(line)}")
    return line


def _checked_type(media_type: str) -> MediaType:
    try:
        return MediaType(media_type)
    except ValueError:
        raise ValueError(f"a picture is {', '.join(MediaType)}, not {media_type!r}") from None
