"""Looking into the access log: by those who may, in pages, recorded itself, and not where the server may not read it."""

from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest

from server.chat.batcher import Batcher
from server.db import Database
from server.dispatching import Dispatcher
from server.errors import Forbidden
from tests.support.cast import MASTER, Clinic
from tests.support.commands import here
from tests.support.front import Front


async def listed(clinic: Clinic, **params: Any) -> list[dict[str, Any]]:
    return list((await clinic.call(clinic.clinician, "audit.list", **params))["entries"])


async def test_who_saw_a_patients_record_and_a_channels(clinic: Clinic, elsewhere: Clinic) -> None:
    patient, other, nurse = await clinic.patient(), await clinic.patient(), await clinic.team_member("NURSE")
    channel = await clinic.care_team(patient)
    await clinic.call(nurse, "patient.get", patient_id=patient)
    await clinic.call(nurse, "patient.get", patient_id=other)
    await clinic.call(clinic.clinician, "message.history", channel_id=channel)
    with pytest.raises(Exception, match="no such channel"):
        await clinic.call(nurse, "message.history", channel_id=channel)
    await elsewhere.call(elsewhere.clinician, "patient.list")
    of_patient = await listed(clinic, patient_id=patient)
    assert [(one["operation"], one["actor_id"], one["outcome"]) for one in of_patient] == [
        ("message.history", nurse, "refused"),
        ("message.history", clinic.clinician, "done"),
        ("patient.read", nurse, "done"),
        ("channel.activate", clinic.clinician, "done"),
    ]
    assert {one["patient_id"] for one in of_patient} == {patient}
    of_channel = await listed(clinic, channel_id=channel, outcome="done")
    assert [one["operation"] for one in of_channel] == ["message.history", "channel.activate"]
    assert [one["patient_id"] for one in await listed(clinic, actor_id=nurse, outcome="done")] == [other, patient]
    everything = await listed(clinic)
    assert "audit.list" in {one["operation"] for one in everything}, "looking is recorded as well"
    about = [one["patient_id"] for one in everything if one["operation"] == "audit.list"]
    assert about == [None, patient, patient], "as what it was about"


async def test_pages_go_back_without_a_gap(clinic: Clinic) -> None:
    for _ in range(7):
        await clinic.call(clinic.clinician, "patient.list")
    found, before = [], {}
    for _ in range(4):
        page = await clinic.call(clinic.clinician, "audit.list", limit=2, **before)
        found += [one for one in page["entries"] if one["operation"] == "patient.list"]
        before = {"before": page["entries"][-1]["id"]}
    ids = [one["id"] for one in found]
    assert ids == sorted(ids, reverse=True)
    assert len(ids) == len(set(ids)) == 7
    middle = found[3]["at"]
    since, until = [await listed(clinic, actor_id=clinic.clinician, **{name: middle}) for name in ("since", "until")]
    assert {one["id"] for one in since} >= set(ids[:4])
    assert [one["id"] for one in until] == ids[4:]


async def test_where_the_servers_login_may_not_read_the_log_it_says_so(
    clinic: Clinic, batcher: Batcher, owner: asyncpg.Connection, database_url: str
) -> None:
    name = f"gateway_{clinic.organization_id[-8:]}"
    await owner.execute(f"create role {name} login password 'gateway' in role warmline_app")
    address = urlsplit(database_url)
    theirs = urlunsplit(address._replace(netloc=f"{name}:gateway@{address.hostname}:{address.port}"))
    login = Database(theirs, MASTER, lambda topic, payload: None)
    await login.start()
    try:
        with pytest.raises(Forbidden, match="warmline audit show"):
            await Dispatcher(login, batcher).call(clinic.identity(clinic.clinician), "audit.list", {})
        await owner.execute(f"grant warmline_auditor to {name}")
        assert await Dispatcher(login, batcher).call(clinic.identity(clinic.clinician), "audit.list", {})
    finally:
        await login.stop()
        await owner.execute(f"drop owned by {name}; drop role {name}")


async def test_on_the_command_line(clinic: Clinic, front: Front, database_url: str) -> None:
    patient, nurse = await clinic.patient(), await clinic.team_member("NURSE")
    await clinic.call(nurse, "patient.get", patient_id=patient)
    settings = {
        "DATABASE_URL": database_url,
        "REDIS_URL": "redis://127.0.0.1:1/0",
        "WARMLINE_MASTER_KEY_FILE": str(front.issuer.folder / "master.key"),
        "WARMLINE_TOKEN_ISSUER": "issuer",
        "WARMLINE_TOKEN_KEYS_FILE": str(front.issuer.folder / "issuer.jwks"),
    }
    shown = await here("audit", "show", "--as", clinic.clinician, "--patient", patient, "--limit", "1", **settings)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert f"done    patient.read             {nurse} " in shown.stdout
    assert f" patient_id={patient}\n" in shown.stdout
    again = await here("audit", "show", "--as", clinic.clinician, "--limit", "1", **settings)
    assert "audit.list" in again.stdout
    assert "There is more: --before " in again.stdout
    for person, says in ((nurse, "audit.read"), ("tm_nobody", "There is no such person.")):
        refused = await here("audit", "show", "--as", person, **settings)
        assert refused.returncode == 1
        assert says in refused.stderr
