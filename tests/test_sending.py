"""Sends the short way: the same answers and refusals as the long way, in the order in which they were asked for."""

import asyncio
import json
from collections.abc import Callable

import asyncpg
import pytest

from server.chat.batcher import Batcher
from server.config import Settings
from server.dispatching import Dispatcher, Paces
from server.errors import Conflict, Invalid, NotFound, WarmlineError
from server.ids import ChannelId
from server.limits import Rate
from server.pace import Pace
from tests.support.cast import Clinic

Begin = Callable[..., asyncio.Future[bytes]]


def ways(clinic: Clinic, pace: Pace | None = None) -> tuple[Begin, Dispatcher]:
    """How the gateway has somebody send, and the dispatcher behind it."""
    paces = Paces(pace, pace) if pace else None
    dispatcher = Dispatcher(clinic.database, clinic.batcher, paces)

    def begin(person: str, channel: str, client_id: str, text: str, **more: object) -> asyncio.Future[bytes]:
        identity = clinic.identity(person)
        data = json.dumps({"channel_id": channel, "client_id": client_id, "text": text, **more}).encode()
        return dispatcher.sends.begin(identity, data, lambda: dispatcher.call(identity, "message.send", data))

    return begin, dispatcher


async def test_it_answers_as_the_long_way_does(clinic: Clinic) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    await clinic.database.keys.current(clinic.organization_id)
    begin, _ = ways(clinic)
    running = begin(patient, channel, "one", " Hello ")
    assert not isinstance(running, asyncio.Task), "the short way"
    answer = json.loads(await running)
    assert answer == await clinic.send(patient, channel, "Hello", "one"), "and the long way knows it"
    assert json.loads(await begin(patient, channel, "one", "Hello")) == answer
    with pytest.raises(Conflict):
        await begin(patient, channel, "one", "Something else")


async def test_what_is_refused_is_recorded_before_it_is_answered(clinic: Clinic, owner: asyncpg.Connection) -> None:
    patient, other = await clinic.patient(), await clinic.patient()
    channel = await clinic.care_team(patient)
    await clinic.database.keys.current(clinic.organization_id)
    begin, _ = ways(clinic)
    recorded = "select actor_id, channel_id from audit_entries where operation = 'message.send' and outcome = 'refused'"
    for wanted in (channel, ChannelId.new()):
        before = await owner.fetchval(f"select count(*) from ({recorded}) r")
        running = begin(other, wanted, "one", "Hello")
        assert not isinstance(running, asyncio.Task)
        with pytest.raises(NotFound):
            await running
        assert await owner.fetchval(f"select count(*) from ({recorded}) r") == before + 1


@pytest.mark.parametrize("wrong", [{"channel_id": "ch_no"}, {"text": " "}, {"client_id": "x" * 65}, {"text": "a\0b"}])
async def test_what_is_wrong_goes_the_long_way_and_hears_the_same(clinic: Clinic, wrong: dict[str, str]) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    await clinic.database.keys.current(clinic.organization_id)
    begin, dispatcher = ways(clinic)
    params = {"channel_id": channel, "client_id": "one", "text": "Hello"} | wrong
    running = begin(patient, params["channel_id"], params["client_id"], params["text"])
    assert isinstance(running, asyncio.Task)
    with pytest.raises(Invalid) as short:
        await running
    with pytest.raises(Invalid) as long:
        await dispatcher.call(clinic.identity(patient), "message.send", params)
    assert short.value.message == long.value.message
    assert not dispatcher.sends._detours


async def test_both_ways_together_keep_the_order(clinic: Clinic, settings_rate: Rate) -> None:
    """Some have to wait their turn, or for a key that is looked up; nobody overtakes their own."""
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    begin, dispatcher = ways(clinic, Pace("sends", settings_rate, "{seconds}"))
    clinic.database.keys._current.clear()  # the first has to look it up
    running: list[asyncio.Future[bytes]] = []
    for burst in range(4):
        for number in range(burst * 10, burst * 10 + 10):
            running.append(begin(patient, channel, f"client {number}", f"Text {number}"))
            await asyncio.sleep(0)
        await asyncio.gather(*running)
        await asyncio.sleep(0.05)  # the burst is whole again
    offsets = [json.loads(answer)["offset"] for answer in await asyncio.gather(*running)]
    assert offsets == sorted(offsets)
    assert any(isinstance(one, asyncio.Task) for one in running)
    assert any(not isinstance(one, asyncio.Task) for one in running)
    assert not dispatcher.sends._detours


@pytest.fixture
def settings_rate() -> Rate:
    """A rate that makes some wait, and lets a burst through at the end of a pause."""
    return Rate(100, 4, patience=5)


async def test_while_it_stops_it_says_so(clinic: Clinic) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    await clinic.database.keys.current(clinic.organization_id)
    stopped = Batcher(clinic.database, lambda topic, payload: None)
    await stopped.start()
    await stopped.stop()
    dispatcher = Dispatcher(
        clinic.database,
        stopped,
        Paces.of(
            Settings.model_construct(
                sends_per_second=10, sends_burst=10, sends_patience=1, operations_per_second=10, operations_burst=10
            )
        ),
    )
    data = json.dumps({"channel_id": channel, "client_id": "one", "text": "Hello"}).encode()
    with pytest.raises(WarmlineError, match="stopping"):
        await dispatcher.sends.begin(
            clinic.identity(patient), data, lambda: dispatcher.call(clinic.identity(patient), "x", data)
        )
