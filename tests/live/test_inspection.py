"""The operators' port of real processes: health, and metrics that move when something happens; the public gets no metrics."""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from server.dev.embedded import free_port
from tests.live.conftest import Connect, Start
from tests.support import docs
from tests.support.cast import Clinic
from tests.support.site import Gateway, Site
from tests.test_metrics import LABELS
from workers import integrity

ALARMS = re.findall(
    r'(?:increase|rate)\((warmline_\w+?)(?:_bucket)?(?:\{(\w+)="(\w+)"\})?\[',
    (docs.ROOT / "docs/watching.md").read_text(),
)
"""What the suggested alerts want to see grow: a metric, and perhaps a label and its value."""


def not_begun(told: dict[str, float]) -> set[str]:
    """Metrics of alarms that a process does not show before they count something: the alarm would not see the first."""
    return {
        metric
        for metric, label, value in ALARMS
        if not any(name.startswith(metric) and f"{label}={value}".strip("=") in name for name in told)
    }


class Inspector:
    """Whoever asks the operators' port of a process."""

    def __init__(self) -> None:
        self.port = free_port()
        self._http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.port}", timeout=10)

    @property
    def setting(self) -> dict[str, str]:
        return {"WARMLINE_METRICS_PORT": str(self.port)}

    async def get(self, path: str, within: float = 10) -> httpx.Response:
        return await self._http.get(path, timeout=within)

    async def metrics(self) -> dict[str, float]:
        """Values by name and labels, as Prometheus prints them; LABELS are all there are."""
        found = {}
        for family in text_string_to_metric_families((await self.get("/metrics")).text):
            for sample in family.samples:
                assert set(sample.labels) <= LABELS, sample
                words = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
                found[f"{sample.name}{{{words}}}" if words else sample.name] = sample.value
        return found

    async def until(self, metric: str, least: float) -> dict[str, float]:
        async with asyncio.timeout(20):
            while (found := await self.metrics()).get(metric, 0) < least:
                await asyncio.sleep(0.05)
        return found

    async def close(self) -> None:
        await self._http.aclose()


@pytest.fixture
async def inspector() -> AsyncIterator[Inspector]:
    made = Inspector()
    yield made
    await made.close()


@pytest.fixture
async def gateway(start: Start, inspector: Inspector) -> Gateway:
    return await start(**inspector.setting)


async def test_what_happens_shows_in_the_metrics(
    gateway: Gateway, inspector: Inspector, clinic: Clinic, connect: Connect
) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    writer, listener = await connect(gateway, patient), await connect(gateway, clinic.clinician)
    streams = [await wire.subscribe(channel) for wire in (writer, listener)]
    for number in range(3):
        await writer.send(channel, f"Text {number}", f"m{number}")
    await writer.send(channel, "Text 2", "m2")
    await listener.until(lambda _: all(stream.position == 4 for stream in streams))
    await listener.rpc("message.history", channel_id=channel)
    with contextlib.suppress(Exception):
        await listener.rpc("patient.get", patient_id="pa_00000000000000000000")
    told = await inspector.until("warmline_fanout_seconds_count", 3)
    expected = {
        "warmline_connections": 2,
        "warmline_channels": 1,
        "warmline_subscriptions{audience=patient,codec=json}": 1,
        "warmline_subscriptions{audience=staff,codec=json}": 1,
        "warmline_connects_total{outcome=ok}": 2,
        "warmline_sends_total{outcome=ok}": 3,
        "warmline_sends_total{outcome=seen}": 1,
        "warmline_send_seconds_count": 4,
        "warmline_batch_sends_sum": 4,
        "warmline_flush_seconds_count": 4,
        "warmline_fanout_seconds_count": 3,
        "warmline_deliveries_total": 6,
        "warmline_operations_total{operation=message.send,outcome=ok}": 4,
        "warmline_operations_total{operation=message.history,outcome=ok}": 1,
        "warmline_operations_total{operation=patient.get,outcome=not_found}": 1,
        "warmline_sends_waiting": 0,
        "warmline_database_waiting": 0,
        "warmline_redis_connected": 1,
    }
    assert {name: told.get(name) for name in expected} == expected
    assert told["warmline_redis_messages_total{outcome=published}"] >= 3
    assert told["warmline_database_connections_limit{pool=operations}"] == 8
    await writer.cut()
    await inspector.until("warmline_connections_closed_total{code=client}", 1)
    stranger = await connect(gateway)
    await stranger.say("this is no command")
    assert (await stranger.closed())[0] == 3501
    await inspector.until("warmline_connections_closed_total{code=3501}", 1)


async def test_what_alarms_count_is_there_before_it_happens(gateway: Gateway, inspector: Inspector) -> None:
    assert not_begun(await inspector.metrics()) == {"warmline_integrity_faults_total", "warmline_jobs_total"}


async def test_the_public_port_serves_no_metrics(gateway: Gateway, inspector: Inspector) -> None:
    async with httpx.AsyncClient(base_url=gateway.url) as public:
        assert (await public.get("/metrics")).status_code == 404
        for path in ("/health", "/health/ready", "/health/live"):
            assert (await public.get(path)).status_code == 200, path
    assert (await inspector.get("/health/live")).json() == {"status": "live"}
    assert (await inspector.get("/api/me")).status_code == 404
    assert "warmline_build_info" in (await inspector.get("/metrics")).text


async def test_two_processes_cannot_have_one_operators_port(gateway: Gateway, site: Site, inspector: Inspector) -> None:
    environment = os.environ | site.environment | inspector.setting | {"PORT": str(free_port())}
    command = [sys.executable, "-m", "server", "serve"]
    second = await asyncio.to_thread(subprocess.run, command, env=environment, capture_output=True, text=True)
    assert second.returncode == 2
    assert "WARMLINE_METRICS_PORT: cannot listen" in second.stderr
    assert gateway.process.poll() is None


async def test_the_operators_port_is_not_the_public_one(site: Site) -> None:
    port = str(free_port())
    environment = os.environ | site.environment | {"PORT": port, "WARMLINE_METRICS_PORT": port}
    command = [sys.executable, "-m", "server", "serve"]
    done = await asyncio.to_thread(subprocess.run, command, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("WARMLINE_METRICS_PORT: it is PORT as well")


async def test_who_goes_down_says_so_on_the_operators_port(
    gateway: Gateway, inspector: Inspector, clinic: Clinic, connect: Connect
) -> None:
    for _ in range(3):
        await connect(gateway, clinic.clinician)
    assert (await inspector.get("/health/ready")).json() == {
        "status": "ok", "database": "ok", "schema": "ok", "redis": "ok",
    }  # fmt: skip
    gateway.process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(10):
        while (answer := await inspector.get("/health/ready")).status_code == 200:
            await asyncio.sleep(0.02)
    assert (answer.status_code, answer.json()["status"]) == (503, "draining")
    assert await asyncio.to_thread(gateway.process.wait, 30) == 0


async def test_without_redis_a_gateway_is_ready_and_says_so(start: Start, inspector: Inspector) -> None:
    await start(REDIS_URL=f"redis://127.0.0.1:{free_port()}/0", **inspector.setting)
    answer = await inspector.get("/health/ready")
    assert (answer.status_code, answer.json()["redis"]) == (200, "away")
    assert (await inspector.metrics())["warmline_redis_connected"] == 0


@pytest.mark.catalogue("R29")
async def test_a_process_that_stood_still_says_for_how_long_and_cuts_nobody(
    gateway: Gateway, inspector: Inspector, clinic: Clinic, connect: Connect
) -> None:
    wire = await connect(gateway, clinic.clinician)
    before = await inspector.metrics()
    gateway.process.send_signal(signal.SIGSTOP)
    stopped = time.monotonic()
    with pytest.raises(httpx.TimeoutException):
        await inspector.get("/health/live", within=1.5)
    gateway.process.send_signal(signal.SIGCONT)
    lasted = time.monotonic() - stopped
    told = await inspector.until("warmline_loop_stalls_total", before["warmline_loop_stalls_total"] + 1)
    assert lasted + 1 > told["warmline_loop_lag_longest_seconds"] > 1.2
    assert "the event loop stood still" in gateway.log.read_text()
    assert (await wire.rpc("me"))["person"]["id"] == clinic.clinician
    assert told["warmline_connections"] == 1


async def test_a_worker_has_the_same_port(site: Site, inspector: Inspector, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "workers"]
    environment = os.environ | site.environment | inspector.setting
    with (tmp_path / "log").open("wb") as log:
        worker = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        async with asyncio.timeout(30):
            while True:
                with contextlib.suppress(httpx.TransportError):
                    told = await inspector.until("warmline_sweeps_total{outcome=ran,sweep=integrity}", 1)
                    break
                assert worker.poll() is None, (tmp_path / "log").read_text()
        assert not not_begun(told) & {"warmline_integrity_faults_total", "warmline_jobs_total", "warmline_mails_total"}
        assert all(f"'{promise}'" in integrity.BROKEN for promise in integrity.PROMISES)
        assert len(integrity.PROMISES) == integrity.BROKEN.count("union all") + 1
        assert abs(told["warmline_sweep_last_success_timestamp_seconds{sweep=integrity}"] - time.time()) < 60
        assert (await inspector.get("/health/live")).status_code == 200
        assert (await inspector.get("/health/ready")).json() == {"status": "ok", "database": "ok", "schema": "ok"}
        second = await asyncio.to_thread(subprocess.run, command, env=environment, capture_output=True, text=True)
        assert second.returncode == 2
        assert "WARMLINE_METRICS_PORT: cannot listen" in second.stderr
    finally:
        worker.terminate()
        assert await asyncio.to_thread(worker.wait, 30) == 0
