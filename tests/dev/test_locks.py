"""The locks pin everything by hash and name no host; the Makefile's list of pure modules is that of the contracts."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCKS = [ROOT / name for name in ("requirements.lock", "requirements-dev.lock", "embedded.lock")]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_pin_has_hashes_and_no_host_is_named(lock: Path) -> None:
    text = lock.read_text()
    assert not re.search(r"://|find-links|index-url|@ file|^-", text, re.MULTILINE)
    pins = re.split(r"^(?=\S)", text, flags=re.MULTILINE)[1:]
    assert pins
    for pin in pins:
        assert re.match(r"[\w.-]+(\[[\w,]+\])?==[\w.]+", pin)
        assert "--hash=sha256:" in pin


def test_what_runs_is_what_is_tested() -> None:
    runtime, development = (pins(ROOT / name) for name in ("requirements.lock", "requirements-dev.lock"))
    assert runtime <= development


def test_the_pure_modules_are_listed_alike() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [pure] = (each["source_modules"] for each in contracts if each["name"].startswith("pure modules"))
    [listed] = re.findall(r"^PURE = (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert sorted(listed.split(",")) == sorted(module.replace(".", "/") + ".py" for module in pure)


def pins(lock: Path) -> set[str]:
    """The name==version lines of a lock."""
    return set(re.findall(r"^(\S+==\S+)", lock.read_text(), re.MULTILINE))
