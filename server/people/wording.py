"""Names and addresses as parameters: trimmed, bounded, and free of characters that deceive or break."""

import json
import re
import unicodedata
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, Field

from server.errors import Invalid
from server.people import naming

_FORBIDDEN = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
_EMAIL = re.compile(r"[^@\s]{1,64}@[^@\s]+\.?[^@\s]*")


def _name(value: str) -> str:
    value = unicodedata.normalize("NFC", value.strip())
    if not value:
        raise ValueError("must not be empty")
    if any(unicodedata.category(character) in _FORBIDDEN for character in value):
        raise ValueError("must not hold control, bidirectional or zero-width characters")
    return value


def _email(value: str) -> str:
    value = _name(value)
    if not _EMAIL.fullmatch(value):
        raise ValueError("must be an email address, such as name@example.org")
    return value


Name = Annotated[str, Field(max_length=200), AfterValidator(_name)]
"""A name of a person or a thing: 1 to 200 characters."""

Email = Annotated[str, Field(max_length=254, json_schema_extra={"format": "email"}), AfterValidator(_email)]
"""An email address; one person's within an organisation, whatever its case (domain.md §1)."""


def _prose(value: str) -> str:
    value = unicodedata.normalize("NFC", value.strip())
    if any(unicodedata.category(character) in _FORBIDDEN for character in value if character not in "\n\t"):
        raise ValueError("must not hold control, bidirectional or zero-width characters")
    return value


Prose = Annotated[str, Field(max_length=2000), AfterValidator(_prose)]
"""A text of a few lines, which may be empty."""


def _display_name(value: str) -> str:
    value = " ".join(unicodedata.normalize("NFC", value).split())
    if fault := naming.wrong(value):
        raise ValueError(fault)
    return value


DisplayName = Annotated[str, Field(max_length=200), AfterValidator(_display_name)]
"""A name that a patient chooses to be shown by: see naming.wrong. Whose it must not look like is asked elsewhere."""


_MOST_DATA = 10_000


def _data(value: dict[str, Any]) -> dict[str, Any]:
    try:
        written = json.dumps(value, ensure_ascii=False, allow_nan=False)
        size = len(written.encode())
    except (ValueError, RecursionError):
        raise ValueError("must hold no NaN, no infinity, no half characters, and not be nested so deep") from None
    if size > _MOST_DATA:
        raise ValueError(f"must be at most {_MOST_DATA} bytes as JSON")
    if "\\u0000" in written:
        raise ValueError("must hold no NUL character")
    return value


Data = Annotated[dict[str, Any], AfterValidator(_data)]
"""A JSON object of a caller's own making, kept as it is: at most 10,000 bytes."""


Slug = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,59}$")]
"""A word that names a type, such as session_note: lower-case letters, digits, _ and -."""


def _moment(value: datetime) -> datetime:
    if not 1900 <= value.year <= 2200:
        raise ValueError("must be between the years 1900 and 2200")
    return value


Moment = Annotated[AwareDatetime, AfterValidator(_moment)]
"""A date and time with its time zone, of a year that a calendar of ours may hold."""


def require_values(params: BaseModel, *but: str) -> None:
    """Refuse a null where a change takes a value or nothing: passing it over would look as if it had been done.

    Raises:
        Invalid: a field, other than those of `but`, is given as null.
    """
    for name in sorted(params.model_fields_set - {*but}):
        if getattr(params, name) is None:
            raise Invalid(f"{name}: null takes nothing away here. Give a value, or leave it out.")
