"""TLS to the broker, without a thread and without a socket: bytes go in and come out.

Certificate and host name are always checked; there is nothing here that switches that off.
"""

import asyncio
import contextlib
import re
import ssl
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Self

from wire.errors import BadMessage, WireError
from wire.fields import Fields

PIECE = 64 * 1024
LARGEST_FILE = 4 * 1024 * 1024
A_PATH = re.compile(r"[^\0]+")

EXPIRED, NOT_YET_VALID = 10, 9
OF_NOBODY_KNOWN = frozenset({18, 19, 20, 21, 27})
FOR_ANOTHER_NAME = frozenset({62, 64})
"""What OpenSSL calls X509_V_ERR_…: the reasons why it does not believe a certificate."""

REFUSALS: Mapping[str, str] = {
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "asks for a client certificate. Name it, and its key",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": (
        "refuses the handshake. It may want a client certificate (name it, and its key), or an older TLS than 1.2"
    ),
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "finds our client certificate expired. Have it renewed",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "finds our client certificate revoked. Have a new one made",
    "TLSV1_ALERT_UNKNOWN_CA": "does not know who made our client certificate. Have one made by its own authority",
    "SSLV3_ALERT_BAD_CERTIFICATE": "does not take our client certificate. Have one made by its own authority",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "does not take our client certificate. Have one made by its own authority",
    "TLSV1_ALERT_ACCESS_DENIED": "does not let our client certificate in. Check its access rules",
    "WRONG_VERSION_NUMBER": "does not speak TLS on this port. Use its port for TLS, by custom 8883",
    "RECORD_LAYER_FAILURE": "does not speak TLS on this port. Use its port for TLS, by custom 8883",
    "UNSUPPORTED_PROTOCOL": "speaks only an older TLS than 1.2. Bring it up to date",
    "TLSV1_ALERT_PROTOCOL_VERSION": "speaks only an older TLS than 1.2. Bring it up to date",
    "UNEXPECTED_EOF_WHILE_READING": "hung up in the middle of it. Check that this port is its port for TLS",
}
"""What the broker does, by OpenSSL's name for it."""


class Untrusted(WireError):
    """There is no TLS with this broker. Nothing was sent to it in clear."""


@dataclass(frozen=True, slots=True)
class Tls:
    """How a broker proves who it is, and how we prove it to the broker."""

    ca: Path | None = None
    """The authorities that may speak for the broker. Without it, those that this machine trusts."""
    certificate: Path | None = None
    """Our own, with what stands between it and its authority."""
    key: Path | None = None

    @classmethod
    def parse(cls, fields: Fields, folder: Path) -> Self:
        """As a file in this folder says it: paths are seen from there."""
        named = [fields.optional_text(name, A_PATH) for name in ("ca", "certificate", "key")]
        ca, certificate, key = (None if each is None else folder / each for each in named)
        if (certificate is None) != (key is None):
            raise BadMessage("A client certificate needs its key: name both in 'tls', or neither.")
        return cls(ca, certificate, key)

    def to_json(self) -> dict[str, str]:
        """What `parse` reads."""
        named = {"ca": self.ca, "certificate": self.certificate, "key": self.key}
        return {name: str(path) for name, path in named.items() if path is not None}

    def context(self) -> ssl.SSLContext:
        """All of it, read from the disk now: a certificate that was renewed counts from the next connection on."""
        if self.ca is not None:
            _judge(self.ca)
        try:
            context = ssl.create_default_context(cafile=self.ca)
        except OSError as error:
            raise Untrusted(f"{self.ca} holds no certificate in PEM: {_reason(error)}.") from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION
        if self.certificate is not None and self.key is not None:
            _prove(context, self.certificate, self.key)
        elif self.certificate is not None or self.key is not None:
            raise Untrusted("A client certificate needs its key, and a key its certificate. Name both, or neither.")
        return context

    async def open(self, host: str, where: str) -> "Session":
        """The beginning of a session with this host. The files are read in a thread: a disk may hang."""
        context = await asyncio.to_thread(self.context)
        try:
            return Session(context, host, where)
        except (ValueError, TypeError) as error:  # a null byte is a TypeError to OpenSSL
            raise Untrusted(f"No certificate can be for {host!r}: {error}.") from error


class Session:
    """One TLS session. What goes to the network is in `outgoing`; once it failed, `failure` says why."""

    def __init__(self, context: ssl.SSLContext, host: str, where: str) -> None:
        self._where = where
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self.ended = False
        self.failure: Untrusted | None = None

    def outgoing(self) -> bytes:
        """What is to be sent now."""
        return self._outgoing.read()

    def shake_hands(self, received: bytes | None) -> bool:
        """One step of the handshake, with what the broker answered to the last one. Whether it is done."""
        if received is not None:
            self._feed(received)
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as error:
            raise self._explained(error) from error
        return True

    def decrypt(self, received: bytes) -> bytes:
        """What the broker said. Nothing yet, where a piece is missing."""
        self._feed(received)
        parts: list[bytes] = []
        try:
            while part := self._tls.read(PIECE):
                parts.append(part)
            self.ended = True
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError as error:
            self.ended = True
            if received:  # else it just hung up
                self.failure = self._explained(error)
        return b"".join(parts)

    def encrypt(self, data: bytes) -> None:
        """Puts it into `outgoing`. A session that failed raises `ssl.SSLError`."""
        left = memoryview(data)
        while left:
            left = left[self._tls.write(left) :]

    def say_goodbye(self) -> None:
        """Tells the broker that no more comes."""
        with contextlib.suppress(ssl.SSLError):  # its own goodbye is not waited for
            self._tls.unwrap()

    def _feed(self, received: bytes) -> None:
        if received:
            self._incoming.write(received)
        else:
            self._incoming.write_eof()

    def _explained(self, error: ssl.SSLError) -> Untrusted:
        head = f"The broker at {self._where}"
        if isinstance(error, ssl.SSLCertVerificationError):
            return Untrusted(f"{head} {_doubt(error)}.")
        what = REFUSALS.get(_reason(error), f"and we find no way to speak TLS: {_reason(error)}. Check both sides")
        return Untrusted(f"{head} {what}.")


def _doubt(error: ssl.SSLCertVerificationError) -> str:
    code = error.verify_code
    if code == EXPIRED:
        return "has a certificate that has expired. Renew it there, and check the clock of this machine"
    if code == NOT_YET_VALID:
        return "has a certificate that is not valid yet. Check the clock of this machine"
    if code in OF_NOBODY_KNOWN:
        return "has a certificate from nobody we know. Name the file of its certificate authority (ca)"
    if code in FOR_ANOTHER_NAME:
        return f"has a certificate for another name. Use a name that stands in it: {error.verify_message}"
    return f"has a certificate that is not good: {error.verify_message}. Have another one made for it"


def _prove(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    def locked() -> NoReturn:  # OpenSSL would ask on the terminal and wait
        raise Untrusted(f"{key} is locked with a passphrase. Take it off: `openssl pkey`, into a file of mode 0600.")

    _judge(certificate)
    _judge(key, private=True)
    try:
        context.load_cert_chain(certificate, key, locked)
    except OSError as error:
        if _reason(error) == "KEY_VALUES_MISMATCH":
            raise Untrusted(f"{key} is not the key of {certificate}. Name the two that were made together.") from error
        raise Untrusted(
            f"{certificate} and {key} cannot be used ({_reason(error)}). Both must be in PEM, the certificate first."
        ) from error


def _judge(path: Path, *, private: bool = False) -> None:
    try:
        found = path.stat()
        if stat.S_ISREG(found.st_mode):  # to open a pipe would wait for its other end
            path.open("rb").close()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise Untrusted(f"{path} cannot be read: {why}.") from error
    if not stat.S_ISREG(found.st_mode):
        raise Untrusted(f"{path} is not a file.")
    if found.st_size > LARGEST_FILE:
        raise Untrusted(f"{path} is larger than {LARGEST_FILE // 1024 // 1024} MiB.")
    if private and found.st_mode & 0o077:
        raise Untrusted(f"{path} can be read by others. Run `chmod 600 {path}`.")


def _reason(error: OSError) -> str:
    return (error.reason if isinstance(error, ssl.SSLError) else None) or error.strerror or type(error).__name__
