"""The server's OpenAPI document, as far as it says how answers look: data that lies beside the project."""

import json
import re
from typing import Any

import yaml
from jsonschema import Draft202012Validator

from tests.zulip.recording import FOLDER
from tests.zulip.things import Json, is_list, is_object

_SUCCESS = 200
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_NOT_SAID = {"example", "description"}


class Schemas:
    """An event is held against the schema of its own type and operation, and not against all eighty."""

    def __init__(self) -> None:
        text = (FOLDER / "zulip.yaml").read_text("utf-8")
        self._document: Json = yaml.load(text, Loader=_LOADER)  # noqa: S506 - both loaders are safe ones
        self._paths: dict[re.Pattern[str], Json] = {
            re.compile(re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(path))): methods
            for path, methods in self._document["paths"].items()
        }
        self._validators: dict[tuple[str, str, int], Draft202012Validator | None] = {}
        self._of_events: dict[str, Draft202012Validator] = {}

    def faults(self, method: str, path: str, status: int, body: Json) -> list[str]:
        """None where the document does not speak of this answer."""
        if path == "/events" and status == _SUCCESS and method == "GET":
            return [fault for event in body.get("events", []) for fault in self.faults_of_event(event)]
        validator = self._validator(method.lower(), path, status)
        return [] if validator is None else _faults(validator, body)

    def _validator(self, method: str, path: str, status: int) -> Draft202012Validator | None:
        key = (method, path, status)
        if key not in self._validators:
            nothing: Json = {}
            found = next((each for known, each in self._paths.items() if known.fullmatch(path)), nothing)
            answer: Json = found.get(method, {}).get("responses", {}).get(str(status), {})
            schema = self._plain(answer).get("content", {}).get("application/json", {}).get("schema")
            self._validators[key] = None if schema is None else Draft202012Validator(self._plain(schema))
        return self._validators[key]

    def faults_of_event(self, event: Json) -> list[str]:
        kind = f"{event['type']}/{event.get('op', '')}"
        if kind not in self._of_events:
            self._of_events[kind] = Draft202012Validator(self._event_schema(event))
        return [f"event {kind}{fault}" for fault in _faults(self._of_events[kind], event)]

    def _event_schema(self, event: Json) -> Json:
        answer = self._document["paths"]["/events"]["get"]["responses"]["200"]
        schema: Any = self._plain(answer["content"]["application/json"]["schema"])
        fitting = [each for each in _events(schema) if _is_of(each, event)]
        return {"anyOf": fitting} if fitting else {}

    def _plain(self, schema: Any) -> Any:
        """Without references, in the words of JSON Schema. Errors fit several of `oneOf`, which differ in examples."""
        if is_list(schema):
            return [self._plain(each) for each in schema]
        if not is_object(schema):
            return schema
        if "$ref" in schema:
            found: Any = self._document
            for part in schema["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            return self._plain(found)
        known: Json = {
            key: self._of_each(value) if key == "properties" else self._plain(value)
            for key, value in schema.items()
            if key not in _NOT_SAID
        }
        if "oneOf" in known:
            known["anyOf"] = known.pop("oneOf")
        if "allOf" in known:
            known = _merged(known)
        if known.pop("nullable", False) and "type" in known:
            known["type"] = [known["type"], "null"]
        return known

    def _of_each(self, properties: Json) -> Json:
        """A property may be called like a word of the schema's own."""
        return {name: self._plain(schema) for name, schema in properties.items()}


def _merged(schema: Json) -> Json:
    """One object of all parts: in the document a part forbids what the others add."""
    merged: Json = {key: value for key, value in schema.items() if key != "allOf"}
    properties: Json = dict(merged.get("properties", {}))
    for part in schema["allOf"]:
        for key, value in part.items():
            if key == "properties":
                properties = {name: value[name] or properties.get(name, {}) for name in value} | {
                    name: known for name, known in properties.items() if name not in value or known
                }
            elif key == "additionalProperties":
                merged[key] = value
            elif key == "required":
                merged[key] = sorted({*merged.get(key, []), *value})
            else:
                merged.setdefault(key, value)
    return merged | ({"properties": properties} if properties else {})


def _events(schema: Any) -> list[Json]:
    items: Json = schema["properties"]["events"]["items"]
    return items["anyOf"]


def _is_of(schema: Json, event: Json) -> bool:
    """Whether this is the schema of the event's type and operation."""
    known: Json = schema.get("properties", {})
    return all(_allows(known.get(name, {}), event.get(name)) for name in ("type", "op"))


def _allows(schema: Json, value: object) -> bool:
    return value in schema["enum"] if "enum" in schema else value is None


def _faults(validator: Draft202012Validator, body: Any) -> list[str]:
    checked: Any = validator
    return [
        f" against the document: {each.json_path}: {str(each.message)[:300]}"
        for each in checked.iter_errors(json.loads(json.dumps(body)))
    ]
