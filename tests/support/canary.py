"""Canaries: words that are found wherever they come out again, in whatever form; and parameters full of them."""

import base64
import itertools
import json
import quopri
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from pydantic import BaseModel

from tests.support.samples import sample

_serial = itertools.count(1)
_FOLDS = re.compile(r"=?\r?\n[ \t]?|=?(?:\\r)?\\n")
"""Where emails and dumps break a line in the middle of a word: quoted-printable, base64, folded headers; also shown escaped."""
_ESCAPES = re.compile(r"\\+")
"""What was shown escaped is escaped once more in JSON."""

EVIL = 'a\nb\r\x1b[31mred\x1b[0m\x07\x85\u2028\u202e"}\n{"level": "critical", "event": "forged"} %s %(x)s {0}'
"""What a log, a terminal or a reader of lines could be fooled with."""


class Canary:
    """One word, and how to find it. Letters and digits only, so that no rule about names or addresses refuses it."""

    def __init__(self, word: str) -> None:
        assert re.fullmatch("[a-z0-9]{12,}", word)
        self.word = word
        self._forms = {name: form.lower() for name, form in _forms(word)}

    def __str__(self) -> str:
        return self.word

    def found(self, text: str | bytes) -> list[str]:
        """The forms in which it stands there."""
        data = (text if isinstance(text, str) else text.decode("latin-1")).lower()
        once = _ESCAPES.sub(r"\\", data)
        ways = {data, once, _FOLDS.sub("", once)}
        return [name for name, form in self._forms.items() if any(form in way for way in ways)]

    def params(self, params: type[BaseModel], ids: Mapping[str, str]) -> dict[str, Any]:
        """Right parameters, with the canary in whatever takes text, required or not."""
        made = sample(params, ids)
        for name, field in params.model_json_schema().get("properties", {}).items():
            text = self._text(field)
            if text is not None:
                made[name] = text
        return made

    def wrong(self, params: type[BaseModel], ids: Mapping[str, str]) -> Iterator[Any]:
        """Wrong parameters of every sort, each with the canary in it."""
        good, word = self.params(params, ids), self.word
        for name in params.model_json_schema().get("properties", {}):
            for value in (word, {word: word}, [word] * 3, word * 5_000, f"\ud800{word}", EVIL + word):
                yield good | {name: value}
        yield good | {word: word}
        yield [word]
        yield word

    def _text(self, field: Mapping[str, Any]) -> str | None:
        """A text with the canary, for a field that takes any text; None for one that takes ids, dates, or one word of a list."""
        text = next((one for one in (field, *field.get("anyOf", ())) if one.get("type") == "string"), None)
        if text is None or any(word in text for word in ("x-id", "enum", "const")):
            return None
        serial = next(_serial)
        if text.get("format") == "email":
            return f"{self}{serial}@clinic.invalid"
        made = f"{self}-{serial}" if "pattern" in text else f"Words {self} {serial}"
        fits = re.search(text.get("pattern", ""), made) and len(made) <= text.get("maxLength", 1_000)
        return made if fits and text.get("format") is None else None


def _forms(word: str) -> Iterator[tuple[str, str]]:
    yield "as it is", word
    for between in ("\0", "\\0", "\\x00", "\\u0000", "\\000"):
        yield f"UTF-16, shown with {between!r}", between.join(word)
    yield "backwards", word[::-1]
    for name, data in (("UTF-8", word.encode()), ("UTF-16", word.encode("utf-16-le")[:-1])):
        yield f"hex of {name}", data.hex()
        yield f"percent-encoded {name}", "".join(f"%{byte:02x}" for byte in data)
        yield f"quoted-printable {name}", "".join(f"={byte:02x}" for byte in data)
        yield f"escaped {name}", "".join(f"\\x{byte:02x}" for byte in data)
        for start in range(3):
            inner = base64.b64encode(b"\0" * start + data).decode()
            yield f"base64 of {name} at {start}", inner[4 if start else 0 :].rstrip("=")[:-1]
    yield "escaped as in JSON", "".join(f"\\u{ord(letter):04x}" for letter in word)
    yield "as letters of a list", ", ".join(str(ord(letter)) for letter in word)


PLANTED = {
    "in a sentence": lambda word: f"so {word} said",
    "shouted": lambda word: word.upper(),
    "repr": lambda word: repr({"text": f"{word}\n"}),
    "bytes": lambda word: repr(f"é{word}".encode()),
    "UTF-16": lambda word: f"xx{word}".encode("utf-16-le").decode("latin-1"),
    "UTF-16 shown": lambda word: repr(word.encode("utf-16-be")),
    "UTF-16 shown, in JSON": lambda word: json.dumps({"a": repr(word.encode("utf-16-le"))}),
    "base64": lambda word: base64.b64encode(f"so {word} said".encode()).decode(),
    "base64 a letter later": lambda word: base64.b64encode(f"thus {word} said".encode()).decode(),
    "base64 two letters later": lambda word: base64.urlsafe_b64encode(f"then {word}, said".encode()).decode(),
    "base64, folded": lambda word: base64.encodebytes(f"{'so ' * 17}{word} said".encode()).decode(),
    "quoted-printable, folded": lambda word: quopri.encodestring(
        f"{'so ' * 22}{word} sagte er schön".encode()
    ).decode(),
    "base64 of UTF-16, the other way round": lambda word: base64.b64encode(f"so {word}".encode("utf-16-be")).decode(),
    "base64 of UTF-16": lambda word: base64.b64encode(f"so {word} said".encode("utf-16-le")).decode(),
    "percent": lambda word: "".join(f"%{byte:02X}" for byte in word.encode()),
    "url": lambda word: quote(f"/ü/{word}?"),
    "quoted-printable": lambda word: "".join(f"={byte:02X}" for byte in word.encode()),
    "hex": lambda word: f"\\x{word.encode().hex()}",
    "JSON": lambda word: json.dumps({"a": f"ü{word}"}),
    "a list of numbers": lambda word: str(list(word.encode())),
}
"""Ways in which a word could come out; each must be found."""
