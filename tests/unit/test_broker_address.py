"""A broker's address in logs and errors."""

from wire.broker import Broker


def test_a_password_is_never_shown() -> None:
    broker = Broker("mqtt.example.org", 1883, "me", "secret")
    assert "secret" not in f"{broker} {broker!r}"
