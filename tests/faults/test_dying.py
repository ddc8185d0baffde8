"""Gateways gone between two lines: after the commit, before the answer; after the answer, before anybody was told."""

from pathlib import Path

import pytest

from tests.faults.ward import Shared, ward
from tests.support.wire import Lost, Wire

REPAIRED_WITHIN = 5.0
"""Seconds: reliability.md G6."""


@pytest.mark.catalogue("R02", "R03")
async def test_what_was_committed_is_found_by_a_retry_and_reaches_everybody(roomy_path: Path, shared: Shared) -> None:
    async with ward(roomy_path, 3, shared=shared, program=("tests.faults.planted", "dying")) as made:
        channel = await made.channel()
        patient, clinician = await made.patient_of(channel), made.clinic.clinician
        first, second, third = (node.gateway for node in made.nodes)
        listener = await Wire.open(third.socket_url, made.token(clinician))
        stream = await listener.subscribe(channel)

        wire = await Wire.open(first.socket_url, made.token(patient))
        with pytest.raises(Lost):
            await wire.send(channel, "die after commit", "one")
        assert first.process.wait(10) == -9
        await listener.until(lambda _: stream.texts == ["die after commit"], REPAIRED_WITHIN)
        wire = await Wire.open(third.socket_url, made.token(patient))
        answer = await wire.send(channel, "die after commit", "one")
        assert (answer["message_id"], answer["offset"]) == (stream.items[0][1]["id"], 2)

        doomed = await Wire.open(second.socket_url, made.token(patient))
        told = await doomed.send(channel, "die before publish", "two")
        assert second.process.wait(10) == -9
        await listener.until(lambda _: stream.texts[1:] == ["die before publish"], REPAIRED_WITHIN)
        assert await wire.send(channel, "die before publish", "two") == told
        assert stream.offsets == [2, 3]
        for one in (listener, wire):
            await one.close()
