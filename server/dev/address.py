"""The address of the demo: from HOST and PORT, and free."""

import asyncio
import os
import socket

from server.dev.embedded import free_port
from server.errors import Misconfigured

PAUSES = (0.2, 0.4, 0.8, 1.6, 0)  # a gateway that was killed a moment ago may still hold its port


async def chosen() -> tuple[str, int]:
    """Where to listen, as HOST and PORT say; PORT=0 is any free one.

    Raises:
        Misconfigured: no port, or one that another program has.
    """
    host, text = os.environ.get("HOST") or "127.0.0.1", os.environ.get("PORT") or "8000"
    if not (text.isascii() and text.isdecimal()) or int(text) > 65535:
        raise Misconfigured(f"PORT: {text!r} is not a port. It takes a number from 1 to 65535, like PORT=8001")
    port = int(text) or free_port()
    for pause in PAUSES:
        if is_free(host, port):
            return host, port
        await asyncio.sleep(pause)
    raise Misconfigured(
        f"PORT: another program listens on {host}:{port}. Choose another, like PORT={port + 1} make run"
    )


def is_free(host: str, port: int) -> bool:
    """Whether one could listen there now."""
    try:
        socket.create_server((host, port)).close()  # with SO_REUSEADDR: closing connections do not count
    except OSError:
        return False
    return True
