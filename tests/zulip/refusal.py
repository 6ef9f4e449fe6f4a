"""An answer that is an error, with the words and codes of a real server."""

from typing import Any

GATEWAY = b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n</body>\r\n</html>\r\n"


class Refusal(Exception):
    """`extra` are the further keys of the body, in the order in which a real server writes them."""

    def __init__(self, msg: str, code: str = "BAD_REQUEST", status: int = 400, **extra: Any) -> None:
        super().__init__(msg)
        self.status = status
        self.body: dict[str, Any] = {"result": "error", "msg": msg, **extra, "code": code}


class Page(Exception):
    """An answer that is no JSON: text, a file or a redirection."""

    def __init__(
        self, status: int, body: bytes = b"", content_type: str = "text/html; charset=utf-8", **headers: str
    ) -> None:
        super().__init__(status)
        self.status = status
        self.body = body
        self.headers = {"Content-Type": content_type} | {
            name.replace("_", "-").title(): value for name, value in headers.items()
        }


def missing(name: str) -> Refusal:
    return Refusal(f"Missing '{name}' argument", "REQUEST_VARIABLE_MISSING", var_name=name)


def no_such_message() -> Refusal:
    return Refusal("Invalid message(s)")


def no_such_channel() -> Refusal:
    return Refusal("Invalid channel ID")


def unauthorized(msg: str) -> Refusal:
    return Refusal(msg, "UNAUTHORIZED", 401)


def bad_gateway() -> Page:
    """What the proxy in front says when nobody is behind it."""
    return Page(502, GATEWAY, "text/html")
