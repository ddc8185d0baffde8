"""Every HTTP request has an id and a line in the log; one that fails outside of an operation tells nothing but that id."""

import logging

import httpx
import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from server import metrics
from server.api.access import Access


async def fine(_request: Request) -> Response:
    return PlainTextResponse("fine")


async def broken(_request: Request) -> Response:
    raise ValueError("canary")


async def breaking(_request: Request) -> Response:
    async def words():
        yield b"begun"
        raise ValueError("canary")

    return StreamingResponse(words())


@pytest.fixture
async def http():
    routes = [
        Route("/things/{thing}", fine),
        Route("/broken", broken),
        Route("/breaking", breaking),
        Mount("/static", PlainTextResponse("fine")),
    ]
    app = Starlette(routes=routes, middleware=[Middleware(Access)])
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://clinic.invalid") as client:
        yield client


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str, str, int]]:
    """Level, method, route and status of each line about a request."""
    lines = [record for record in caplog.records if record.name == "server.api.access" and record.msg == "request"]
    return [(line.levelno, line.method, line.route, line.status) for line in lines]


async def test_a_line_has_the_template_of_the_route_and_no_query(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    answers = [
        await http.get("/things/canary?word=canary"),
        await http.get("/canary"),
        await http.request("CANARY", "/things/canary"),
        await http.get("/static/canary"),
    ]
    assert told(caplog) == [
        (logging.INFO, "GET", "/things/{thing}", 200),
        (logging.INFO, "GET", "(none)", 404),
        (logging.INFO, "other", "/things/{thing}", 405),
        (logging.DEBUG, "GET", "/static", 200),
    ]
    assert len({answer.headers["X-Request-Id"] for answer in answers}) == len(answers)


@pytest.mark.catalogue("S35")
async def test_what_fails_outside_of_an_operation_tells_its_request_id_alone(
    http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await http.get("/broken")
    body = answer.json()
    assert answer.status_code == 500
    assert body["request_id"] == answer.headers["X-Request-Id"]
    assert "canary" not in answer.text
    assert "ValueError" not in answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert "a request failed" in caplog.text


async def test_what_fails_when_half_is_said_is_counted_as_what_it_said(http: httpx.AsyncClient) -> None:
    labels = {"method": "GET", "status": "200"}
    before = metrics.REGISTRY.get_sample_value("warmline_http_responses_total", labels) or 0
    with pytest.raises(AssertionError):  # httpx's own: the answer has no end
        await http.get("/breaking")
    assert metrics.REGISTRY.get_sample_value("warmline_http_responses_total", labels) == before + 1
