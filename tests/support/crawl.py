"""Everything a server sent to somebody, and two questions about it: what in it is secret, and what in it tells that a member of
one channel is a member of another one too."""

import base64
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

SHORTEST = 6
"""Shorter values (types, offsets, revisions) are everywhere and tell nothing."""


@dataclass(frozen=True)
class Record:
    """One thing that came: from where, what it says as it is, and, of a picture, whose it is."""

    source: str
    content: bytes
    of: str = ""


@dataclass
class Pile:
    """All of it."""

    records: list[Record] = field(default_factory=list)

    def add(self, source: str, content: str | bytes, of: str = "") -> None:
        """One more thing that came."""
        self.records.append(Record(source, content.encode() if isinstance(content, str) else content, of))

    def leaks(self, secrets: dict[str, str]) -> list[tuple[str, str]]:
        """Where which secret stands (by its name), in the clear, escaped, in hex or in base64."""
        found = []
        for record in self.records:
            for name, secret in secrets.items():
                if any(form in record.content for form in _forms(secret)):
                    found.append((record.source, name))
        return found

    def links(self, one: str, two: str) -> set[str]:
        """What is said of both members and of nobody else: by that, whoever sees both knows that they are one person."""
        about = {member: set(self._about(member)) for member in (one, two)}
        others = set(self._about_others(one, two))
        return {value for value in about[one] & about[two] if value not in others}

    def _about(self, member: str) -> Iterator[str]:
        for record in self.records:
            if record.of == member:
                yield from _traits(record)
            for thing in _objects(record):
                if member in _leaves(thing, deep=False):
                    yield from (value for value in _leaves(thing, deep=True) if len(value) >= SHORTEST)

    def _about_others(self, *members: str) -> Iterator[str]:
        for record in self.records:
            if record.of and record.of not in members:
                yield from _traits(record)
            for thing in _objects(record):
                if not any(member in _leaves(thing, deep=True) for member in members):
                    yield from _leaves(thing, deep=True)


def _forms(secret: str) -> set[bytes]:
    plain = secret.encode()
    whole = {base64.b64encode(bytes(start) + plain)[4:-4] for start in range(3)} if len(plain) > 8 else set()
    return {plain, json.dumps(secret)[1:-1].encode(), plain.hex().encode(), *whole}


def _traits(record: Record) -> Iterator[str]:
    """What a picture's answer is recognised by: its bytes, and each header."""
    head, _, body = record.content.partition(b"\r\n\r\n")
    yield hashlib.sha256(body).hexdigest()
    yield from (line.decode("latin-1") for line in head.split(b"\r\n"))


def _objects(record: Record) -> Iterator[Any]:
    """Every object and list in what came, from the outermost to the innermost."""
    if record.of:
        return
    head, headed, body = record.content.partition(b"\r\n\r\n")
    for line in (body if headed else head).split(b"\n"):
        try:
            yield from _within(json.loads(line))
        except ValueError:
            continue


def _within(thing: Any) -> Iterator[Any]:
    if isinstance(thing, dict | list):
        if isinstance(thing, dict):
            yield thing
        for part in thing.values() if isinstance(thing, dict) else thing:
            yield from _within(part)


def _leaves(thing: Any, deep: bool) -> set[str]:
    """The values of an object as text; its own, with those of its lists, or with those of everything in it."""
    if isinstance(thing, dict):
        parts = [part for part in thing.values() if deep or not isinstance(part, dict)]
        return set().union(*(_leaves(part, deep) for part in parts)) if parts else set()
    if isinstance(thing, list):
        return set().union(*(_leaves(part, deep) for part in thing if deep or not isinstance(part, dict | list)), set())
    return set() if thing is None or isinstance(thing, bool) else {str(thing)}
