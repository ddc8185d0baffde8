"""The one way to add a command: its name, what it does and reads, and whether it changes anything.

    def add(commands: Commands) -> None:
        people = commands.family("people", "sign people out, archive them")
        made = people.add("sign-out", sign_out, "end a person's connections", within.BESIDE_DEV, changes=True)
        made.add_argument("person", help="the person's id")

    def sign_out(chosen: argparse.Namespace) -> int | None: ...     # chosen.person, chosen.dry_run

A command that changes anything always takes --dry-run: it then says exactly what it would do, and changes nothing.
"""

import argparse
from collections.abc import Callable

Run = Callable[[argparse.Namespace], int | None]

ENDS = "0 when it is done, 1 when it cannot be done (it says why), 2 when a setting or an argument is wrong."


class Commands:
    """Where commands are added: `warmline` itself, or a family of it such as `warmline schema`."""

    def __init__(self, parser: argparse.ArgumentParser) -> None:
        self._commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def family(self, name: str, does: str) -> "Commands":
        """Commands under a common name."""
        return Commands(self._commands.add_parser(name, help=does, description=_sentence(does)))

    def add(
        self, name: str, run: Run, does: str, reads: str, *, changes: bool, ends: str = ENDS
    ) -> argparse.ArgumentParser:
        """Add a command; what it returns takes the arguments.

        Args:
            run: does it; its result is the exit status (None: 0). Misconfigured becomes 2, any WarmlineError 1.
            does: half a sentence, for the list of commands and the start of its own help.
            reads: which settings and files it reads.
            changes: whether it changes anything, in the database or in files: then it takes --dry-run.
            ends: what its exit status means.
        """
        made = self._commands.add_parser(
            name, help=does, description=f"{_sentence(does)} Reads {reads}", epilog=f"Exit status: {ends}"
        )
        made.set_defaults(run=run)
        if changes:
            made.add_argument("--dry-run", action="store_true", help="say exactly what it would do, and change nothing")
        return made


def _sentence(does: str) -> str:
    return f"{does[0].upper()}{does[1:]}."
