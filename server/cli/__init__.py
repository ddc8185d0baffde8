"""The command line, `warmline`: what each command does, what it reads, and nothing imported before it is needed.

A command is added in one place: a module here with `add(commands)`, named in FAMILIES. What it needs is imported inside
the function that runs, on purpose: `--help` must answer at once, and the database library alone takes a second.
"""

import argparse
import sys
from collections.abc import Sequence

from server.cli import audit, demo, doctor, keys, mail, notices, organizations, people, running, schema, staffing
from server.cli.commands import Commands
from server.errors import Misconfigured, WarmlineError

FAMILIES = (running, schema, organizations, keys, people, staffing, notices, mail, doctor, audit, demo)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the exit status: wrong settings end it with 2, what cannot be done with 1, saying why."""
    chosen = parser().parse_args(arguments)
    try:
        return int(chosen.run(chosen) or 0)
    except Misconfigured as wrong:
        print(wrong, file=sys.stderr)
        return 2
    except WarmlineError as refused:
        print(refused, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def parser() -> argparse.ArgumentParser:
    """All commands with their help."""
    top = argparse.ArgumentParser(
        prog="warmline",
        description="Warmline, a real-time messaging server for clinics.",
        epilog="Every command says more with --help: what it reads, and what its exit status means.",
    )
    commands = Commands(top)
    for family in FAMILIES:
        family.add(commands)
    return top
