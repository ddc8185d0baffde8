"""Signing in during development: who there is in the demo clinic, and a token for one of them. Never in production."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from server.api.answers import refusal
from server.db import Database
from server.errors import NotFound, WarmlineError
from server.ids import random_token
from server.people import demo
from server.people.tokens import DEV_TOKEN_SECONDS, DevIssuer


def routes(issuer: DevIssuer, database: Database) -> list[BaseRoute]:
    """GET /dev/people and POST /dev/token."""

    async def people(_request: Request) -> Response:
        found = await demo.people(database.fetch)
        return JSONResponse(
            {"people": [{"key": person.key, "label": person.label, "kind": person.kind} for person in found]}
        )

    async def token(request: Request) -> Response:
        try:
            asked = (await request.json()).get("person")
        except (ValueError, AttributeError):
            asked = None
        try:
            identity = next((who.identity for who in await demo.people(database.fetch) if who.key == asked), None)
            if identity is None:
                raise NotFound("There is no such demo person.")
            return JSONResponse(
                {"token": issuer.issue(identity), "expires_in": DEV_TOKEN_SECONDS},
                headers={"Cache-Control": "no-store"},
            )
        except WarmlineError as error:
            return refusal(error, random_token())

    return [Route("/dev/people", people), Route("/dev/token", token, methods=["POST"])]
