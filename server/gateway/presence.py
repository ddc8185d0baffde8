"""Who is there: the subscriptions that show in a channel, here and on the other gateways, and the pushes when they come and go.

Nobody counts up or down: each gateway says, per channel, all that it has itself, and says so again when it changes, when the
board has forgotten it, and every now and then. Joins and leaves are pushed as they happen, and may be lost.
"""

import asyncio
import logging
from collections.abc import Callable
from contextvars import Context

import msgspec

from server.ending import end
from server.errors import Unavailable
from server.gateway import protocol as p
from server.gateway.channels import Channel, Channels, Subscription
from server.gateway.ports import Board
from server.gateway.settings import GatewaySettings

log = logging.getLogger(__name__)

MARK = b"\x00"
"""What a message on a channel's topic begins with when it is the gateways' own; no row of a log does."""

_PAUSE = 1.0
_UNKNOWN = "Who is there is not known just now. Try again."

_Part = dict[str, p.ClientInfo]


class _Moved(msgspec.Struct, array_like=True, frozen=True):
    """Somebody came or left."""

    left: bool
    info: p.ClientInfo


_encode = msgspec.msgpack.Encoder().encode
_part = msgspec.msgpack.Decoder(_Part)
_moved = msgspec.msgpack.Decoder(_Moved)


class Presence:
    """One per gateway. Without a board it knows of itself alone."""

    def __init__(
        self,
        board: Board | None,
        channels: Channels,
        publish: Callable[[str, bytes], None],
        topic: Callable[[str], str],
        settings: GatewaySettings,
    ) -> None:
        self._board = board
        self._channels = channels
        self._publish = publish
        self._topic = topic
        self._settings = settings
        self._changed: dict[str, None] = {}
        self._keys: set[str] = set()
        """Channels in which somebody here shows."""
        self._told = 0.0
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to keep the board."""
        if self._board is not None:
            self._task = asyncio.create_task(self._keep(self._board), context=Context())

    async def stop(self) -> None:
        """End. Who is still here, is not any more: the others hear so at once, if they can."""
        if self._task is None or self._board is None:
            return
        await end(self._task)
        self._keys.clear()
        try:
            async with asyncio.timeout(1):
                await self._board.say(dict.fromkeys(self._changed))
        except Exception as error:
            log.debug("the board was not cleared: %s", type(error).__name__)

    # Who comes and goes

    def joined(self, subscription: Subscription) -> None:
        """A subscription was answered: it shows from now on, if it may, and hears of others, if it wants to."""
        if subscription.info is None:
            return
        channel = subscription.channel
        subscription.shown = True
        if subscription.joins:
            channel.asking = channel.asking or set()
            channel.asking.add(subscription)
        self._keys.add(channel.key)
        self._change(channel.key)
        self._tell(channel.key, _Moved(False, subscription.info))

    def left(self, subscription: Subscription) -> None:
        """A subscription is over."""
        channel = subscription.channel
        if channel.asking is not None:
            channel.asking.discard(subscription)
            channel.asking = channel.asking or None
        if subscription.shown and subscription.info is not None:
            subscription.shown = False
            self._change(channel.key)
            self._tell(channel.key, _Moved(True, subscription.info))

    def heard(self, channel: Channel, payload: bytes) -> None:
        """A message of a gateway, perhaps of this one, on a channel's topic."""
        if not channel.asking:
            return
        moved = _moved.decode(payload.removeprefix(MARK))
        frames: dict[tuple[p.Codec, str], bytes] = {}
        for one in channel.asking:
            kind = codec, name = one.listener.codec, one.name
            if kind not in frames:
                frames[kind] = codec.frame((p.Leave if moved.left else p.Join)(name, moved.info))
            one.listener.outbox.push(frames[kind])

    def _tell(self, key: str, moved: _Moved) -> None:
        self._told, wait = self._settings.joins.take(self._told, asyncio.get_running_loop().time())
        if not wait:
            self._publish(self._topic(key), MARK + _encode(moved))

    def _change(self, key: str) -> None:
        if self._board is not None:
            self._changed[key] = None
            self._woken.set()

    # Who is there

    def here(self, key: str) -> dict[str, p.ClientInfo]:
        """Who shows in a channel on this gateway, under the names of their connections."""
        channel = self._channels.get(key)
        subscriptions = () if channel is None or key not in self._keys else channel.subscriptions()
        shown = [one.info for one in subscriptions if one.info is not None and one.shown]
        return {info.client: info for info in shown}

    async def there(self, key: str) -> dict[str, p.ClientInfo]:
        """Who shows in a channel, on any gateway. Raises Unavailable while nobody knows."""
        found: dict[str, p.ClientInfo] = {}
        if self._board is not None:
            try:
                async with asyncio.timeout(_PAUSE):
                    parts = await self._board.others(key)
            except Exception as error:
                raise Unavailable(_UNKNOWN) from error
            for part in parts:
                found |= _part.decode(part)
        return found | self.here(key)

    async def _keep(self, board: Board) -> None:
        """Say that we live, and what has changed; and everything, when the board knows nothing of us."""
        loop = asyncio.get_running_loop()
        said = loop.time()
        failing = False
        while True:
            began = loop.time()
            try:
                again = not await board.alive() or began - said > self._settings.presence_again
                if again:
                    said = began
                await self._say(board, again)
                failing = False
            except Exception as error:
                if not failing:
                    log.warning("who is there cannot be told: %s", type(error).__name__)
                failing = True
            # However much changes, telling takes a fifth of the time at most.
            pause = _PAUSE if failing else max(self._settings.presence_delay, 4 * (loop.time() - began))
            await asyncio.sleep(pause)
            try:
                async with asyncio.timeout(max(0.0, self._settings.presence_interval - pause)):
                    await self._woken.wait()
            except TimeoutError:
                pass

    async def _say(self, board: Board, everything: bool) -> None:
        self._woken.clear()
        if everything:
            self._changed |= dict.fromkeys(self._keys)
        parts: dict[str, bytes | None] = {}
        for key in self._changed:
            here = self.here(key)
            parts[key] = _encode(here) if here else None
            if not here:
                self._keys.discard(key)
        self._changed = {}
        try:
            await board.say(parts)
        except BaseException:
            self._changed |= dict.fromkeys(parts)
            raise
