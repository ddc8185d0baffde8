"""Who is there, on real gateways over one Redis: staff for staff, right in time after all that ends a connection, or Redis."""

import asyncio
import time
from typing import Any

from tests.live.conftest import Connect, Pair, Start
from tests.support.cast import Clinic
from tests.support.wire import Refused, Wire

CHANGES_WITHIN = 2.0
"""Seconds after a connect or disconnect."""
DIES_WITHIN = 5.0
"""Seconds after a gateway's death."""


async def there(wire: Wire, channel: str) -> dict[str, Any]:
    return dict((await wire.ask(presence={"channel": channel}))["presence"])


async def becomes(wire: Wire, channel: str, count: int, within: float) -> float:
    """Wait until so many are there; the seconds it took."""
    started = time.monotonic()
    while (await wire.ask(presence_stats={"channel": channel}))["num_clients"] != count:
        assert time.monotonic() - started < within, f"not {count} within {within} s: {await there(wire, channel)}"
        await asyncio.sleep(0.05)
    return time.monotonic() - started


async def refused(wire: Wire, **asked: Any) -> int:
    try:
        await wire.ask(**asked)
    except Refused as error:
        return error.code
    return 0


async def test_staff_see_staff_on_both_gateways_and_nobody_sees_patients(
    pair: Pair, clinic: Clinic, connect: Connect
) -> None:
    patient, nurse = await clinic.patient(), await clinic.team_member("NURSE")
    channel = await clinic.care_team(patient, clinic.clinician, nurse)
    here, far = await connect(pair.a, clinic.clinician), await connect(pair.b, nurse)
    theirs = await connect(pair.b, patient)
    assert await there(here, channel) == {}, "asking is not being there"
    for wire in (here, far, theirs):
        await wire.subscribe(channel)
    await becomes(here, channel, 2, CHANGES_WITHIN)
    await becomes(far, channel, 2, CHANGES_WITHIN)
    seen = await there(here, channel)
    members = {await clinic.membership(channel, person) for person in (clinic.clinician, nurse)}
    assert {info["user"] for info in seen.values()} == members
    assert all(name == info["client"] for name, info in seen.items())
    told = str(seen) + "".join(far.heard)
    for secret in (clinic.clinician, here.welcome["client"]):
        assert secret not in told, "neither a person's id nor a connection's"
    assert (await here.ask(presence_stats={"channel": channel})) == {"num_clients": 2, "num_users": 2}

    for asked in ("presence", "presence_stats"):
        assert await refused(theirs, **{asked: {"channel": channel}}) == 103
    outsider = await connect(pair.a, await clinic.team_member("NURSE"))
    assert await refused(outsider, presence={"channel": channel}) == 102
    assert await refused(outsider, history={"channel": channel}) == 102
    for wire in (here, theirs):
        assert await refused(wire, publish={"channel": channel, "data": {}}) == 103
        assert await refused(wire, sub_refresh={"channel": channel, "token": "x"}) == 103

    other = await clinic.care_team(await clinic.patient(), clinic.clinician)
    await here.subscribe(other)
    assert not set(await there(here, other)) & set(seen), "one connection has another name in each channel"

    await far.cut()
    await becomes(here, channel, 1, CHANGES_WITHIN)
    again = await connect(pair.b, nurse)
    await again.subscribe(channel)
    await becomes(here, channel, 2, CHANGES_WITHIN)
    await again.ask(unsubscribe={"channel": channel})
    await becomes(here, channel, 1, CHANGES_WITHIN)


async def test_who_was_on_a_gateway_that_died_is_gone_within_five_seconds(
    pair: Pair, clinic: Clinic, connect: Connect, start: Start
) -> None:
    nurse = await clinic.team_member("NURSE")
    channel = await clinic.care_team(await clinic.patient(), clinic.clinician, nurse)
    victim = await start()
    here, there_ = await connect(pair.a, clinic.clinician), await connect(victim, nurse)
    for wire in (here, there_):
        await wire.subscribe(channel)
    await becomes(here, channel, 2, CHANGES_WITHIN)
    victim.kill()
    await becomes(here, channel, 1, DIES_WITHIN)


async def test_after_redis_has_forgotten_it_everybody_says_it_again(
    frail_pair: Pair, clinic: Clinic, connect: Connect
) -> None:
    nurse = await clinic.team_member("NURSE")
    channel = await clinic.care_team(await clinic.patient(), clinic.clinician, nurse)
    here, far = await connect(frail_pair.a, clinic.clinician), await connect(frail_pair.b, nurse)
    for wire in (here, far):
        await wire.subscribe(channel)
    await becomes(here, channel, 2, CHANGES_WITHIN)
    assert frail_pair.redis
    await frail_pair.redis.stop()
    assert await refused(here, presence={"channel": channel}) == 100, "not known is not nobody"
    assert (await here.ask(history={"channel": channel, "limit": 1}))["offset"] == 1
    await frail_pair.redis.start()
    started = time.monotonic()
    while await refused(here, presence={"channel": channel}) == 100:
        assert time.monotonic() - started < DIES_WITHIN
        await asyncio.sleep(0.05)
    await becomes(here, channel, 2, DIES_WITHIN)


async def test_the_history_is_paged_and_begins_at_ones_floor(pair: Pair, clinic: Clinic, connect: Connect) -> None:
    patient, nurse = await clinic.patient(), await clinic.team_member("NURSE")
    channel = await clinic.care_team(patient, clinic.clinician, nurse)
    for number in range(5):
        await clinic.send(patient, channel, f"text {number}")
    wire = await connect(pair.a, patient)
    page = await wire.ask(history={"channel": channel, "limit": 3})
    assert ([pub["offset"] for pub in page["publications"]], page["offset"]) == ([1, 2, 3], 6)
    back = await wire.ask(history={"channel": channel, "limit": 9, "reverse": True})
    assert [pub["offset"] for pub in back["publications"]] == [6, 5, 4, 3, 2, 1]
    assert all("info" not in pub for pub in back["publications"])
    rest = await wire.ask(history={"channel": channel, "limit": 9, "since": {"offset": 4, "epoch": page["epoch"]}})
    assert [pub["data"]["text"] for pub in rest["publications"]] == ["text 3", "text 4"]
    assert await refused(wire, history={"channel": channel, "since": {"offset": 4, "epoch": "other"}}) == 112
