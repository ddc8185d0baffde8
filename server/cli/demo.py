"""`warmline demo` and `token`: the demo clinic, and signing in to it, for development."""

import argparse

from server.cli import within
from server.cli.commands import Commands

_READS = f"{within.SETTINGS}. {within.BESIDE_DEV}"


def add(commands: Commands) -> None:
    """Add them."""
    commands.add("demo", demo, "make the demo clinic in an empty database, and list its people", _READS, changes=True)
    signed = commands.add("token", token, "print a token that signs in as a demo person", _READS, changes=False)
    signed.add_argument("person", help="the key of a demo person: see `warmline demo`")


def demo(chosen: argparse.Namespace) -> None:
    """Make the demo clinic unless it is there, and list who is in it."""
    from server.dev import demo as module

    url = within.database_url()
    if chosen.dry_run:
        print("\n".join(within.with_database(module.planned(url))))
        return
    within.with_database(module.make(url, within.settings()))
    for person in within.with_database(module.people(url)):
        print(f"{person.key:<24} {person.kind:<12} {person.label}")


def token(chosen: argparse.Namespace) -> None:
    """Print a development token."""
    from server.dev import demo as module
    from server.people.tokens import DevIssuer

    url = within.database_url()
    issuer = DevIssuer(within.settings())
    print(issuer.issue(within.with_database(module.identity(url, chosen.person))))
