"""Waits until the gateway answers, and says where to click."""

import asyncio
import os
import time
from typing import TYPE_CHECKING
from urllib.parse import quote

from server.dev.datafolder import DataFolder
from server.dev.keeping import GaveUp
from server.dev.progress import say, step

if TYPE_CHECKING:
    from server.dev.demo import DemoPerson

PATIENCE = 60.0


async def show(url: str, database_url: str, began: float, folder: DataFolder) -> None:
    """Make the demo clinic the first time, wait for the gateway at `url`, and print a link for each of its people.

    Raises:
        GaveUp: the gateway does not answer.
    """
    async with step("Starting the gateway"):
        people = await demo_people(database_url)
        await until_healthy(url)
    say(f"\nWarmline is ready, after {time.monotonic() - began:.1f} s. Click to sign in:\n")
    for person in people:
        page = "/" if person.kind == "patient" else "/portal"
        say(f"  {url}{page}?as={quote(person.key)}   {person.label}")
    if (folder.path / "mails").as_uri() == os.environ.get("WARMLINE_SMTP_URL"):
        say(f"\nUnread emails are not sent, but written to {folder.path / 'mails'}")
    say(f"\nCtrl-C stops everything; the data is kept in {folder.servers()}.")


async def demo_people(database_url: str) -> "list[DemoPerson]":
    """The people of the demo clinic, which is made if there is none."""
    # Imported here, because it takes a second in which the gateway and the worker already start.
    from server import config
    from server.dev import demo

    await demo.make(database_url, config.load())
    return await demo.people(database_url)


async def until_healthy(url: str) -> None:
    """Wait until /health answers 200."""
    deadline = time.monotonic() + PATIENCE
    while not await healthy(url):
        if time.monotonic() > deadline:
            raise GaveUp(f"The gateway did not answer at {url}/health within {PATIENCE:.0f} s.")
        await asyncio.sleep(0.05)


async def healthy(url: str) -> bool:
    """Whether /health answers 200 now."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    try:
        reader, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except OSError:
        return False
    try:
        writer.write(f"GET /health HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n".encode())
        async with asyncio.timeout(5):
            return b" 200 " in await reader.readline()
    except OSError:
        return False
    finally:
        writer.close()
