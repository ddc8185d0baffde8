"""Sends one push to one device: signed (VAPID), encrypted for the browser alone, and handed to its provider.

Each provider's host has a breaker and so many pushes at a time: one that hangs holds up nobody's pushes but its own.
"""

import asyncio
import logging
from collections import OrderedDict
from datetime import datetime, timedelta
from time import monotonic

import aiohttp
import http_ece  # type: ignore[import-untyped]
from aiohttp.abc import AbstractResolver
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from server import metrics
from server.config import Settings
from server.errors import Misconfigured
from server.notices import reaching, vapid
from server.notices.answering import Answer, judged
from server.notices.breaker import Breaker
from server.notices.devices import Device
from server.notices.endpoints import Allowed
from server.notices.payload import Push, encoded, headers

log = logging.getLogger(__name__)

AT_ONCE = 64
"""Pushes on their way to one host."""
TURN_SECONDS = 2.0
"""A push that does not get its turn at a host within this is put off: the host is slow, and others wait behind it."""
_PUT_OFF_SECONDS = 2.0
_HOSTS = 256
_ASKED_TO_WAIT = 10_000


class Host:
    """What one provider's host can take."""

    def __init__(self) -> None:
        self.breaker = Breaker()
        self.turns = asyncio.Semaphore(AT_ONCE)
        self.slow = False

    async def turn(self) -> bool:
        """Take a turn, or say that there was none for too long. Whoever has taken one gives it back."""
        if self.turns.locked():
            try:
                async with asyncio.timeout(TURN_SECONDS):
                    return await self.turns.acquire()
            except TimeoutError:
                self.slow = True
                return False
        return await self.turns.acquire()


class Pusher:
    """The means of one process to push. Made on the running loop."""

    def __init__(
        self, settings: Settings, resolver: AbstractResolver | None = None, seconds: float = reaching.SECONDS
    ) -> None:
        """Args: resolver: instead of the system's. seconds: for all of one push. Raises Misconfigured without a key."""
        if settings.vapid_key_file is None or settings.vapid_subject is None:
            raise Misconfigured(
                f"{vapid.SETTING}: not set, so there are no pushes. Make a key: warmline keys vapid FILE"
            )
        self._signer = vapid.Signer(vapid.read(settings.vapid_key_file), settings.vapid_subject)
        self._allowed = Allowed(settings.push_providers, settings.push_local)
        self._http = reaching.http(settings.push_local, resolver, seconds)
        self._hosts: OrderedDict[str, Host] = OrderedDict()
        self._waits: OrderedDict[str, datetime] = OrderedDict()
        """Until when a device's provider has asked us to wait with it (Retry-After)."""

    async def stop(self) -> None:
        """Let go of all connections."""
        await self._http.close()

    async def push(self, device: Device, push: Push, ttl: int, at: datetime) -> Answer:
        """Hand one push to the provider of a device; never raises for what a provider or an endpoint does.

        Args:
            ttl: seconds for which it is worth keeping.
            at: the present moment.
        """
        answer = await self._push(device, push, ttl, at)
        metrics.PUSHES.labels(push.type, answer.outcome).inc()
        return answer

    async def _push(self, device: Device, push: Push, ttl: int, at: datetime) -> Answer:
        try:
            self._allowed.host(device.endpoint)
            body = _sealed(device, encoded(push))
        except ValueError as wrong:  # whatever lies in the table: nothing is sent there
            log.warning("device %s takes no pushes: %s", device.id, type(wrong).__name__)
            return Answer("refused")
        if (until := self._waits.get(device.id, at)) > at:
            return Answer("later", wait=(until - at).total_seconds())
        origin = device.endpoint[: device.endpoint.index("/", len("https://"))].removesuffix(":443")
        host = self._host(origin)
        if wait := host.breaker.wait(monotonic()):
            return Answer("later", wait=wait)
        if host.slow and host.turns.locked():
            return Answer("later", wait=_PUT_OFF_SECONDS)
        if not await host.turn():
            return Answer("later", wait=_PUT_OFF_SECONDS)
        try:
            signed = headers(push, device.id, ttl) | {"Authorization": self._signer.header(origin, at)}
            answer = await self._ask(device.endpoint, signed, body, at)
        finally:
            host.turns.release()
        self._learn(host, answer)
        if answer.wait:
            self._waits[device.id] = at + timedelta(seconds=answer.wait)
            if len(self._waits) > _ASKED_TO_WAIT:
                self._waits.popitem(last=False)
        return answer

    async def _ask(self, url: str, signed: dict[str, str], body: bytes, at: datetime) -> Answer:
        given = signed | {"Content-Encoding": "aes128gcm", "Content-Type": "application/octet-stream"}
        try:
            status, retry_after = await reaching.post(self._http, url, given, body)
        except (aiohttp.ClientError, OSError) as error:  # a TimeoutError is an OSError
            log.debug("a push was not handed over: %s", reaching.away(error))
            return Answer("later", ailing=True)
        return judged(status, retry_after, at)

    def _host(self, origin: str) -> Host:
        """What is known of a host; of those that were not asked for longest something is forgotten in the end."""
        found = self._hosts.pop(origin, None) or Host()
        self._hosts[origin] = found
        if len(self._hosts) > _HOSTS:
            self._hosts.popitem(last=False)
        return found

    def _learn(self, host: Host, answer: Answer) -> None:
        if not answer.ailing:
            host.breaker.worked()
            host.slow = False
        elif host.breaker.failed(monotonic()):
            log.warning("a provider of push does not answer, or cannot: it is left alone for a while")
        metrics.PUSH_PROVIDERS_RESTING.set(sum(one.breaker.resting for one in self._hosts.values()))


def _sealed(device: Device, payload: bytes) -> bytes:
    """Encrypted for this browser (RFC 8291), as pywebpush does it. Raises ValueError where its keys are none."""
    sealed: bytes = http_ece.encrypt(
        payload, private_key=generate_private_key(SECP256R1()), dh=device.p256dh, auth_secret=device.auth
    )
    return sealed
