"""Parameters for any operation, made from its JSON schema alone, so that a new operation needs no test of its own for it."""

import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

_serial = itertools.count(1)


@dataclass(frozen=True, slots=True)
class IdField:
    """A parameter that names something: what kind of thing (`x-id`), and whether it takes a list of them."""

    name: str
    names: str
    many: bool
    required: bool

    def holding(self, id: str) -> Any:
        """The value that names this one thing."""
        return [id] if self.many else id


def id_fields(params: type[BaseModel]) -> list[IdField]:
    """The parameters that name something."""
    schema = params.model_json_schema()
    found = []
    for name, field in schema.get("properties", {}).items():
        required = name in schema.get("required", ())
        for choice in _choices(field):
            if "x-id" in choice:
                found.append(IdField(name, choice["x-id"], False, required))
            elif "x-id" in choice.get("items", {}):
                found.append(IdField(name, choice["items"]["x-id"], True, required))
    return found


def sample(params: type[BaseModel], ids: Mapping[str, str]) -> dict[str, Any]:
    """Valid parameters: the model's own example, every id, and of the others what is required.

    `ids` says what to name, by `x-id`.
    """
    schema = params.model_json_schema()
    made = {field.name: field.holding(ids[field.names]) for field in id_fields(params)}
    made |= next(iter(schema.get("examples", ())), {})
    for name in schema.get("required", ()):
        if name not in made:
            made[name] = _value(name, schema["properties"][name])
    return made


def _choices(field: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield field
    yield from field.get("anyOf", ())


def _value(name: str, field: Mapping[str, Any]) -> Any:
    """A value that the schema allows; text is new each time, so that what must be unique is."""
    if "examples" in field or "enum" in field:
        return (field.get("examples") or field["enum"])[0]
    match field.get("type"):
        case "integer":
            return field.get("minimum", 1)
        case "boolean":
            return False
        case "array":
            return []
        case "string":
            return _text(name, field)
    raise NotImplementedError(f"say in the schema of {name!r} what it takes, by an example")


def _text(name: str, field: Mapping[str, Any]) -> str:
    serial = next(_serial)
    text = f"sample{serial}@clinic.invalid" if field.get("format") == "email" else f"Sample {serial}"
    if re.search(field.get("pattern", ""), text) is None:
        raise NotImplementedError(f"the schema of {name!r} has a pattern: give it an example")
    return text
