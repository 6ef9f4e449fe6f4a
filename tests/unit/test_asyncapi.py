"""docs/asyncapi.yaml is valid AsyncAPI 3, and says of each message what the code does."""

import base64
import json
import subprocess
from pathlib import Path
from typing import Any, cast

import jsonschema
import pytest
import yaml
from jsonschema.protocols import Validator

from tests.vectors.signed import PARSERS, kind_of, messages, plain, sealed
from tests.vectors.tried import Read, reads
from wire.errors import BadMessage

ROOT = Path(__file__).parents[2]
SPECIFICATION = "@asyncapi/specs@6.11.1"
DOCUMENT: dict[str, Any] = yaml.safe_load((ROOT / "docs" / "asyncapi.yaml").read_text(encoding="utf-8"))
BEYOND_FORM = {
    "stop: incident with a line feed",  # `$` of a pattern is the end of the text in JSON Schema, but not in Python's re
    "it is from another key",  # a schema does not compare a field with what the receiver has
}


def part(pointer: str) -> Any:
    """What a reference inside the document means."""
    found: Any = DOCUMENT
    for name in pointer.removeprefix("#/").split("/"):
        found = found[name]
    return found


def validator(schema: dict[str, Any]) -> Validator:
    """Of a schema that may refer to others of the document."""
    return jsonschema.Draft7Validator(schema | {"components": DOCUMENT["components"]})


def signed_schema(kind: str) -> dict[str, Any]:
    """Of what is inside the envelope."""
    own = DOCUMENT["components"]["messages"][kind]["payload"]["allOf"][1]["properties"]
    assert own["payloadType"]["const"] == kind_of(kind)
    return own["payload"]["contentSchema"]


def takes(kind: str, envelope: bytes) -> bool:
    """Whether the document takes a message, its envelope and what is in it."""
    try:
        fields = json.loads(envelope)
        if not validator(DOCUMENT["components"]["messages"][kind]["payload"]).is_valid(fields):
            return False
        payload = json.loads(base64.b64decode(fields["payload"]), parse_constant=_refuse)
    except ValueError:
        return False
    return validator(signed_schema(kind)).is_valid(payload)


def is_read(kind: str, fields: dict[str, Any]) -> bool:
    """Whether the code takes it."""
    try:
        PARSERS[kind](json.dumps(fields).encode())
    except BadMessage:
        return False
    return True


def _refuse(constant: str) -> None:
    raise ValueError(constant)


def test_it_is_valid_by_the_official_schema() -> None:
    made = subprocess.run(  # noqa: S603 - our own script
        [ROOT / "scripts" / "npm", "asyncapi", SPECIFICATION], capture_output=True, text=True, check=False, timeout=120
    )
    if made.returncode:
        pytest.skip(f"the schema of AsyncAPI cannot be installed here: {made.stderr.strip()}")
    place = ROOT / ".venv" / "asyncapi" / "node_modules" / "@asyncapi" / "specs" / "schemas" / "3.0.0.json"
    official: Any = jsonschema.Draft7Validator(json.loads(place.read_text(encoding="utf-8")))
    assert [f"{list(each.path)}: {each.message[:200]}" for each in official.iter_errors(DOCUMENT)] == []
    broken = DOCUMENT | {"operations": {"ask": {"action": "shout", "channel": {"$ref": "#/channels/state"}}}}
    assert not official.is_valid(broken)


def test_every_reference_in_it_leads_somewhere() -> None:
    def references(value: object) -> list[str]:
        if isinstance(value, dict):
            inner = cast("dict[str, object]", value)
            own = [str(inner["$ref"])] if "$ref" in inner else []
            return own + [each for one in inner.values() for each in references(one)]
        return (
            [each for one in cast("list[object]", value) for each in references(one)] if isinstance(value, list) else []
        )

    found = references(DOCUMENT)
    assert len(found) > 100
    assert all(part(each) for each in found)


def test_every_schema_in_it_is_one() -> None:
    for schema in DOCUMENT["components"]["schemas"].values():
        jsonschema.Draft7Validator.check_schema(schema)


@pytest.mark.parametrize(("kind", "payload", "by"), messages().values(), ids=messages())
def test_it_takes_each_signed_message(kind: str, payload: bytes, by: tuple[str, ...]) -> None:
    assert takes(kind, sealed(kind, payload, *by))
    for left_out in json.loads(payload):
        without = {name: value for name, value in json.loads(payload).items() if name != left_out}
        assert takes(kind, sealed(kind, without, *by)) == is_read(kind, without), left_out


@pytest.mark.parametrize("by", ["", "walk-on", "w" * 63, "w" * 64, "Walk", "-walk", "walk on", 1, None, [], True])
def test_it_says_of_how_a_job_goes_on_what_the_code_says(by: object) -> None:
    birth = json.loads(messages()["birth"][1])
    birth["commands"]["walk"]["goes_on_by"] = by
    assert takes("birth", sealed("birth", birth, "component")) == is_read("birth", birth)


@pytest.mark.parametrize(("kind", "payload"), plain().values(), ids=plain())
def test_it_takes_each_plain_message(kind: str, payload: bytes) -> None:
    assert validator(DOCUMENT["components"]["messages"][kind]["payload"]).is_valid(json.loads(payload))


def test_every_field_that_the_code_writes_is_described() -> None:
    for kind, payload, _ in messages().values():
        described = part(signed_schema(kind)["$ref"])["properties"]
        assert json.loads(payload).keys() <= described.keys()


@pytest.mark.parametrize("read", [each for each in reads() if not each.refused], ids=lambda each: each.name)
def test_it_takes_what_the_code_takes(read: Read) -> None:
    assert takes(read.kind, read.envelope)


def test_it_refuses_what_the_code_refuses_for_its_form() -> None:
    refused = [each for each in reads() if each.refused == "message"]
    assert len(refused) > 30
    assert {each.name for each in refused if takes(each.kind, each.envelope)} == BEYOND_FORM


def test_it_names_every_channel_with_the_retention_that_the_contract_has() -> None:
    retained = {
        operation["channel"]["$ref"].rpartition("/")[2]
        for operation in DOCUMENT["operations"].values()
        if operation["bindings"]["mqtt"]["retain"]
    }
    assert retained == {"birth", "stopAll", "stopGroup", "stopId", "job", "picture", "alertActive"}
    assert {channel["address"].split("/")[2] for channel in DOCUMENT["channels"].values()} == {
        *(kind for kind, _, _ in messages().values() if kind != "drill"),
        *(kind for kind, _ in plain().values()),
        "alert-active",
        "picture",
    }
