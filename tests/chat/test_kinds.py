"""Five kinds of channel: each verb by everybody who could try it, through the operations, as the table of domain.md §2 says."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from server.chat.policy import Kind
from server.errors import Conflict, Forbidden, NotFound, Unauthorized, WarmlineError
from tests.support.cast import Clinic
from tests.support.posting import KINDS

ACTORS = ("team", "manager", "stranger", "outside manager", "ex-member", "patient", "archived", "gone", "other clinic")
"""In and out of the channel; "archived" is a patient, "gone" a team member, both archived."""
ANSWERS = {None: ".", Forbidden: "f", NotFound: "n", Conflict: "c", Unauthorized: "u"}
NEVER = "ffnnnffun"
"""Everybody in it is forbidden, everybody else finds nothing. In staff and direct channels a patient is not in it."""
EXPECTED: dict[str, dict[str, str]] = {
    "see": {"staff": "..nnnnnun", "direct": "..nnnnnun", "*": "..nnn..un"},
    "add": {"group": "f.nnnffun", "direct": "ffnnnnnun", "staff": "..nnnnnun", "*": "..nnnffun"},
    "add_patient": {"group": "f.nnnffun", "direct": "ffnnnnnun", "staff": "ffnnnnnun", "*": NEVER},
    "remove": {"direct": "ffnnnnnun", "staff": "f.nnnnnun", "*": "f.nnnffun"},
    "leave": {"group": "..nnn.fun", "direct": "ffnnnnnun", "staff": "..nnnnnun", "*": "..nnnffun"},
    "rename": {"group": "f.nnnffun", "direct": "ffnnnnnun", "staff": "..nnnnnun", "*": NEVER},
    "archive": {"direct": "ffnnnnnun", "staff": "..nnnnnun", "*": "..nnnffun"},
    "unarchive": {"direct": "ffnnnnnun", "staff": "..n.nnnun", "*": "..n.nffun"},
    "hide": {"direct": "..nnnnnun", "staff": "ffnnnnnun", "*": NEVER},
}


class Scene:
    """Everybody who could try something, and channels for them to try it on."""

    def __init__(self, clinic: Clinic, elsewhere: Clinic, kind: Kind) -> None:
        self.clinic, self.elsewhere, self.kind = clinic, elsewhere, kind
        self.people: dict[str, str] = {}

    async def begin(self) -> "Scene":
        make = self.clinic.team_member
        for name in ("team", "colleague", "ex-member", "stranger", "spare", "gone"):
            self.people[name] = await make()
        self.people["manager"], self.people["outside manager"] = await make("ADMIN"), await make("ADMIN")
        for name in ("patient", "archived", "spare patient"):
            self.people[name] = await self.clinic.patient()
        await self.clinic.archive(self.people["gone"])
        return self

    async def channel(self, actor: str) -> str:
        """A fresh channel, as this actor needs it to be in it or to have been."""
        who = self.people
        patient = who["archived" if actor == "archived" else "patient"]
        people = [who["team"], who["manager"], who["colleague"]]
        if self.kind in ("care_team", "service_team"):
            patient = await self.clinic.patient()
            who["patient" if actor != "archived" else "archived"] = patient
        if self.kind not in ("staff", "direct"):
            people.append(patient)
        about = None if self.kind in ("group", "direct") else patient
        channel = await self.clinic.channel(self.kind, *people, patient=about)
        if actor == "ex-member" and self.kind != "direct":
            await self.clinic.add(channel, who["ex-member"], by=who["manager"])
            await self.clinic.remove(channel, who["ex-member"], by=who["manager"])
        if actor == "archived":
            await self.clinic.archive(patient)
        return channel

    async def attempt(self, verb: str, actor: str) -> str:
        """What this actor is told."""
        channel = await self.channel(actor)
        params = await VERBS[verb](self, channel)
        name = str(params.pop("name_"))
        clinic = self.elsewhere if actor == "other clinic" else self.clinic
        person = clinic.clinician if actor == "other clinic" else self.people[actor]
        before = await self.clinic.offsets(channel)
        try:
            await clinic.call(person, name, channel_id=channel, **params)
        except WarmlineError as refused:
            assert await self.clinic.offsets(channel) == before
            return ANSWERS[type(refused)]
        return "."


async def see(scene: Scene, channel: str) -> dict[str, Any]:
    return {"name_": "message.history"}


async def add(scene: Scene, channel: str) -> dict[str, Any]:
    return {"name_": "member.add", "person_id": scene.people["spare"]}


async def add_patient(scene: Scene, channel: str) -> dict[str, Any]:
    return {"name_": "member.add", "person_id": scene.people["spare patient"]}


async def remove(scene: Scene, channel: str) -> dict[str, Any]:
    return {"name_": "member.remove", "member_id": await scene.clinic.membership(channel, scene.people["colleague"])}


async def leave(scene: Scene, channel: str) -> dict[str, Any]:
    return {"name_": "channel.leave"}


async def rename(scene: Scene, channel: str) -> dict[str, Any]:
    return {"name_": "channel.rename", "name": "Another name"}


async def archive(scene: Scene, channel: str) -> dict[str, Any]:
    return {"name_": "channel.archive"}


async def unarchive(scene: Scene, channel: str) -> dict[str, Any]:
    if scene.kind != "direct":
        await scene.clinic.archive(channel)
    return {"name_": "channel.unarchive"}


async def hide(scene: Scene, channel: str) -> dict[str, Any]:
    return {"name_": "channel.hide"}


VERBS: dict[str, Callable[[Scene, str], Awaitable[dict[str, Any]]]] = {
    "see": see, "add": add, "add_patient": add_patient, "remove": remove, "leave": leave, "rename": rename,
    "archive": archive, "unarchive": unarchive, "hide": hide,
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
async def test_everybody_is_told_what_the_table_says(clinic: Clinic, elsewhere: Clinic, kind: Kind) -> None:
    scene = await Scene(clinic, elsewhere, kind).begin()
    told, expected = {}, {}
    for verb in VERBS:
        told[verb] = "".join([await scene.attempt(verb, actor) for actor in ACTORS])
        expected[verb] = EXPECTED[verb].get(kind, EXPECTED[verb]["*"])
    assert told == expected
