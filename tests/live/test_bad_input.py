"""Operations asked for in every wrong way, over the socket: a clear refusal, nothing written, and the connection lives."""

import re
from dataclasses import dataclass
from typing import Any

import pytest

from server.ids import ChannelId
from server.people import team
from server.people.team import CreateTeamMember
from tests.live.conftest import Connect, Pair
from tests.support.cast import Clinic
from tests.support.wire import Refused, Wire


@dataclass
class Ward:
    """What the wrong requests name: a channel of one's own, and everything that is not one's own."""

    clinic: Clinic
    wire: Wire
    patient: str
    ids: dict[str, str]

    def filled(self, params: dict[str, Any]) -> dict[str, Any]:
        """Parameters with the names of ids replaced by ids."""
        return {name: self.ids.get(value, value) if isinstance(value, str) else value for name, value in params.items()}


@pytest.fixture
async def ward(pair: Pair, clinic: Clinic, elsewhere: Clinic, connect: Connect) -> Ward:
    patient, other = await clinic.patient(), await clinic.patient()
    colleague, archived = await clinic.team_member(), await clinic.team_member()
    mine, closed = await clinic.care_team(patient), await clinic.channel("group", clinic.clinician, patient)
    await clinic.send(clinic.clinician, mine, "First", "used")
    await clinic.archive(closed)
    await clinic.archive(archived)
    wanted = CreateTeamMember(name="Somebody", email="Somebody@Clinic.Invalid", role="NURSE")
    async with clinic.database.transaction() as tx:
        await team.insert(tx, clinic.organization_id, wanted)
    ids = {
        "MINE": mine,
        "CHAT": await clinic.channel("group", clinic.clinician, patient),
        "CLOSED": closed,
        "NOBODYS": ChannelId.new(),
        "FOREIGN": await elsewhere.care_team(await elsewhere.patient()),
        "NOT MINE": await clinic.care_team(other, colleague),
        "ARCHIVED": archived,
        "FOREIGN PERSON": elsewhere.clinician,
        "COLLEAGUE": colleague,
        "ME": clinic.clinician,
        "MY MEMBERSHIP": await clinic.membership(mine, clinic.clinician),
    }
    return Ward(clinic, await connect(pair.a, clinic.clinician), patient, {name: str(id) for name, id in ids.items()})


SEND = {"channel_id": "MINE", "client_id": "fresh", "text": "Hello"}
PATIENT = {"legal_name": "A Patient", "email": "new@clinic.invalid", "allocation_clinician_id": "ME"}
WRONG: dict[str, tuple[str, dict[str, Any], int, str]] = {
    "empty body": ("message.send", SEND | {"text": ""}, 422, "text: the message is empty"),
    "blank body": ("message.send", SEND | {"text": " \n\t "}, 422, "text: the message is empty"),
    "body too long": ("message.send", SEND | {"text": "x" * 8001}, 422, "8000 is the most"),
    "body of emoji too long": ("message.send", SEND | {"text": "🌼" * 8001}, 422, "8000 is the most"),
    "NUL in the body": ("message.send", SEND | {"text": "a\0b"}, 422, "NUL"),
    "half a character in the body": ("message.send", SEND | {"text": "a\ud800b"}, 107, "half a character"),
    "body that is no text": ("message.send", SEND | {"text": 5}, 422, "text: "),
    "no client_id": ("message.send", {"channel_id": "MINE", "text": "Hello"}, 422, "client_id: "),
    "client_id null": ("message.send", SEND | {"client_id": None}, 422, "client_id: "),
    "client_id empty": ("message.send", SEND | {"client_id": ""}, 422, "client_id: "),
    "client_id too long": ("message.send", SEND | {"client_id": "x" * 65}, 422, "client_id: "),
    "client_id with a newline": ("message.send", SEND | {"client_id": "x\n"}, 422, "client_id: "),
    "client_id not ASCII": ("message.send", SEND | {"client_id": "é"}, 422, "client_id: "),
    "client_id used for another body": ("message.send", SEND | {"client_id": "used"}, 409, "another message"),
    "channel that is not": ("message.send", SEND | {"channel_id": "NOBODYS"}, 404, "There is no such channel."),
    "channel of others": ("message.send", SEND | {"channel_id": "NOT MINE"}, 404, "There is no such channel."),
    "foreign channel": ("message.send", SEND | {"channel_id": "FOREIGN"}, 404, "There is no such channel."),
    "archived channel": ("message.send", SEND | {"channel_id": "CLOSED"}, 409, "archived"),
    "channel that is no id": ("message.send", SEND | {"channel_id": "mine' or 1=1"}, 422, "channel_id: "),
    "channel that is a number": ("message.send", SEND | {"channel_id": 7}, 422, "channel_id: "),
    "reply to what is not": ("message.send", SEND | {"reply_to": "msg_" + "0" * 20}, 404, "reply_to: "),
    "privileged fields": ("message.send", SEND | {"text": "", "author_id": "ME", "offset": 1}, 422, "empty"),
    "read mark beyond the top": ("channel.read", {"channel_id": "MINE", "offset": 3}, 422, "ends at 2"),
    "read mark below zero": ("channel.read", {"channel_id": "MINE", "offset": -1}, 422, "offset: "),
    "read mark of 2^63": ("channel.read", {"channel_id": "MINE", "offset": 2**63}, 422, "offset: "),
    "read mark not whole": ("channel.read", {"channel_id": "MINE", "offset": 1.5}, 422, "offset: "),
    "read mark in a foreign channel": ("channel.read", {"channel_id": "FOREIGN", "offset": 1}, 404, "no such channel"),
    "history before zero": ("message.history", {"channel_id": "MINE", "before": 0}, 422, "before: "),
    "history of everything": ("message.history", {"channel_id": "MINE", "limit": 101}, 422, "limit: "),
    "history of others": ("message.history", {"channel_id": "NOT MINE"}, 404, "There is no such channel."),
    "directory of others": ("channel.directory", {"channel_id": "FOREIGN"}, 404, "There is no such channel."),
    "patient with an archived clinician": (
        "patient.create", PATIENT | {"allocation_clinician_id": "ARCHIVED"}, 409, "archived"),
    "patient with a foreign clinician": (
        "patient.create", PATIENT | {"allocation_clinician_id": "FOREIGN PERSON"}, 422, "allocation_clinician_id: "),
    "an email twice, in another case": (
        "patient.create", PATIENT | {"email": "sOMEBODY@clinic.invalid"}, 409, "email"),
    "a foreign person as member": (
        "member.add", {"channel_id": "MINE", "person_id": "FOREIGN PERSON"}, 422, "there is no such person"),
    "an archived person as member": (
        "member.add", {"channel_id": "MINE", "person_id": "ARCHIVED"}, 409, "archived"),
    "a member twice": ("member.add", {"channel_id": "MINE", "person_id": "ME"}, 409, "already"),
    "the last team member": (
        "member.remove", {"channel_id": "MINE", "member_id": "MY MEMBERSHIP"}, 409, "Add a colleague first"),
    "nobody as member": (
        "member.remove", {"channel_id": "MINE", "member_id": "mb_" + "0" * 20}, 404, "no such member"),
    "no operation": ("message.burn", {}, 108, "message.burn"),
    "no method": ("", {}, 108, "There is no operation"),
}  # fmt: skip


async def test_a_wrong_request_is_refused_in_words_and_changes_nothing(ward: Ward, subtests: pytest.Subtests) -> None:
    for number, (case, (method, params, code, words)) in enumerate(WRONG.items()):
        with subtests.test(case):
            before = await state(ward.clinic)
            with pytest.raises(Refused, match=rf"^{code}: .*{re.escape(words)}") as refusal:
                await ward.wire.rpc(method, **ward.filled(params))
            assert not refusal.value.temporary, "trying the same again would not help"
            assert await state(ward.clinic) == before
            sent = await ward.wire.send(ward.ids["CHAT"], "And on it goes", f"after-{number}")
            assert sent["offset"] == number + 2


async def test_parameters_that_are_no_object_are_refused(ward: Ward) -> None:
    for data in ([], "text", 5, True, [[[]]], [{"channel_id": "x"}]):
        with pytest.raises(Refused, match=r"^422:"):
            await ward.wire.ask(rpc={"method": "message.send", "data": data})
    assert await ward.wire.rpc("me")


async def test_an_archived_patient_reads_but_does_not_write(ward: Ward, pair: Pair, connect: Connect) -> None:
    wire = await connect(pair.b, ward.patient)
    await ward.clinic.archive(ward.patient)
    for one in (wire, await connect(pair.a, ward.patient)):
        with pytest.raises(Refused, match=r"^403: You can no longer write here"):
            await one.send(ward.ids["MINE"], "Hello", "hello")
        assert len((await one.rpc("message.history", channel_id=ward.ids["MINE"]))["items"]) == 2
        await one.subscribe(ward.ids["MINE"])


async def state(clinic: Clinic) -> list[Any]:
    """All that a request could have changed, in this organisation."""
    tables = ("people", "channels", "memberships", "messages", "events")
    query = " union all ".join(
        f"select '{name}', count(*), md5(string_agg(t::text, '' order by t::text)) from {name} t where organization_id = $1"
        for name in tables
    )
    return [tuple(row) for row in await clinic.sql(query, clinic.organization_id)]
