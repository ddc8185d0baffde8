"""R18: one message sent twenty times at once, on different gateways, again and again: there is one, and twenty equal answers."""

import asyncio
import time

from tests.faults.load import BROKEN
from tests.faults.run import Run
from tests.support.stream import Json
from tests.support.wire import Refused, Wire

AT_ONCE = 20
FAULT = "one message sent twenty times at once"


async def twenty(going: Run, seconds: float) -> None:
    """Each time another key, in another channel."""
    ward, channels = going.ward, list(going.channels)[:-1]
    person = ward.clinic.clinician
    wires = [
        await Wire.open(ward.nodes[n % len(ward.nodes)].gateway.socket_url, ward.token(person)) for n in range(AT_ONCE)
    ]
    until, equal, rounds = time.monotonic() + seconds, 0, 0
    async with going.nemesis.broken(FAULT):
        while time.monotonic() < until:
            channel, key = channels[rounds % len(channels)], f"twenty-{rounds}"
            answers = await asyncio.gather(*(_send(going, wire, channel, key, person) for wire in wires))
            equal += len({str(answer) for answer in answers if answer}) == 1 and all(answers)
            rounds += 1
            await asyncio.sleep(0.1)
    going.hold(0 < equal == rounds, f"{equal} of {rounds} times twenty senders got twenty equal answers")
    for wire in wires:
        await wire.close()


async def _send(going: Run, wire: Wire, channel: str, key: str, person: str) -> Json | None:
    say = going.ward.recorder.say
    say("send.invoke", channel=channel, key=key, person=person)
    try:
        answer = await wire.send(channel, key, key)
    except (Refused, *BROKEN) as error:
        say("send.info", channel=channel, key=key, why=str(error))
        return None
    say("send.ok", channel=channel, key=key, message=answer["message_id"], offset=answer["offset"])
    return answer
