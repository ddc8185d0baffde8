"""What the documents hold that can be run, and what in them is made: fenced blocks that name a language; the table of settings.

`python -m tests.support.docs` (`make docs`) writes the table anew.
"""

import re
from pathlib import Path

from server.config import Settings

ROOT = Path(__file__).resolve().parent.parent.parent
_FENCE = re.compile(r"^```(\w+)(?: (\S+))?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(document: str, language: str) -> list[tuple[str, str]]:
    """(file name or "", text) of each block of a language, in order; `document` from the root of the checkout."""
    found = _FENCE.findall((ROOT / document).read_text())
    return [(name, text) for spoken, name, text in found if spoken == language]


def program(document: str, language: str) -> tuple[str, str]:
    """The one program of a document: its file name and its text."""
    [found] = [(name, text) for name, text in blocks(document, language) if name]
    return found


OPERATIONS = "docs/operations.md"
_MADE = re.compile(r"(<!-- settings: .*? -->\n).*?(<!-- /settings -->)", re.DOTALL)


def settings_table() -> str:
    """Every setting as its class has it: name, default, what it takes."""
    rows = []
    for field in Settings.model_fields.values():
        default = "required" if field.is_required() else _shown(field.default)
        about = " ".join((field.description or "").split()).replace("|", "\\|")
        rows.append(f"| `{field.validation_alias}` | {default} | {about} |")
    return "\n".join(["| name | default | |", "|---|---|---|", *rows, ""])


def with_settings(text: str) -> str:
    """The page with its table made anew."""
    return _MADE.sub(lambda found: found[1] + settings_table() + found[2], text)


def _shown(default: object) -> str:
    return "" if default in (None, (), "") else f"`{str(default).lower() if isinstance(default, bool) else default}`"


if __name__ == "__main__":
    page = ROOT / OPERATIONS
    page.write_text(with_settings(page.read_text()))
