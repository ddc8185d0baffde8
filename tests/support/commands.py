"""Commands of the command line in tests: as processes, or, quicker, in this one; and all that a database holds, to compare."""

import asyncio
import contextlib
import io
import os
import subprocess
import sys
from dataclasses import dataclass
from unittest import mock

import asyncpg

from server.cli import main
from server.schema import CATALOG

KEPT = ("PATH", "HOME", "TMPDIR")


@dataclass
class Done:
    """How a command ended."""

    returncode: int
    stdout: str
    stderr: str


def warmline(*arguments: str, before: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
    """Run one command as a process, with these settings and no others. `before`: what the process does first, in Python."""
    env = {name: value for name, value in os.environ.items() if name in KEPT} | settings
    command = [sys.executable, "-c", f"{before}\nimport sys; from server.cli import main; sys.exit(main())", *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)


async def here(*arguments: str, **settings: str) -> Done:
    """Run one command in this process, with these settings and no others."""
    env = {name: value for name, value in os.environ.items() if name in KEPT} | settings
    out, err = io.StringIO(), io.StringIO()
    with mock.patch.dict(os.environ, env, clear=True), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = await asyncio.to_thread(main, arguments)
        except SystemExit as ended:
            status = int(ended.code or 0)
    return Done(status, out.getvalue(), err.getvalue())


async def everything(url: str) -> dict[str, list[str]]:
    """Every row of every table of ours, what the catalogs say, and the roles of the server."""
    connection = await asyncpg.connect(url)
    try:
        named = "select tablename from pg_tables where schemaname = 'public' order by 1"
        found = {
            table: sorted(row[0] for row in await connection.fetch(f'select t::text from "{table}" t'))
            for table in [row[0] for row in await connection.fetch(named)]
        }
        if found:  # without our schema there is no role that the catalogs could be asked about
            found["catalogs"] = [row[0] for row in await connection.fetch(CATALOG)]
        return found
    finally:
        await connection.close()
