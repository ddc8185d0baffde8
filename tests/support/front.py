"""The product's HTTP surface, called as a program would: a bearer token in, JSON out, no socket in between."""

from typing import Any
from urllib.parse import quote

import httpx
from starlette.applications import Starlette

from server.api import routes
from server.app import asyncapi
from server.dispatching import Dispatcher
from server.operations import BY_NAME, OPERATIONS
from server.people.tokens import KeyedVerifier
from server.refusals import Refusals
from tests.support.cast import Clinic
from tests.support.issuer import Issuer


class Front:
    """Requests to the routes of server.api, as any person of a clinic."""

    def __init__(self, clinic: Clinic, issuer: Issuer, database_url: str) -> None:
        settings = issuer.settings(database_url)
        self.dispatcher = dispatcher = Dispatcher(clinic.database, clinic.batcher)
        described = asyncapi.document(OPERATIONS)
        app = Starlette(routes=routes(dispatcher, KeyedVerifier.read(settings), clinic.database, settings, described))
        self.clinic = clinic
        self.issuer = issuer
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://clinic.invalid")

    def token(self, person: str, clinic: Clinic | None = None) -> str:
        """A good token for a person of this clinic, or of another one."""
        return self.issuer.token((clinic or self.clinic).identity(person))

    def forget_refusals(self) -> None:
        """Give everybody a full budget of refusals to be recorded again."""
        self.dispatcher.refusals = Refusals(self.clinic.database)

    async def send(self, token: str | None, method: str, path: str, **more: Any) -> httpx.Response:
        """One request with this token; `more` goes to httpx (json=, content=, params=, headers=)."""
        headers = more.pop("headers", {}) | ({"Authorization": f"Bearer {token}"} if token is not None else {})
        return await self.http.request(method, path, headers=headers, **more)

    async def operate(self, token: str | None, name: str, params: dict[str, Any]) -> httpx.Response:
        """One operation: its parameters go into path, query and body as the registry says."""
        operation = BY_NAME[name]
        path, rest = operation.path, {}
        for field, value in params.items():
            if f"{{{field}}}" in path:
                path = path.replace(f"{{{field}}}", quote(str(value), safe=""))
            else:
                rest[field] = value
        if operation.method in ("POST", "PUT"):
            return await self.send(token, operation.method, path, json=rest)
        return await self.send(token, operation.method, path, params=rest)


def told(answer: httpx.Response) -> tuple[int, Any]:
    """What an answer tells: its status and its body, out of its envelope and but for the request id."""
    body = answer.json()
    if "success" in body:
        assert body.pop("success") == (answer.status_code == 200)
        body = body.get("data", body)
    if "error" in body:
        assert body.pop("request_id") == answer.headers["X-Request-Id"]
    return answer.status_code, body
