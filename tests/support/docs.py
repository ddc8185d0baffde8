"""What the documents hold that can be run: fenced blocks that name a language, and after it a file's name."""

import re
from pathlib import Path

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
