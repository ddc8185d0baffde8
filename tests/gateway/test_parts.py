"""The small parts by themselves: writing, gathered reads, and what a socket test cannot reach."""

import asyncio
from collections.abc import Sequence

import pytest

from server.errors import Unavailable
from server.gateway.calls import Calls
from server.gateway.light import Gate, Inbox
from server.gateway.outbox import Flusher, Outbox
from server.gateway.ports import LogRow
from server.gateway.reads import Reads, Wanted
from server.gateway.settings import Counters, GatewaySettings
from tests.gateway.inner import Tape
from tests.gateway.world import World


def outbox(flusher: Flusher, tape: Tape, limit: int = 1_000) -> tuple[Outbox, list[str]]:
    events: list[str] = []
    return Outbox(tape, flusher, limit, lambda: events.append("overflowed")), events


async def test_frames_of_one_tick_are_one_write():
    tape, flusher = Tape(), Flusher()
    box, _ = outbox(flusher, tape)
    written: list[bytes] = []
    tape.write = lambda data: written.append(data) or 0  # type: ignore[method-assign]
    for frame in (b"a", b"b", b"c"):
        box.push(frame)
    assert written == []
    await asyncio.sleep(0)
    box.push(b"d")
    await asyncio.sleep(0)
    assert written == [b"abc", b"d"]


async def test_a_crowd_is_written_to_in_slices():
    flusher = Flusher()
    tapes = [Tape() for _ in range(2_500)]
    for tape in tapes:
        outbox(flusher, tape)[0].push(b"x")
    done = []
    for _ in range(4):
        await asyncio.sleep(0)
        done.append(sum(1 for tape in tapes if tape.data))
    assert done[-1] == 2_500
    assert done[0] == 1_000


async def test_nothing_is_written_after_the_end():
    tape, flusher = Tape(), Flusher()
    box, _ = outbox(flusher, tape)
    box.push(b"a")
    tape.open = False
    await asyncio.sleep(0)
    box.push(b"b")
    await asyncio.sleep(0)
    assert tape.data == b""


async def test_too_much_unread_is_told_once_written():
    tape, flusher = Tape(), Flusher()
    tape.unread = 1_001
    box, events = outbox(flusher, tape)
    box.push(b"a")
    box.flush()
    box.flush()
    assert events == ["overflowed"]


async def test_a_connection_that_cannot_be_written_to_harms_no_other(caplog: pytest.LogCaptureFixture):
    flusher, bad, good = Flusher(), Tape(), Tape()

    def broken(data: bytes) -> int:
        raise OSError("broken")

    bad.write = broken  # type: ignore[method-assign]
    for tape in (bad, good):
        outbox(flusher, tape)[0].push(b"x")
    await asyncio.sleep(0)
    assert good.data == b"x"
    assert not bad.open
    assert "could not be written to" in caplog.text


class SlowLog(World):
    """A log whose reads wait."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[list[Wanted]] = []
        self.go = asyncio.Event()

    async def since(self, wanted: Sequence[Wanted]) -> Sequence[Sequence[LogRow]]:
        self.asked.append(list(wanted))
        await self.go.wait()
        return await super().since(wanted)


async def test_reads_that_come_meanwhile_are_gathered_and_equal_ones_are_one():
    log = SlowLog()
    for name in "abc":
        log.join(name, "x")
    reads = Reads(log, Counters(), max_rows=100)
    asks = [asyncio.create_task(reads.since([(f"org/{name}", 0, 10)])) for name in ("a", "b", "a", "b", "c", "a")]
    await asyncio.sleep(0.01)
    assert await reads.since([]) == []
    asks.append(asyncio.create_task(reads.since([("org/c", 0, 10), ("org/a", 0, 10)])))
    log.go.set()
    answers = await asyncio.gather(*asks)
    assert [len(answer) for answer in answers] == [1] * 6 + [2]
    assert all(len(rows) == 1 for answer in answers for rows in answer)
    assert len(log.asked) <= 3
    assert all(len(asked) == len(set(asked)) for asked in log.asked)


async def test_a_gathered_read_is_bounded():
    log = SlowLog()
    log.join("a", "x")
    log.go.set()
    reads = Reads(log, Counters(), max_rows=100)
    await asyncio.gather(*(reads.since([("org/a", number, 60)]) for number in range(6)))
    assert [len(asked) for asked in log.asked] == [1] * 6
    await reads.since([("org/a", number, 60) for number in range(6)])
    assert len(log.asked[-1]) == 6


async def test_a_herd_that_wants_the_same_rows_is_read_for_at_once():
    log = SlowLog()
    log.join("a", "x")
    reads = Reads(log, Counters(), max_rows=100)
    asks = [asyncio.create_task(reads.since([("org/a", 0, 60)])) for _ in range(50)]
    await asyncio.sleep(0.01)
    log.go.set()
    assert [len(rows) for [rows] in await asyncio.gather(*asks)] == [1] * 50
    assert len(log.asked) <= 3


async def test_a_reader_who_gives_up_is_not_read_for():
    log = SlowLog()
    reads = Reads(log, Counters(), max_rows=10)
    first = [asyncio.create_task(reads.since([("org/a", number, 10)])) for number in range(3)]
    await asyncio.sleep(0.01)
    assert len(log.asked) == 2
    first[0].cancel()
    first[2].cancel()
    log.rooms["org/a"] = log.room("a")
    log.go.set()
    assert await first[1] == [[]]
    await asyncio.sleep(0.01)
    assert len(log.asked) == 2


async def test_a_failing_read_is_told_to_all_who_wait_for_it():
    log = SlowLog()
    log.failing.add("since")
    log.go.set()
    reads = Reads(log, Counters(), max_rows=100)
    results = await asyncio.gather(*(reads.since([("org/a", 0, n)]) for n in (1, 2, 3)), return_exceptions=True)
    assert [type(result) for result in results] == [Unavailable] * 3


async def test_stopping_tells_all_who_wait():
    log = SlowLog()
    reads = Reads(log, Counters(), max_rows=10)
    asks = [asyncio.create_task(reads.since([("org/a", number, 10)])) for number in range(4)]
    await asyncio.sleep(0.01)
    await reads.stop()
    results = await asyncio.gather(*asks, return_exceptions=True)
    assert [type(result) for result in results] == [Unavailable] * 4


async def test_calls_may_be_waited_for():
    tasks: set[asyncio.Task[None]] = set()
    calls = Calls(GatewaySettings(rpc_in_flight=1), tasks)
    await calls.finished()
    done = []

    async def job() -> None:
        await asyncio.sleep(0)
        done.append(1)

    assert calls.add(job, 1)
    assert calls.add(job, 1)
    await calls.finished()
    assert done == [1, 1]
    assert not tasks


async def test_an_inbox_gives_in_order_and_waits():
    inbox: Inbox[int] = Inbox()
    reader = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    for number in (1, 2, 3):
        inbox.put_nowait(number)
    assert await reader == 1
    assert not inbox.empty()
    assert [await inbox.get(), await inbox.get()] == [2, 3]
    assert inbox.empty()
    given_up = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.gather(given_up, return_exceptions=True)
    inbox.put_nowait(4)
    assert await inbox.get() == 4


async def test_a_gate_lets_everybody_through_when_it_opens():
    gate = Gate()
    await gate.wait()
    gate.set()
    gate.clear()
    gate.clear()
    waiting = [asyncio.create_task(gate.wait()) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[0].cancel()
    await asyncio.sleep(0)
    assert not waiting[1].done()
    gate.set()
    assert await asyncio.gather(*waiting[1:]) == [None, None]
    await gate.wait()
