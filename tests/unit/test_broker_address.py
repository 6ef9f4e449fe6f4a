"""A broker's address in logs, in errors, and in the files that components and stop keys come with."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from wire.broker import Broker
from wire.fields import Fields
from wire.tls import Tls

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
PATH = TEXT.filter(lambda text: text and "\0" not in text).map(lambda text: Path("/", text))
TRUST = st.builds(Tls, st.none() | PATH) | st.builds(Tls, st.none() | PATH, PATH, PATH)
BROKERS = st.builds(Broker, TEXT, st.integers(1, 65535), st.none() | TEXT, st.none() | TEXT, st.none() | TRUST)


def test_a_password_is_never_shown() -> None:
    broker = Broker("mqtt.example.org", 1883, "me", "secret")
    assert "secret" not in f"{broker} {broker!r}"


@given(broker=BROKERS)
def test_what_is_written_is_read(broker: Broker) -> None:
    assert Broker.parse(Fields.of(broker.to_json(), "broker"), Path("anywhere")) == broker
