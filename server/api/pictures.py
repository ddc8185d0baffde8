"""Pictures of people by HTTP: given as a file, made anew, and read by whoever shares a channel with them.

A picture's address names a channel, a membership of it and a word of that channel alone: it links nothing to anything else.
"""

import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from server.api.access import REQUEST_ID
from server.api.answers import HEADERS, refusal
from server.api.http import bearer, body
from server.chat import pictures
from server.chat.pictures import PictureOf, Place
from server.db import Transaction
from server.dispatching import Dispatcher
from server.errors import Failed, TooMany, WarmlineError
from server.ids import random_token
from server.parameters import parse
from server.people import images
from server.people.actors import Actor, Identity
from server.people.tokens import Verifier

log = logging.getLogger(__name__)

PICTURE = HEADERS | {
    "Cache-Control": "private, no-store",
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "Content-Disposition": 'inline; filename="picture.webp"',
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Nobody keeps it, nothing takes it for anything but a picture, and no other site shows it."""

_Answer = Callable[[Request, Identity, str], Awaitable[Response]]


class Pictures:
    """The routes, over one dispatcher."""

    def __init__(self, dispatcher: Dispatcher, verifier: Verifier) -> None:
        self._dispatcher = dispatcher
        self._verifier = verifier
        self._giving: set[Identity] = set()

    def routes(self) -> list[BaseRoute]:
        """Give, take away and read."""
        read = "/api/channels/{channel_id}/members/{member_id}/picture/{picture}"
        found: list[BaseRoute] = [Route(read, self._guarded(self._read), methods=["GET"])]
        for path in ("/api/profile/picture", "/api/channels/{channel_id}/picture"):
            found.append(Route(path, self._guarded(self._give), methods=["PUT"]))
            found.append(Route(path, self._guarded(self._take_away), methods=["DELETE"]))
        return found

    def _guarded(self, work: _Answer) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            request_id = request.scope.get(REQUEST_ID) or random_token()
            try:
                identity, _expires = await self._verifier.verify(bearer(request))
                answer = await work(request, identity, request_id)
            except WarmlineError as error:
                return refusal(error, request_id)
            except Exception:
                log.exception("a picture's request failed, request %s", request_id)
                return refusal(Failed(), request_id)
            answer.headers["X-Request-Id"] = request_id
            return answer

        return endpoint

    async def _give(self, request: Request, identity: Identity, request_id: str) -> Response:
        place = parse(Place, dict(request.path_params))

        async def may(tx: Transaction, actor: Actor) -> None:
            await pictures.require_may_give(tx, actor, place)

        # Before the file is read: taking one in costs far more than asking, and the pace of a person counts here.
        await self._dispatcher.within(identity, "picture.give", place, may, request_id, recorded=False)
        with self._alone(identity):
            large, small = await images.made_anew(await body(request, images.MAX_BYTES))

        async def give(tx: Transaction, actor: Actor) -> None:
            await pictures.give(tx, actor, place, large, small)

        await self._dispatcher.within(identity, "picture.give", place, give, request_id, recorded=True)
        return Response(status_code=204, headers=HEADERS)

    @contextmanager
    def _alone(self, identity: Identity) -> Iterator[None]:
        """One picture of a person at a time, so that nobody keeps the others from giving theirs. Raises TooMany."""
        if identity in self._giving:
            raise TooMany("Another picture of yours is being taken in. Try again.")
        self._giving.add(identity)
        try:
            yield
        finally:
            self._giving.discard(identity)

    async def _take_away(self, request: Request, identity: Identity, request_id: str) -> Response:
        place = parse(Place, dict(request.path_params))

        async def take_away(tx: Transaction, actor: Actor) -> None:
            await pictures.take_away(tx, actor, place)

        await self._dispatcher.within(identity, "picture.take_away", place, take_away, request_id, recorded=True)
        return Response(status_code=204, headers=HEADERS)

    async def _read(self, request: Request, identity: Identity, request_id: str) -> Response:
        asked: dict[str, Any] = dict(request.query_params) | request.path_params
        wanted = parse(PictureOf, asked)

        async def read(tx: Transaction, actor: Actor) -> bytes:
            return await pictures.read(tx, actor, wanted)

        found = await self._dispatcher.within(identity, "picture.read", wanted, read, request_id, recorded=False)
        return Response(found, media_type="image/webp", headers=PICTURE)
