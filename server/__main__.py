"""`python -m server` is `warmline serve`; with a command behind it, it is that command."""

import sys
from types import TracebackType

from server.cli import main


def _uncaught(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """A fault of a command, told without its words; imported here because `--help` must answer at once."""
    from server import logs

    logs.configure(readable=True, level="WARNING")
    logs.uncaught(kind, error, traceback)


sys.excepthook = _uncaught
sys.exit(main(sys.argv[1:] or ["serve"]))
