"""HTTP read off the operations: one route each, a bearer token in, JSON out."""

import json
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from server.api.access import REQUEST_ID
from server.api.answers import HEADERS, refusal
from server.dispatching import Dispatcher
from server.errors import Failed, Invalid, TooLarge, Unauthorized, WarmlineError
from server.ids import random_token
from server.operations import OPERATIONS, Operation
from server.people.actors import UNKNOWN
from server.people.tokens import Verifier

log = logging.getLogger(__name__)


def routes(dispatcher: Dispatcher, verifier: Verifier, max_body: int) -> list[BaseRoute]:
    """A route per operation. `max_body`: bytes that a request may carry."""
    found: list[BaseRoute] = []
    for operation in OPERATIONS:
        found.append(
            Route(operation.path, _endpoint(operation, dispatcher, verifier, max_body), methods=[operation.method])
        )
    return found


def _endpoint(
    operation: Operation, dispatcher: Dispatcher, verifier: Verifier, max_body: int
) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        request_id = request.scope.get(REQUEST_ID) or random_token()
        try:
            identity, _expires = await verifier.verify(bearer(request))
            params = await _params(request, operation, max_body)
            result = await dispatcher.call(identity, operation.name, params, request_id, admitted=False)
        except WarmlineError as error:
            return refusal(error, request_id, envelope=operation.envelope)
        except Exception:
            log.exception("operation %s failed, request %s", operation.name, request_id)
            return refusal(Failed(), request_id, envelope=operation.envelope)
        if operation.envelope:
            result = b'{"success":true,"data":' + result + b"}"
        return Response(result, media_type="application/json", headers=HEADERS | {"X-Request-Id": request_id})

    return endpoint


def bearer(request: Request) -> str:
    """The token of a request. Raises Unauthorized."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Unauthorized(UNKNOWN)
    return token.strip()


async def _params(request: Request, operation: Operation, max_body: int) -> dict[str, Any]:
    """Path, query and body as one set of parameters; the path wins, so that a body cannot say otherwise."""
    in_body = operation.method in ("POST", "PUT")
    params = _object(await body(request, max_body)) if in_body else dict(request.query_params)
    return params | request.path_params


async def body(request: Request, most: int) -> bytes:
    """The body, at most so many bytes. Raises TooLarge; Invalid where it did not arrive."""
    too_large = TooLarge(f"The request is larger than {most // 1024} KiB.")
    if int(request.headers.get("content-length", 0)) > most:
        raise too_large
    received = bytearray()
    try:
        async for chunk in request.stream():
            received += chunk
            if len(received) > most:
                raise too_large
    except ClientDisconnect:
        raise Invalid("The request did not arrive in full.") from None
    return bytes(received)


def _object(body: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise Invalid("The request's body is not JSON.") from None
    if not isinstance(parsed, dict):
        raise Invalid("The request's body is not a JSON object.")
    return parsed
