"""Two gateways over a Redis cluster: what the log brings and what only the doorbell can tell, while a slot moves."""

import asyncio

from server.cluster import slot
from server.events import topic
from tests.live.conftest import Connect
from tests.support.cast import Clinic
from tests.support.redis_cluster import three_nodes
from tests.support.site import Site


async def test_a_conversation_over_a_cluster_goes_on_while_its_slot_moves(
    site: Site, clinic: Clinic, connect: Connect
) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    async with three_nodes() as cluster:
        one, other = await asyncio.gather(*(site.gateway(REDIS_URL=cluster.url) for _ in range(2)))
        listener, writer = await connect(one, clinic.clinician), await connect(other, patient)
        stream = await listener.subscribe(channel)
        place = slot(topic(clinic.organization_id, channel))
        home = cluster.owner(place)
        sent: list[str] = []
        for to in (None, *(node for node in cluster.nodes if node is not home), home):
            if to is not None:
                await cluster.give(place, to)
            for number in range(8):
                sent.append(f"{number} at {cluster.nodes.index(to) if to else 'home'}")
                await writer.send(channel, sent[-1], f"client-{len(sent)}")
            await listener.until(lambda _: stream.texts == sent)
            # A read mark of the other gateway is not in the log: only the doorbell brings it.
            stream.signals.clear()
            async with asyncio.timeout(15):
                while not any(signal.get("type") == "seen" for signal in stream.signals):
                    await writer.send(channel, "Look", f"look-{len(sent)}")
                    sent.append("Look")
                    await writer.rpc("channel.read", channel_id=channel, offset=await clinic.top(channel))
                    await listener.until(lambda _: stream.texts == sent)
                    await asyncio.sleep(0.2)
        assert stream.faults == []
        assert await asyncio.gather(one.stop(), other.stop()) == [0, 0]
