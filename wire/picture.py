"""A picture of a job by its digest: its bytes travel beside, unsigned, and count only where they are the ones named."""

import dataclasses
import enum
import hashlib
import re

from wire.errors import BadMessage
from wire.fields import Fields

LONGEST_ALT = 300
LARGEST_PICTURE = 256 * 1024
SHA256 = re.compile(r"[0-9a-f]{64}")


class MediaType(enum.StrEnum):
    """What a picture may be."""

    PNG = "image/png"
    JPEG = "image/jpeg"
    WEBP = "image/webp"


@dataclasses.dataclass(frozen=True, slots=True)
class PictureNamed:
    """A picture as the end of a job names it."""

    alt: str
    """What it shows, for whoever cannot see it."""
    media_type: MediaType
    size: int
    sha256: str

    @classmethod
    def of(cls, alt: str, media_type: MediaType, data: bytes) -> "PictureNamed":
        """The name of these bytes."""
        return cls(alt, media_type, len(data), hashlib.sha256(data).hexdigest())

    @classmethod
    def parse(cls, value: object) -> "PictureNamed":
        """From one entry of the end of a job."""
        fields = Fields.of(value, "picture")
        alt = fields.text("alt")
        if len(alt) > LONGEST_ALT:
            raise BadMessage(f"A picture's 'alt' must be a text of up to {LONGEST_ALT} characters.")
        return cls(
            alt=alt,
            media_type=fields.one_of("media_type", MediaType),
            size=fields.number("bytes", least=1, most=LARGEST_PICTURE),
            sha256=fields.text("sha256", SHA256),
        )

    def to_json(self) -> dict[str, str | int]:
        """As it stands in the end of a job."""
        return {"alt": self.alt, "media_type": self.media_type, "bytes": self.size, "sha256": self.sha256}

    def is_of(self, data: bytes) -> bool:
        """Whether these are the bytes that it names. Nobody takes others."""
        return len(data) == self.size and hashlib.sha256(data).hexdigest() == self.sha256


def picture_topic(root: str, id: str, sha256: str) -> str:  # noqa: A002 - as the contract calls it
    """Where a component publishes the bytes of a picture, before the end of the job that names them."""
    return f"{root}/picture/{id}/{sha256}"
