"""How a gateway listens: whoever comes in a crowd is accepted in a few turns of the event loop."""

import asyncio
import socket

import uvloop

from server.app.serve import ACCEPTS, BACKLOG, listeners
from server.dev.embedded import free_port
from tests.support.issuer import Issuer

CROWD = 4 * ACCEPTS


def test_a_crowd_is_accepted_in_a_few_turns(issuer: Issuer) -> None:
    settings = issuer.settings("postgresql://nowhere", port=free_port())
    turns = uvloop.run(turns_for_a_crowd(listeners(settings), settings.port))
    assert turns <= 12, "one at a time it would be as many as there are"


async def turns_for_a_crowd(sockets: list[socket.socket], port: int) -> int:
    loop, accepted = asyncio.get_running_loop(), list[asyncio.BaseTransport]()

    class Counted(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            accepted.append(transport)

    servers = [await loop.create_server(Counted, sock=one, backlog=BACKLOG) for one in sockets]
    crowd = [socket.create_connection(("127.0.0.1", port), timeout=5) for _ in range(CROWD)]
    turns = 0
    while len(accepted) < CROWD and turns < 2 * CROWD:
        turns += 1
        await asyncio.sleep(0)
    for one in crowd:
        one.close()
    for transport in accepted:
        transport.close()
    for server in servers:
        server.close()
        await server.wait_closed()
    return turns
