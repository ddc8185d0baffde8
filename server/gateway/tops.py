"""The tops check: once a second, ask the log what was written lately, and repair what the doorbell lost.

One query, however many channels there are. It also finds people who came in, and a new epoch; and before it, with one more
query, who was signed out.
"""

import asyncio
import logging

from server.ending import end
from server.gateway.channels import Channels
from server.gateway.hub import Hub
from server.gateway.ports import Log, Policy
from server.gateway.settings import Counters
from server.gateway.watch import Watch

log = logging.getLogger(__name__)


class Tops:
    """The loop around it."""

    def __init__(
        self,
        policy: Policy,
        source: Log,
        channels: Channels,
        hub: Hub,
        watch: Watch,
        interval: float,
        counters: Counters,
    ) -> None:
        self._policy = policy
        self._log = source
        self._channels = channels
        self._hub = hub
        self._watch = watch
        self._interval = interval
        self._counters = counters
        self._at_once = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Check for the first time, so that the epoch is known, and go on by itself. Raises what the log raises."""
        await self.check()
        self._task = asyncio.create_task(self._loop())

    async def stop(self) -> None:
        """End."""
        await end(self._task)

    def wake(self) -> None:
        """Check now."""
        self._at_once.set()

    async def check(self) -> None:
        """Once."""
        self._watch.signed_out(await self._policy.signed_out())
        tops, came_in = await self._log.lately()
        if self._log.epoch != self._hub.epoch:
            known, self._hub.epoch = self._hub.epoch, self._log.epoch
            if known:
                log.warning("the log has a new epoch: every subscription begins anew")
                self._hub.reset(self._channels)
        for key, top in tops:
            channel = self._channels.get(key)
            if channel is not None and top > channel.last:
                self._counters.tops_behind += channel.followed
                self._hub.notice(channel, top)
        self._watch.came_in(came_in)
        self._watch.tick(asyncio.get_running_loop().time())

    async def _loop(self) -> None:
        failing = False
        while True:
            try:
                async with asyncio.timeout(self._interval):
                    await self._at_once.wait()
            except TimeoutError:
                pass
            self._at_once.clear()
            try:
                await self.check()
                failing = False
            except Exception as error:
                # While the database is away this says so once; what it missed is found when it is back.
                if not failing:
                    log.warning("the tops check fails: %s", type(error).__name__, exc_info=True)
                failing = True
