"""centrifuge-python 0.5.0, in a folder of its own: an SDK as old as one meets in the field, beside the newest one."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.support.docs import ROOT

_LOCK = ROOT / "tests" / "sdk" / "centrifuge-python-0.5.0.lock"
_OPTIONS = ["--require-hashes", "--only-binary", ":all:", "--quiet"]


def packages(folder: Path) -> Path:
    """A folder for PYTHONPATH, filled from the lock the first time. `folder` may be shared by processes."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            _install(folder / "packages")
            (folder / "complete").touch()
    return folder / "packages"


def _install(target: Path) -> None:
    said = ""
    for installer in _installers():
        done = subprocess.run(
            [*installer, *_OPTIONS, "--target", str(target), "-r", str(_LOCK)],
            capture_output=True,
            text=True,
            check=False,
            timeout=110,
        )
        if done.returncode == 0:
            return
        said = done.stderr
    raise RuntimeError(f"centrifuge-python 0.5.0 could not be installed: {said[-1000:]}")


def _installers() -> Iterator[list[str]]:
    if shutil.which("uv"):
        yield ["uv", "pip", "install", "--python", sys.executable]
    for python in dict.fromkeys((os.path.realpath(sys.executable), sys.executable)):
        yield [python, "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
