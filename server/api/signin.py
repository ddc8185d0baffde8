"""GET /sign-in: how the pages sign people in here: with a sign-in provider, by the picker of development, or not at all."""

from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from server.api.access import REQUEST_ID
from server.api.answers import refusal
from server.config import Settings
from server.errors import Unavailable
from server.notices import vapid
from server.people.provider import Provider


def routes(settings: Settings, provider: Provider | None) -> list[BaseRoute]:
    """What a page needs to know before anybody has signed in; nothing in it is secret.

    `push_key` is what browsers register for (null: push is off). Raises Misconfigured where the key's file holds none.
    """
    always = {
        "idle_minutes": settings.sign_in_idle_minutes,
        "push_key": vapid.public(vapid.read(settings.vapid_key_file)) if settings.vapid_key_file else None,
    }

    async def signin(request: Request) -> Response:
        if settings.dev_key_file is not None:
            return _said({"way": "dev"} | always)
        if provider is None or settings.oidc_client_id is None:
            return _said({"way": "none"})
        try:
            found = await provider.discovery.get()
        except Unavailable as away:
            return refusal(away, request.scope[REQUEST_ID])
        return _said(
            always
            | {
                "way": "provider",
                "issuer": found.issuer,
                "client_id": settings.oidc_client_id,
                "scope": settings.oidc_scope,
                "parameters": dict(parse_qsl(settings.oidc_parameters)),
                "authorization_endpoint": found.authorization_endpoint,
                "token_endpoint": found.token_endpoint,
                "end_session_endpoint": found.end_session_endpoint,
                # Then the code comes back behind a `#`, and stands in nobody's access log.
                "in_fragment": "fragment" in found.response_modes_supported,
            }
        )

    return [Route("/sign-in", signin)]


def _said(body: dict[str, Any]) -> Response:
    return JSONResponse(body, headers={"Cache-Control": "no-store"})
