"""Behind a proxy that ends TLS nothing unencrypted is answered, and browsers are told to stay encrypted (S02)."""

from pathlib import Path

import httpx
import pytest
from starlette.applications import Starlette
from websockets import InvalidStatus

from server.api.encrypted import HSTS
from server.app import Application
from server.config import Settings
from tests.support.issuer import Issuer
from tests.support.site import Site
from tests.support.wire import Wire

pytestmark = pytest.mark.catalogue("S02")


def application(issuer: Issuer, database_url: str, **more: object) -> Starlette:
    return Application(issuer.settings(database_url, **more)).asgi


@pytest.mark.parametrize("path", ["/", "/portal", "/api/openapi.json", "/static/nothing", "/nowhere"])
async def test_every_answer_tells_browsers_to_come_encrypted(issuer: Issuer, database_url: str, path: str) -> None:
    for behind, expected in ((True, HSTS), (False, None)):
        transport = httpx.ASGITransport(application(issuer, database_url, tls_at_proxy=behind))
        async with httpx.AsyncClient(transport=transport, base_url="http://inside") as line:
            answer = await line.get(path, headers={"X-Forwarded-Proto": "https"})
            assert answer.headers.get("Strict-Transport-Security") == expected


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("https", 200),
        ("wss", 200),
        (None, 200),
        ("http", 403),
        ("ws", 403),
        ("HTTP", 403),
        ("https, http", 403),
        ("http, https", 403),
    ],
)
async def test_what_came_unencrypted_is_refused(
    issuer: Issuer, database_url: str, said: str | None, status: int
) -> None:
    transport = httpx.ASGITransport(application(issuer, database_url, tls_at_proxy=True))
    async with httpx.AsyncClient(transport=transport, base_url="http://inside") as line:
        headers = {} if said is None else {"X-Forwarded-Proto": said}
        assert (await line.get("/api/openapi.json", headers=headers)).status_code == status


async def test_a_handshake_that_came_unencrypted_is_refused(database_url: str, redis_url: str, tmp_path: Path) -> None:
    site = Site(tmp_path, database_url, redis_url, bytes(range(32)))
    try:
        gateway = await site.gateway(WARMLINE_TLS_AT_PROXY="true")
        with pytest.raises(InvalidStatus) as refused:
            await Wire.open(gateway.socket_url, additional_headers={"X-Forwarded-Proto": "http"})
        assert refused.value.response.status_code == 403
        wire = await Wire.open(gateway.socket_url, additional_headers={"X-Forwarded-Proto": "https"})
        await wire.close()
    finally:
        await site.close()


def test_the_setting_is_off_unless_somebody_says_so() -> None:
    assert Settings.model_fields["tls_at_proxy"].default is False
