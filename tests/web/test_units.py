"""The modules without a page, under node's own test runner: the wire, a conversation, the outbox, text."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_modules_under_node(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on this machine: the unit tests of the pages' modules did not run")
    for folder in ("server/web/static", "tests/web/units"):
        shutil.copytree(ROOT / folder, tmp_path / folder)
    (tmp_path / "package.json").write_text(json.dumps({"type": "module"}))
    tests = sorted(str(path) for path in (tmp_path / "tests/web/units").glob("*.test.mjs"))
    command = [node, "--test", *tests]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=100, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
