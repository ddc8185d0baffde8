"""How every benchmark runs: warm up, then rounds in which the contestants take turns, the first one last every other time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from benchmarks.clients import Client, Failed, Sample


@dataclass(frozen=True)
class Size:
    """How much of everything."""

    rounds: int = 5
    seconds: float = 3.0
    warm_up: float = 2.0
    listeners: int = 1000
    crowd: int = 10_000
    listening_people: int = 250
    crowding_people: int = 500
    rooms: int = 1000
    members: int = 10
    idle: int = 10_000
    herd: int = 10_000
    herd_channels: int = 3
    own_channels: int = 10
    grown_channels: int = 20
    grown_messages: int = 120
    grown_people: int = 200
    at_once: int = 20
    beside: int = 200
    stalled: int = 4
    subscriptions: int = 20
    senders: int = 256
    channels: int = 1000
    mails: int = 10_000
    steady: int = 1000
    """Sends a second, in an open stream."""


TINY = Size(
    rounds=1, seconds=0.3, warm_up=0.2, listeners=20, crowd=40, listening_people=8, crowding_people=10, rooms=6, members=4,
    idle=20, subscriptions=4, herd=20, herd_channels=2, own_channels=2, grown_channels=5, grown_messages=5, grown_people=5,
    at_once=3, beside=10, stalled=2, senders=8, channels=12, mails=40, steady=50,
)  # fmt: skip
"""For the smoke test: everything runs, no figure means anything."""


@dataclass
class Contestant:
    """Whoever is measured: its load client, and the processes whose processor time counts ("server" among them)."""

    client: Client
    watched: Mapping[str, int]
    pace: Sequence[int] = ()
    """Window, burst and pause, where one client serves several contestants."""
    samples: list[Sample] = field(default_factory=list)
    done: int = 0

    async def warm_up(self, size: Size) -> Sample:
        """A round that does not count."""
        sample = await self.client.go(size.warm_up, self.watched, *self.pace)
        self.done += sample.done
        return sample

    async def turn(self, size: Size) -> None:
        """A round that counts."""
        sample = await self.client.go(size.seconds, self.watched, *self.pace)
        self.done += sample.done
        self.samples.append(sample)


async def alternate(contestants: Sequence[Contestant], size: Size) -> None:
    """All rounds. They must be warm."""
    for number in range(size.rounds):
        for contestant in contestants if number % 2 == 0 else list(reversed(contestants)):
            await contestant.turn(size)


def require_all(written: int, contestants: Sequence[Contestant]) -> None:
    """Raises Failed unless the database holds exactly the messages that the load clients count."""
    counted = sum(contestant.done for contestant in contestants)
    if written != counted:
        raise Failed(f"the database holds {written} messages, and the load clients count {counted}")
