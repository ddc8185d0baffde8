"""Node with the JavaScript SDK, where the machine has a Node: for tests, never part of the product."""

import fcntl
import shutil
import subprocess
from pathlib import Path

from tests.support.docs import ROOT

MISSING = "there is no Node with npm on PATH"
_SDK = ROOT / "tests" / "sdk"


def command() -> list[str] | None:
    """How to run Node so that programs find a WebSocket; None where there is none."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    old = int(version.removeprefix("v").partition(".")[0]) < 22
    return [node, *(["--experimental-websocket"] if old else [])]


def modules(folder: Path) -> Path:
    """A folder with the locked `node_modules` in it, filled by npm the first time. `folder` may be shared by processes."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").exists():
            for name in ("package.json", "package-lock.json"):
                shutil.copy(_SDK / name, folder / name)
            quiet = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
            subprocess.run(["npm", "ci", *quiet], cwd=folder, check=True, timeout=110)
            (folder / "complete").touch()
    return folder
