"""Whatever is written, lost, subscribed, left and removed in whatever order: every client gets an unbroken stream."""

import asyncio
import os
from collections import Counter
from random import Random
from typing import Any

import pytest

from server.gateway.gateway import Gateway
from server.gateway.settings import GatewaySettings
from tests.gateway.inner import Inner
from tests.gateway.world import Membership, World

SMALL = GatewaySettings(
    tops_interval=0.004, hint_delay=0.001, reply_publications=3, ring_rows=4, read_rows=12, recover_events=60
)

BLOCKS = 10
EACH = int(os.environ.get("INTERLEAVINGS", "1000")) // BLOCKS
"""`make faults` plays ten times as many as `make test`."""


class Client:
    """What an SDK does: keeps a position, subscribes again when told to, and here checks every step."""

    def __init__(self, world: World, gateway: Gateway, person: str, random: Random) -> None:
        self.world, self.person, self.random = world, person, random
        self.inner = Inner(gateway)
        self.asked: dict[int, dict[str, Any]] = {}
        self.newest = 0
        self.live = False
        self.position: int | None = None
        self.epoch = ""
        self.membership: Membership | None = None
        self.counts = {"recovered": 0, "publications": 0, "voids": 0, "again": 0, "cut": 0, "lost": 0}

    def subscribe(self) -> None:
        wish: dict[str, Any] = {"channel": "ward"}
        if self.position is not None:
            wish |= {"recover": True, "offset": self.position, "epoch": self.epoch}
        elif self.random.random() < 0.3:
            wish |= {"recover": True, "offset": 0, "epoch": ""}
        self.newest = self.inner.say(subscribe=wish)
        self.asked[self.newest] = wish

    def unsubscribe(self) -> None:
        self.inner.driver.outbox.flush()
        self.listen()
        self.live = False
        self.asked.clear()
        self.inner.say(unsubscribe={"channel": "ward"})

    def listen(self) -> None:
        for message in self.inner.tape.messages():
            if "push" in message:
                self.pushed(message["push"])
            elif message["id"] in self.asked:
                newest = message["id"] == self.newest
                wish = self.asked.pop(message["id"])
                if newest or "error" in message or not self.live:
                    self.answered(wish, message)
                else:
                    self.overtaken(message["subscribe"])

    def answered(self, wish: dict[str, Any], message: dict[str, Any]) -> None:
        if "error" in message:
            assert message["error"]["code"] in ((105,) if self.live else (100, 102)), message
            return
        result = message["subscribe"]
        self.live, self.epoch = True, result["epoch"]
        offset = result.get("offset", 0)
        assert result.get("was_recovering", False) == wish.get("recover", False)
        if result.get("recovered"):
            self.counts["recovered"] += 1
            if wish["epoch"]:
                assert offset == wish["offset"]
        elif wish.get("recover"):
            self.counts["lost"] += 1
            assert "publications" not in result
        self.position = offset
        for publication in result.get("publications", []):
            self.publication(publication)

    def overtaken(self, result: dict[str, Any]) -> None:
        """The answer to a command that a later one overlapped: where the stream stands, and nothing twice."""
        assert "publications" not in result
        assert result["offset"] == self.position

    def pushed(self, push: dict[str, Any]) -> None:
        if push["channel"] != "ward":
            return
        if "unsubscribe" in push:
            assert self.live
            self.live = False
            if push["unsubscribe"]["code"] == 2500:
                self.counts["again"] += 1
                self.subscribe()
            else:
                self.counts["cut"] += 1
            return
        assert self.live, "a push for a channel that is not subscribed"
        if "offset" in push["pub"]:
            self.publication(push["pub"])
        else:
            assert self.position is not None
            assert int(push["pub"]["data"]["text"].removeprefix("seen ")) <= self.position

    def publication(self, publication: dict[str, Any]) -> None:
        assert self.position is not None
        assert publication["offset"] == self.position + 1, (publication, self.position)
        self.position += 1
        self.counts["publications"] += 1
        row = self.world.room("ward").rows[self.position - 1]
        mine = self.membership
        assert mine is not None
        assert mine.id not in row.ends
        hidden = (
            row.audience not in (None, mine.audience)
            or row.offset < mine.floor
            or (row.target is not None and row.target < mine.floor)
        )
        self.counts["voids"] += hidden
        expected = {"type": "void"} if hidden else {"text": row.content, "for": mine.audience}
        assert publication["data"] == expected


class Game:
    """One world, three clients, and things that happen."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.world = World(seed)
        self.gateway = Gateway(self.world, self.world, self.world.bus, SMALL)
        self.clients: list[Client] = []
        self.held: list[Any] = []

    async def play(self) -> dict[str, int]:
        await self.begin()
        acts = {
            self.write: 35, self.subscribe: 23, self.unsubscribe: 9, self.remove: 4, self.rejoin: 5, self.silence: 2,
            self.restore: 2, self.signal: 2,
        }  # fmt: skip
        for _ in range(self.random.randrange(20, 60)):
            if self.random.random() < 0.2:
                await self.pause("")
            (act,) = self.random.choices(list(acts), list(acts.values()))
            act(self.random.choice(self.clients))
            if self.random.random() < 0.5:
                self.listen()
        await self.settle()
        await self.end()
        totals: Counter[str] = Counter()
        for client in self.clients:
            totals.update(client.counts)
        return totals

    async def begin(self) -> None:
        world, random = self.world, self.random
        world.join("ward", "founder")
        for _ in range(random.randrange(6)):
            world.write("ward", "before")
        world.pause = self.pause
        await self.gateway.start()
        for number in range(3):
            client = Client(world, self.gateway, f"person{number}", random)
            await client.inner.hello(client.person)
            audience, hidden = random.choice(("staff", "patient")), random.random() < 0.5
            client.membership = world.join("ward", client.person, audience, hidden)
            self.clients.append(client)

    async def pause(self, name: str) -> None:
        for _ in range(self.random.choice((0, 0, 1, 2, 5))):
            await asyncio.sleep(0)

    def write(self, _client: Client) -> None:
        random, top = self.random, self.world.room("ward").top
        for _ in range(random.choice((1, 1, 1, 1, 2, 3, 9))):
            audience = random.choice((None, None, "staff", "patient"))
            target = random.choice((None, None, random.randint(1, top)))
            self.held.append(self.world.commit("ward", f"text {top}", audience, target))
        if random.random() < 0.3:
            random.shuffle(self.held)  # reordered
        while self.held and random.random() < 0.9:
            row = self.held.pop(0)
            if random.random() < 0.9:  # or lost
                self.world.ring(row)
            if random.random() < 0.1:  # or doubled
                self.world.ring(row)

    def subscribe(self, client: Client) -> None:
        if not client.live or self.random.random() < 0.1:
            client.subscribe()

    def unsubscribe(self, client: Client) -> None:
        client.unsubscribe()

    def remove(self, client: Client) -> None:
        if client.membership and client.membership.active:
            self.world.remove("ward", client.membership)

    def rejoin(self, client: Client) -> None:
        if client.membership and not client.membership.active:
            client.unsubscribe()
            client.position = None
            client.membership = self.world.join("ward", client.person, hidden=self.random.random() < 0.5)

    def silence(self, _client: Client) -> None:
        self.world.bus.silent = not self.world.bus.silent

    def restore(self, _client: Client) -> None:
        self.world.bus.restored()

    def signal(self, _client: Client) -> None:
        top = self.world.room("ward").top
        self.world.signal("ward", f"seen {top}", after=top)

    def listen(self) -> None:
        for client in self.clients:
            client.inner.driver.outbox.flush()
            client.listen()

    async def settle(self) -> None:
        """Within a moment everybody who still listens has everything, and everybody removed knows it."""
        self.world.bus.silent = False
        self.world.write("ward", "last")
        top = self.world.room("ward").top
        async with asyncio.timeout(5):
            while any(client.asked or (client.live and client.position != top) for client in self.clients):
                await asyncio.sleep(0.001)
                self.listen()

    async def end(self) -> None:
        await self.gateway.stop()
        for client in self.clients:
            client.inner.driver.release()
        assert self.world.bus.wanted == set()
        assert self.gateway.counters.subscriptions == self.gateway.counters.connections == 0


@pytest.mark.catalogue("S10", "R20")
@pytest.mark.parametrize("block", range(BLOCKS))
async def test_interleavings(block: int):
    totals: Counter[str] = Counter()
    for seed in range(block * EACH, (block + 1) * EACH):
        try:
            totals.update(await Game(seed).play())
        except BaseException as failure:
            failure.add_note(f"seed {seed}")
            raise
    again = totals.pop("again") + totals.pop("lost")
    assert again, "nobody had to begin anew"
    assert all(totals.values()), totals
