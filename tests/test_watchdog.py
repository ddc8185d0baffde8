"""The watchdog: a loop that was blocked is counted, and told with how long; one that merely works is not."""

import asyncio
import logging
import time

import pytest

from server import metrics, watchdog


def value(name: str) -> float:
    return metrics.REGISTRY.get_sample_value(name) or 0


@pytest.mark.catalogue("R29")
async def test_code_that_blocks_is_counted_and_told(caplog: pytest.LogCaptureFixture) -> None:
    before = value("warmline_loop_stalls_total")
    async with watchdog.watching():
        await asyncio.sleep(0)
        time.sleep(watchdog.INTERVAL_SECONDS + watchdog.STALL_SECONDS + 0.1)  # noqa: ASYNC251 - that is the fault
        await asyncio.sleep(0.2)
    assert value("warmline_loop_stalls_total") >= before + 1
    assert value("warmline_loop_lag_longest_seconds") > watchdog.STALL_SECONDS
    [told, *_] = [record for record in caplog.records if record.name == "server.watchdog"]
    assert (told.levelno, told.getMessage()) == (logging.WARNING, "the event loop stood still")
    assert getattr(told, "seconds", 0) > watchdog.STALL_SECONDS


async def test_it_ends_with_its_block() -> None:
    async with watchdog.watching():
        pass
    seen = value("warmline_loop_lag_seconds_count")
    await asyncio.sleep(3 * watchdog.INTERVAL_SECONDS)
    assert value("warmline_loop_lag_seconds_count") == seen
