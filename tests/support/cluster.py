"""A database per test: one template, made once from schema.sql, and copies of it."""

import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from server import schema
from server.dev.embedded import EmbeddedServer

Server = TypeVar("Server", bound=EmbeddedServer)


class Databases:
    """Makes and drops the tests' databases on one Postgres server."""

    def __init__(self, admin_url: str) -> None:
        self.admin_url = admin_url
        self.mark = secrets.token_hex(4)  # two test runs may share one server
        self.made = 0

    @property
    def template(self) -> str:
        """The name of the database that the others are copied from."""
        return f"warmline_test_{self.mark}_template"

    def url(self, name: str) -> str:
        """Where a database of this server is."""
        return urlunsplit(urlsplit(self.admin_url)._replace(path=f"/{name}"))

    async def make_template(self) -> None:
        """Apply schema.sql once, as the product does."""
        await self.run(f"create database {self.template}")
        await schema.apply(self.url(self.template))

    async def create(self) -> str:
        """A fresh database with the schema in it; its URL."""
        self.made += 1
        name = f"warmline_test_{self.mark}_{self.made}"
        await self.run(f"create database {name} template {self.template}")
        return self.url(name)

    async def create_empty(self) -> str:
        """A fresh database with nothing in it; its URL."""
        self.made += 1
        name = f"warmline_test_{self.mark}_{self.made}"
        await self.run(f"create database {name}")
        return self.url(name)

    async def drop(self, url: str) -> None:
        """Remove one, ending whatever connections a test left open."""
        await self.run(f"drop database if exists {urlsplit(url).path.lstrip('/')} with (force)")

    async def drop_template(self) -> None:
        """Leave nothing behind on a server that is not ours to throw away."""
        await self.drop(self.url(self.template))

    async def run(self, statement: str) -> None:
        """One statement, on a connection of its own: databases are made and dropped outside transactions."""
        connection = await asyncpg.connect(self.admin_url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@asynccontextmanager
async def running(kind: type[Server]) -> AsyncIterator[Server]:
    """An embedded server in a folder of its own, for as long as the block lasts."""
    room = Path(tempfile.mkdtemp(prefix="warmline-test-"))
    room.chmod(0o711)  # run by root, the servers are another user's
    server = kind(room / kind.name)
    try:
        await server.start()
        yield server
    finally:
        await server.stop()
        shutil.rmtree(room, ignore_errors=True)
