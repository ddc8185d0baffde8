"""Clocks that disagree: order and delivery are the log's, whatever a gateway believes the time is."""

import time
from pathlib import Path

import pytest

from tests.live.conftest import Connect, Pair, Start
from tests.support.cast import Clinic
from tests.support.site import Site
from tests.support.wire import Lost, Refused, Wire

SKEWED = """import time
real = time.time
time.time = lambda: real() + {seconds}
"""


@pytest.mark.catalogue("R30")
@pytest.mark.parametrize("hours", [1, -1])
async def test_a_gateway_whose_clock_is_wrong_by_an_hour_changes_no_order(
    hours: int,
    pair: Pair,
    start: Start,
    connect: Connect,
    clinic: Clinic,
    site: Site,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "sitecustomize.py").write_text(SKEWED.format(seconds=hours * 3600))
    wrong = await start(PYTHONPATH=str(tmp_path))
    patient = await clinic.patient()
    channel = await clinic.care_team(patient, clinic.clinician)
    with pytest.raises((Refused, Lost)):  # its clock is wrong indeed: a token of a quarter of an hour is none to it
        await Wire.open(wrong.socket_url, site.token(clinic.identity(patient)))
    # A token that is good by either clock: it is judged by the clock of who judges it.
    now = time.time()
    with monkeypatch.context() as patched:
        patched.setattr(time, "time", lambda: now - 7200)
        token = site.token(clinic.identity(clinic.clinician), seconds=4 * 3600)
    here = await connect(pair.a, patient)
    there = await Wire.open(wrong.socket_url, token)
    try:
        streams = [await wire.subscribe(channel) for wire in (here, there)]
        for number in range(10):
            await (here if number % 2 else there).send(channel, f"{number}", f"c{number}")
        for wire in (here, there):
            await wire.until(lambda wire: len(wire.streams[channel].items) >= 10)
        texts = [[item["text"] for _, item in stream.items] for stream in streams]
        assert texts == [[str(number) for number in range(10)]] * 2
        times = [item["at"] for _, item in streams[0].items]
        assert times == sorted(times)
        assert times == [item["at"] for _, item in streams[1].items]
    finally:
        await there.close()
