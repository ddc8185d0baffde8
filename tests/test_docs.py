"""What the documents say is there, is there: operations by their names, files by their links, commands by theirs."""

import re
from pathlib import Path

import pytest

from server.cli import parser
from server.operations import BY_NAME
from server.people.permissions import DENIALS
from tests.support.docs import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.md")])
FAMILIES = {name.partition(".")[0] for name in BY_NAME if "." in name}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_names_is_there(page: Path) -> None:
    text = page.read_text()
    operations = {name for name in re.findall(r"`([a-z_]+\.[a-z_]+)`", text) if name.partition(".")[0] in FAMILIES}
    operations = {name for name in operations if not name.endswith(".py")}
    assert operations <= set(BY_NAME) | set(DENIALS), "operations that there are not"
    for link in re.findall(r"\]\((?!https?:)([^)#]+)", text):
        assert (page.parent / link).exists(), f"{link} leads nowhere"
    for command in re.findall(r"`warmline ([a-z][a-z -]*)", text):
        assert known(command.split()), f"warmline {command} is no command"


def known(words: list[str]) -> bool:
    """Whether the words begin with a command, or are a family of them."""
    at = parser()
    for word in words:
        below = next(
            (action.choices for action in at._actions if action.choices and action.dest == "==SUPPRESS=="), None
        )
        if not below:
            return True
        if word not in below:
            return False
        at = below[word]
    return True
