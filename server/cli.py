"""The command line, `warmline`: what each command does, what it reads, and nothing imported before it is needed.

The imports inside the functions are on purpose: `--help` must answer at once, and the database library takes a second.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, TypeVar

from server.errors import Misconfigured, WarmlineError

Result = TypeVar("Result")

SETTINGS = "the settings in the environment (DATABASE_URL, REDIS_URL, WARMLINE_…: see server/config.py)"
BESIDE_DEV = "Beside a running `warmline dev`, and without DATABASE_URL, it takes that one's settings."


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
    top = argparse.ArgumentParser(prog="warmline", description="Warmline, a real-time messaging server for clinics.")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def command(
        name: str, run: Callable[[argparse.Namespace], int | None], does: str, reads: str
    ) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=does, description=f"{does[0].upper()}{does[1:]}. Reads {reads}")
        made.set_defaults(run=run)
        return made

    command(
        "dev",
        dev,
        "run everything on this machine, with a demo clinic: database, Redis, one gateway, one worker",
        "PORT (8000), WARMLINE_DATA (the folder of the demo data: .data in the checkout), "
        "and, to use servers of your own, DATABASE_URL and REDIS_URL.",
    )
    command("serve", serve, "run one gateway: HTTP and WebSocket on one port", f"{SETTINGS}, and HOST and PORT.")
    command("work", work, "run one worker", f"{SETTINGS}.")
    database = command("schema", schema, "bring the schema into a database, or compare", f"DATABASE_URL. {BESIDE_DEV}")
    database.add_argument("action", choices=["apply", "check"], help="apply: to an empty database; check: that it fits")
    command("demo", demo, "make the demo clinic in an empty database, and list its people", f"{SETTINGS}. {BESIDE_DEV}")
    signed = command("token", token, "print a token that signs in as a demo person", f"{SETTINGS}. {BESIDE_DEV}")
    signed.add_argument("person", help="the key of a demo person: see `warmline demo`")
    return top


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


def schema(chosen: argparse.Namespace) -> None:
    """Apply or check the schema."""
    from server import schema as module

    act = module.apply if chosen.action == "apply" else module.check
    with_database(act(database_url()))
    print("The schema is applied." if chosen.action == "apply" else "The database fits schema.sql.")


def demo(_: argparse.Namespace) -> None:
    """Make the demo clinic unless it is there, and list who is in it."""
    from server import config
    from server.dev import demo as module

    url = database_url()
    with_database(module.make(url, config.load()))
    for person in with_database(module.people(url)):
        print(f"{person.key:<24} {person.kind:<12} {person.label}")


def token(chosen: argparse.Namespace) -> None:
    """Print a development token."""
    from server import config
    from server.dev import demo as module
    from server.people.tokens import DevIssuer

    url = database_url()
    issuer = DevIssuer(config.load())
    print(issuer.issue(with_database(module.identity(url, chosen.person))))


def with_database(work: Coroutine[Any, Any, Result]) -> Result:
    """Run something that needs the database."""
    from server.dev.database import explained

    with explained():
        return asyncio.run(work)


def database_url() -> str:
    """DATABASE_URL; where it is not set, the settings of a running `warmline dev` are taken over."""
    if not os.environ.get("DATABASE_URL"):
        from server.dev.datafolder import DataFolder

        os.environ.update(DataFolder.here().running_settings())
    if url := os.environ.get("DATABASE_URL"):
        return url
    raise Misconfigured(
        "DATABASE_URL: not set, and no `warmline dev` runs here. It takes postgresql://USER:PASSWORD@HOST/DATABASE"
    )
