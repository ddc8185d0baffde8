"""`warmline schema apply|upgrade|check|new-epoch`: schema.sql in a database, and the identity of its logs."""

import argparse

from server.cli import within
from server.cli.commands import Commands

_READS = f"DATABASE_URL. {within.BESIDE_DEV}"


def add(commands: Commands) -> None:
    """Add them."""
    schema = commands.family("schema", "bring the schema into a database, or compare")
    what = "make the schema, and the role warmline_app, in an empty database that this login owns"
    schema.add("apply", apply, what, _READS, changes=True)
    what = "bring the database of an earlier version up to this one, in one transaction"
    schema.add("upgrade", upgrade, what, _READS, changes=True)
    what = "compare a database with schema.sql, and refuse one that may lose what it acknowledged"
    schema.add("check", check, what, _READS, changes=False)
    what = "give all logs a new identity after a copy of the database's files was started without recovery"
    made = schema.add("new-epoch", new_epoch, what, _READS, changes=True)
    made.description = (
        f"{made.description} Clients then reload instead of trusting positions of a log that is another one. "
        "Needs the login that owns the tables. After a promotion or a point-in-time restore it is not needed."
    )


def apply(chosen: argparse.Namespace) -> None:
    """Apply the schema."""
    from server import schema

    url = within.database_url()
    if not chosen.dry_run:
        within.with_database(schema.apply(url))
        print("The schema is applied.")
        return
    made = within.with_database(schema.planned(url))
    print("The schema is there already: nothing would be done." if not made else "Would make, from schema.sql:")
    for line in made:
        print(f"  {line}")


def upgrade(chosen: argparse.Namespace) -> None:
    """Apply the migrations that are missing."""
    from server import migrations

    names = within.with_database(migrations.upgrade(within.database_url(), chosen.dry_run))
    if not names:
        print("The database has this version's schema: nothing " + ("would be done." if chosen.dry_run else "to do."))
    for name in names:
        print(f"{'Would apply' if chosen.dry_run else 'Applied'} {name}")


def check(_: argparse.Namespace) -> None:
    """Check the database."""
    from server import schema

    within.with_database(schema.check(within.database_url()))
    print("The database fits schema.sql.")


def new_epoch(chosen: argparse.Namespace) -> None:
    """Raise the generation of the logs."""
    from server import schema

    generation = within.with_database(schema.raise_generation(within.database_url(), chosen.dry_run))
    would = "Would raise" if chosen.dry_run else "Raised"
    print(f"{would} the generation of the logs from {generation} to {generation + 1}; the gateways see it within 2 s.")
