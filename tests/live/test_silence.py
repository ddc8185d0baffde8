"""Lines that go silent without ending, as a failing network leaves them: noticed in time, and made anew."""

import asyncio
import time
from urllib.parse import urlsplit

from tests.live.conftest import Connect, Pair, Start
from tests.support.cast import Clinic
from tests.support.proxy import proxy
from tests.support.wire import Refused, Wire

NOTICED_WITHIN = 25.0


async def test_a_silent_line_to_postgres_is_given_up_and_made_anew(
    database_url: str, clinic: Clinic, start: Start, connect: Connect
) -> None:
    patient, port = await clinic.patient(), urlsplit(database_url).port
    assert port
    channel = await clinic.care_team(patient)
    async with proxy(port) as line:
        gateway = await start(DATABASE_URL=database_url.replace(f":{port}/", f":{line.port}/"))
        writer, listener = await connect(gateway, patient), await connect(gateway, clinic.clinician)
        stream = await listener.subscribe(channel)
        await writer.send(channel, "Before", "before")
        await asyncio.gather(*(listener.rpc("me") for _ in range(30)))
        line.freeze()
        began = time.monotonic()

        async def insist(wire: Wire, what) -> float:
            while True:
                try:
                    await what()
                    return time.monotonic() - began
                except TimeoutError:
                    print("no answer in 20 s", time.monotonic() - began)
                except Refused as refused:
                    print("refused", time.monotonic() - began, refused)
                    await asyncio.sleep(0.2)

        print(await asyncio.gather(
            insist(writer, lambda: writer.send(channel, "After", "after")),
            *(insist(listener, lambda: listener.rpc("me")) for _ in range(12)),
        ))
        await listener.until(lambda _: stream.texts == ["Before", "After"])
        print("heard", time.monotonic() - began)
        print(gateway.log.read_text()[-3000:])
        gateway.kill()
