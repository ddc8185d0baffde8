"""A cluster of three nodes on this machine, each with a third of the slots; slots can be given to another node."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from signal import SIGTERM
from typing import Any

import redis.asyncio as redis

from server.dev.child import Child
from server.dev.embedded import EmbeddedServer, Redis, free_port
from server.dev.programs import hand_over, server_user, valkey_program

SLOTS = 16_384


class Alone(Redis):
    """A Valkey of the same version, on its own and without a password."""

    name = "alone"
    also = ""

    def __init__(self, folder: Path) -> None:
        EmbeddedServer.__init__(self, folder)
        self.between = free_port()  # on which the nodes of a cluster talk to each other
        config = folder / "node.conf"
        also = self.also.format(between=self.between)
        config.write_text(f'bind 127.0.0.1\nport {self.port}\nsave ""\nappendonly no\ndaemonize no\ndir .\n{also}')
        self.password = ""
        hand_over(folder)
        command: list[str | Path] = [valkey_program(folder), "node.conf"]
        self.child = Child(self.name, command, None, folder, self.log, server_user(), on_orphaned=SIGTERM)

    async def ask(self, *command: Any) -> Any:
        """A command to this node alone."""
        client = redis.Redis(port=self.port, protocol=2)
        try:
            return await client.execute_command(*command)  # type: ignore[no-untyped-call]
        finally:
            await client.aclose()

    async def ready(self) -> bool:
        """Whether it answers."""
        try:
            return bool(await self.ask("PING"))
        except (redis.RedisError, OSError):
            return False

    def url(self, number: int = 0) -> str:
        """Where it is."""
        return f"redis://127.0.0.1:{self.port}/{number}"


class Node(Alone):
    """One node of a cluster."""

    name = "node"
    also = (
        "cluster-enabled yes\ncluster-config-file nodes.conf\ncluster-node-timeout 2000\ncluster-port {between}\n"
        "cluster-announce-ip 127.0.0.1\ncluster-require-full-coverage no\n"
    )


@asynccontextmanager
async def three_nodes() -> AsyncIterator["Cluster"]:
    """A cluster that runs meanwhile."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        made = Cluster(Path(folder))
        try:
            await made.start()
            yield made
        finally:
            await made.stop()


class Cluster:
    """The three."""

    def __init__(self, folder: Path) -> None:
        self.nodes = [Node(folder / f"node{number}") for number in range(3)]

    @property
    def url(self) -> str:
        """As in REDIS_URL; it names one node."""
        return f"redis+cluster://127.0.0.1:{self.nodes[0].port}"

    async def start(self) -> None:
        """Start them, let them meet, share out the slots, and wait until all three say that all is well."""
        await asyncio.gather(*(node.start() for node in self.nodes))
        for number, node in enumerate(self.nodes):
            await node.ask("CLUSTER", "ADDSLOTSRANGE", number * SLOTS // 3, (number + 1) * SLOTS // 3 - 1)
            await node.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for node in self.nodes[1:]:
            await node.ask("CLUSTER", "MEET", "127.0.0.1", self.nodes[0].port, self.nodes[0].between)
        async with asyncio.timeout(30):
            while not all([await self._whole(node) for node in self.nodes]):
                await asyncio.sleep(0.1)

    async def stop(self) -> None:
        """End them."""
        await asyncio.gather(*(node.stop() for node in self.nodes))

    def owner(self, slot: int) -> Node:
        """Who had it at the start."""
        return next(node for number, node in enumerate(self.nodes) if slot < (number + 1) * SLOTS // 3)

    async def give(self, slot: int, to: Node) -> None:
        """Give a slot, empty of keys, to another node, as resharding does."""
        name = (await to.ask("CLUSTER", "MYID")).decode()
        for node in [to, *(node for node in self.nodes if node is not to)]:
            await node.ask("CLUSTER", "SETSLOT", slot, "NODE", name)

    async def _whole(self, node: Node) -> bool:
        said = await node.ask("CLUSTER", "INFO")
        text = said.decode() if isinstance(said, bytes) else str(said)
        return "cluster_state:ok" in text and "cluster_known_nodes:3" in text.replace("'", "").replace(" ", "")
