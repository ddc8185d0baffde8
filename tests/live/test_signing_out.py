"""Signing out over two real gateways: within two seconds nobody of that person is connected, with the doorbell and without."""

import json
import time

import pytest

from tests.live.conftest import Connect, Pair
from tests.support.cast import Clinic
from tests.support.site import Site
from tests.support.wire import Lost, Refused

WITHIN = 2.0
"""Seconds: what was promised for S06."""


@pytest.mark.catalogue("S06")
async def test_signing_out_closes_every_connection_of_the_person_on_both_gateways(
    pair: Pair, clinic: Clinic, connect: Connect
) -> None:
    patient = await clinic.patient()
    mine = [await connect(gateway, patient) for gateway in (pair.a, pair.b, pair.b)]
    others = await connect(pair.b, clinic.clinician)
    started = time.monotonic()
    await mine[0].rpc("sign_out")
    for wire in mine:
        assert await wire.closed() == (3503, "signed out")
    assert time.monotonic() - started < WITHIN
    assert (await others.rpc("me"))["person"]["id"] == clinic.clinician


@pytest.mark.catalogue("S06")
async def test_a_revocation_whose_doorbell_is_lost_is_found_all_the_same(
    pair: Pair, site: Site, clinic: Clinic, connect: Connect
) -> None:
    member = await clinic.team_member()
    token = site.token(clinic.identity(member))
    wires = [await connect(gateway, member) for gateway in pair]
    # Not through a gateway: what is announced here, Redis never hears.
    await clinic.call(clinic.clinician, "person.sign_out", person_id=member)
    committed = time.monotonic()
    with pytest.raises((Refused, Lost), match=r"401|3503"):
        await wires[0].rpc("channel.list")
    for wire in wires:
        assert (await wire.closed())[0] == 3503
    assert time.monotonic() - committed < WITHIN

    late = await connect(pair.a)
    await late.say(json.dumps({"id": 1, "connect": {"token": token}}))
    assert (await late.closed())[0] == 3500, "the old token opens nothing"
    anew = await connect(pair.b, member)
    assert (await anew.rpc("me"))["person"]["id"] == member
