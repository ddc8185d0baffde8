"""`warmline dev`, `serve`, `work`: the processes."""

import argparse

from server.cli import within
from server.cli.commands import Commands

_UNTIL_STOPPED = "0 when it was told to stop, 1 when it could not be kept up, 2 when a setting is wrong."


def add(commands: Commands) -> None:
    """Add them."""
    commands.add(
        "dev",
        dev,
        "run everything on this machine, with a demo clinic: database, Redis, one gateway, one worker",
        "PORT (8000), WARMLINE_DATA (the folder of the demo data: .data in the checkout), "
        "and, to use servers of your own, DATABASE_URL and REDIS_URL.",
        changes=False,
        ends=_UNTIL_STOPPED,
    )
    what = "run one gateway: HTTP and WebSocket on one port"
    commands.add("serve", serve, what, f"{within.SETTINGS}, and HOST and PORT.", changes=False, ends=_UNTIL_STOPPED)
    commands.add("work", work, "run one worker", f"{within.SETTINGS}.", changes=False, ends=_UNTIL_STOPPED)


def dev(_: argparse.Namespace) -> int:
    """Run `warmline dev`."""
    from server.dev.supervisor import run

    return run()


def serve(_: argparse.Namespace) -> None:
    """Run one gateway process."""
    from server import config
    from server.app.serve import serve as run

    run(config.load())


def work(_: argparse.Namespace) -> None:
    """Run one worker process. By name: the server knows no workers."""
    import runpy

    runpy.run_module("workers", run_name="__main__", alter_sys=True)
