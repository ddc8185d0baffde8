"""The unsubscribe link: looking changes nothing, posting does; for people, for mail programs, and for whoever guesses."""

import logging
import secrets
import time
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from server.api import unsubscribe
from server.ids import MailId
from tests.support.cast import Clinic
from tests.support.front import Front

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def code() -> str:
    """A code that no other test has: they share a database."""
    return secrets.token_urlsafe(24)


async def mailed(clinic: Clinic, code: str) -> str:
    """Somebody who got an email with this code in it."""
    person = await clinic.patient()
    await clinic.sql(
        """insert into mails (organization_id, id, person_id, unsubscribe_code, status, settled_at)
           values ($1, $2, $3, $4, 'sent', now())""",
        *(clinic.organization_id, MailId.new(), person, code),
    )
    return person


async def wanted(clinic: Clinic, person: str) -> Any:
    """What is set, by whom; None if nobody ever set anything."""
    rows = await clinic.sql("select unread_email, unread_email_by from notice_preferences where person_id = $1", person)
    return tuple(rows[0]) if rows else None


async def get(front: Front, code: str) -> httpx.Response:
    return await front.http.get(f"/unsubscribe/{code}")


async def post(front: Front, code: str, data: Any = None) -> httpx.Response:
    return await front.http.post(f"/unsubscribe/{code}", data=data or ONE_CLICK)


async def test_looking_changes_nothing_and_says_what_the_button_does(front: Front, clinic: Clinic, code: str) -> None:
    person = await mailed(clinic, code)
    for _ in range(2):
        page = await get(front, code)
        assert page.status_code == 200
        assert "Stop the emails" in page.text
    assert (await front.http.head(f"/unsubscribe/{code}")).status_code == 200
    assert await wanted(clinic, person) is None


async def test_a_mail_program_stops_them_in_one_step_and_as_often_as_it_likes(
    front: Front, clinic: Clinic, code: str
) -> None:
    person = await mailed(clinic, code)
    for _ in range(2):  # RFC 8058: answered at once, without a redirect
        assert (await post(front, code)).status_code == 200
    assert await wanted(clinic, person) == (False, person)


@pytest.mark.parametrize(
    "more",
    [
        {"content": b""},
        {"content": b"\xff\x00 whatever"},
        {"files": {"List-Unsubscribe": (None, "One-Click")}},
        {"content": b"do=stop"},
    ],
)
async def test_whatever_a_program_posts_means_no_more(front: Front, clinic: Clinic, code: str, more: Any) -> None:
    person = await mailed(clinic, code)
    assert (await front.http.post(f"/unsubscribe/{code}", **more)).status_code == 200
    assert await wanted(clinic, person) == (False, person)


async def test_who_slipped_undoes_it_by_the_button(front: Front, clinic: Clinic, code: str) -> None:
    person = await mailed(clinic, code)
    assert "Send me emails again" in (await post(front, code, {"do": "stop"})).text
    assert "Send me emails again" in (await get(front, code)).text
    assert "You get emails again" in (await post(front, code, {"do": "again"})).text
    assert await wanted(clinic, person) == (True, person)
    assert "Stop the emails" in (await get(front, code)).text


async def test_it_is_in_the_access_log_under_the_persons_name_once(
    front: Front, clinic: Clinic, code: str, owner: Any
) -> None:
    person = await mailed(clinic, code)
    await post(front, code)
    await post(front, code)
    rows = await owner.fetch(
        "select actor_id, patient_id, facts from audit_entries where operation = 'notice.unsubscribe' and actor_id = $1",
        person,
    )
    assert [tuple(row) for row in rows] == [(person, person, '{"by": "link", "unread_email": false}')]


async def test_other_settings_and_other_people_are_left_alone(front: Front, clinic: Clinic, code: str) -> None:
    person, other = await mailed(clinic, code), await mailed(clinic, secrets.token_urlsafe(24))
    await clinic.sql(
        "insert into notice_preferences (organization_id, person_id, push, push_by, push_at) values ($1, $2, false, $2, now())",
        *(clinic.organization_id, person),
    )
    await post(front, code)
    [row] = await clinic.sql("select push, push_by from notice_preferences where person_id = $1", person)
    assert tuple(row) == (False, person)
    assert await wanted(clinic, other) is None


@pytest.mark.parametrize("wrong", ["y" * 32, "short", "x" * 65, "%00" * 30, "%E2%80%A8" * 24, "a'b" * 8])
async def test_a_code_that_was_in_no_email_gets_a_plain_page(
    front: Front, clinic: Clinic, code: str, wrong: str
) -> None:
    person = await mailed(clinic, code)
    for answer in (await get(front, wrong), await post(front, wrong), await get(front, code[:-1])):
        assert answer.status_code == 404
        assert "This link does not work" in answer.text
    assert await wanted(clinic, person) is None


async def test_the_pages_run_no_script_and_are_kept_by_nobody(front: Front, clinic: Clinic, code: str) -> None:
    await mailed(clinic, code)
    for answer in (await get(front, code), await post(front, code), await get(front, "y" * 32)):
        assert "<script" not in answer.text
        assert code not in answer.text
        assert "script-src 'self'" not in answer.headers["content-security-policy"] or "<script" not in answer.text
        assert "form-action 'self'" in answer.headers["content-security-policy"]
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["x-robots-tag"] == "noindex"
        assert "set-cookie" not in answer.headers


async def test_more_than_a_form_is_not_taken(front: Front, clinic: Clinic, code: str) -> None:
    person = await mailed(clinic, code)
    assert (await post(front, code, {"do": "x" * 10_000})).status_code == 413
    assert await wanted(clinic, person) is None


async def test_the_code_stands_in_no_log(
    front: Front, clinic: Clinic, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    await mailed(clinic, code)
    with caplog.at_level(logging.DEBUG):
        await get(front, code)
        await post(front, code)
    ours = [record for record in caplog.records if record.name.partition(".")[0] in ("server", "workers")]
    assert all(code not in record.getMessage() and code not in repr(vars(record)) for record in ours)


async def test_one_address_cannot_try_codes_for_long(
    front: Front, clinic: Clinic, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The last one here: all tests of this file come from one address.
    moment = time.monotonic()
    clock = SimpleNamespace(monotonic=lambda: moment)
    monkeypatch.setattr(unsubscribe, "time", clock)
    person = await mailed(clinic, code)
    answers = [await get(front, f"{number:032}") for number in range(101)]
    assert {answer.status_code for answer in answers} == {404, 429}
    assert answers[-1].headers["retry-after"] == "1"
    assert "try again" in answers[-1].text
    assert (await post(front, code)).status_code == 429
    assert await wanted(clinic, person) is None
    moment += 1
    assert (await post(front, code)).status_code == 200, "what it was told to do works"
    assert await wanted(clinic, person) is not None
