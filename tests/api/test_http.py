"""Requests that are none: each is refused with words that say what to do, and nothing of it is written."""

import json
from typing import Any

import pytest

from tests.support.cast import Clinic
from tests.support.front import Front, told


@pytest.fixture
async def channel(clinic: Clinic) -> str:
    return await clinic.care_team(await clinic.patient())


async def post(front: Front, channel: str, content: bytes) -> tuple[int, Any]:
    path = f"/api/channels/{channel}/messages"
    return told(await front.send(front.token(front.clinic.clinician), "POST", path, content=content))


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "client_id"),
        (b"{}", "client_id"),
        (b"not JSON", "not JSON"),
        (b"{", "not JSON"),
        (b'{"client_id": "a", "text": "b"} {}', "not JSON"),
        (b"\xff\xfe\xfd", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'{"n": ' + b"9" * 5_000 + b"}", "not JSON"),
        (b"[]", "not a JSON object"),
        (b'"text"', "not a JSON object"),
        (b"null", "not a JSON object"),
        (b'{"client_id": "a", "text": ["b"]}', "text"),
        (b'{"client_id": "a", "text": null}', "text"),
        (b'{"client_id": "a", "text": "\\ud800"}', "text"),
        (b'{"client_id": "\\ud800", "text": "b"}', "client_id"),
        (b'{"client_id": "a", "text": "b\\u0000"}', "NUL"),
        (b'{"client_id": "a", "text": "b", "reply_to": "msg_\\u0000"}', "reply_to"),
    ],
)
async def test_a_body_that_is_none_is_told_so(front: Front, channel: str, body: bytes, says: str) -> None:
    status, answer = await post(front, channel, body)
    assert status == 422
    assert says in answer["error"]["message"]
    assert answer["error"]["temporary"] is False
    assert await front.clinic.offsets(channel) == [1]


async def test_a_body_that_is_too_large_is_told_so(front: Front, channel: str) -> None:
    send = {"client_id": "a", "text": "b"}
    fits = json.dumps(send).encode().ljust(256 * 1024)
    status, answer = await post(front, channel, fits + b" ")
    assert (status, "256 KiB" in answer["error"]["message"]) == (413, True)
    assert (await post(front, channel, fits))[0] == 200


@pytest.mark.parametrize(
    "id",
    ["x", "ch_", "CH_00000000000000000000", "ch_0000000000000000000", "ch_000000000000000000000", "tm_00000000000000000000",
     "ch_0000000000000000000\0", "ch_00000000000000000000\n", "ch_0000000000000000000é", "ch_00000000000000000000/..", "%00"],
)  # fmt: skip
async def test_an_id_that_is_none_is_told_so(front: Front, clinic: Clinic, id: str) -> None:
    token = front.token(clinic.clinician)
    for operation, params in (
        ("channel.directory", {"channel_id": id}),
        ("message.history", {"channel_id": id}),
        ("message.send", {"channel_id": id, "client_id": "a", "text": "b"}),
        ("channel.read", {"channel_id": id, "offset": 1}),
        ("patient.get", {"patient_id": id}),
    ):
        answer = await front.operate(token, operation, params)
        if answer.status_code == 404 and "/" in id:
            continue  # a slash makes it another path
        status, body = told(answer)
        assert status == 422
        assert next(iter(params)) in body["error"]["message"]


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=many", "limit=1.5", "limit=-1", "before=0", "before=x",
                                   f"before={2**53}", "before=" + "9" * 30, "limit=%00", "before=-1", "limit="])  # fmt: skip
async def test_a_page_that_is_none_is_told_so(front: Front, channel: str, query: str) -> None:
    token = front.token(front.clinic.clinician)
    status, body = told(await front.send(token, "GET", f"/api/channels/{channel}/messages?{query}"))
    assert status == 422
    assert query.partition("=")[0] in body["error"]["message"]


async def test_the_ends_of_what_a_page_takes_are_fine(front: Front, channel: str) -> None:
    for query in ("limit=1", "limit=100", "before=1", f"before={2**53 - 1}", "", "unknown=1"):
        path = f"/api/channels/{channel}/messages?{query}"
        assert (await front.send(front.token(front.clinic.clinician), "GET", path)).status_code == 200


async def test_what_is_no_route_is_not_found(front: Front, clinic: Clinic) -> None:
    token = front.token(clinic.clinician)
    assert (await front.send(token, "GET", "/api/nothing")).status_code == 404
    assert (await front.send(token, "DELETE", "/api/me")).status_code == 405


async def test_what_was_sent_is_not_repeated_in_a_refusal(front: Front, channel: str) -> None:
    """Nothing that somebody typed into the wrong field comes back, or goes on into a log."""
    canary = "canary words"
    wrong = {"client_id": canary + "é", "text": {"a": canary}, "reply_to": canary}
    status, body = await post(front, channel, json.dumps(wrong).encode())
    assert status == 422
    assert canary not in json.dumps(body)


async def test_a_fault_of_ours_tells_a_request_id_and_nothing_else(
    front: Front, clinic: Clinic, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await clinic.sql("select 1")
    monkeypatch.setattr("server.people.team._SELECT", "select canary from nowhere where $1 = ''")
    answer = await front.operate(front.token(clinic.clinician), "team_member.list", {})
    assert answer.status_code == 500
    assert answer.json()["error"]["temporary"] is True
    assert "canary" not in answer.text
    assert "nowhere" not in answer.text
    assert answer.json()["request_id"] in caplog.text
