"""Does the deeds: as requests to gateways, or as calls of this process; tells what was answered as the oracle's steps."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any, Protocol
from urllib.parse import quote

import httpx

from server.dispatching import Dispatcher
from server.errors import WarmlineError
from server.operations import BY_NAME
from tests.property.choosing import Deed
from tests.property.founding import Ward
from tests.property.reading import Names
from tests.property.situation import CARE, SERVICE, Plan
from tests.property.verdicts import OK, Step
from tests.support.site import Gateway, Site

_AGAIN = (429, 503)
_PATIENCE = 40
_WORDS = (
    ("needs at least one active team member", "last"),
    ("Nobody is left", "nobody"),
    ("The situation has changed", "moved"),
    ("There is no such channel", "not found"),
    ("There is no such member", "not found"),
    ("takes Messaging Management", "not allowed"),
    ('Ask an administrator for "messaging.manage"', "not allowed"),
    ("This is for team members", "not allowed"),
    ("Patients stay", "patient stays"),
    ("An archived person cannot join", "archived person"),
    ("can be added nowhere", "pending person"),
    ("is in the channel already", "already"),
    ("This person is archived already", "not active"),
    ("successor_id: this team member is archived, or is being", "successor"),
    ("is being archived already", "already"),
    ("nominate at least one active", "no nominee"),
    ("this team member is archived. Name", "archived person"),
    ("this team member is being archived. Name", "pending person"),
    ("The patient is archived", "archived patient"),
    ("is archived already", "already"),
    ("is active already", "already"),
    ("You can read here", "read only"),
    ("You are not signed in", "signed out"),
    ("the channel ends at", "beyond"),
    ("takes no messages", "closed"),
)


def reason(status: int, said: str) -> str:
    """The reason that a refusal's words give."""
    for words, meant in _WORDS:
        if words in said:
            return meant
    return f"unforeseen {status}: {said}"


class Line(Protocol):
    """A way to have an operation done: its status and what it answered."""

    async def __call__(self, ward: Ward, person: str, name: str, params: dict[str, Any]) -> tuple[int, Any]: ...


class Inside:
    """Calls of this process, over connections of its own."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self._dispatcher = dispatcher

    async def __call__(self, ward: Ward, person: str, name: str, params: dict[str, Any]) -> tuple[int, Any]:
        """Do it, or the status and words of the refusal."""
        try:
            data = json.dumps(params).encode()
            return 200, json.loads(await self._dispatcher.call(ward.cast.identity(person), name, data))
        except WarmlineError as refused:
            return refused.status, refused.message


class Outside:
    """Requests to one gateway, with tokens."""

    def __init__(self, site: Site, gateway: Gateway) -> None:
        self._site = site
        self.http = httpx.AsyncClient(base_url=gateway.url, timeout=30)

    async def __call__(self, ward: Ward, person: str, name: str, params: dict[str, Any]) -> tuple[int, Any]:
        """Send it, and read the answer."""
        operation, path, rest = BY_NAME[name], BY_NAME[name].path, {}
        for field, value in params.items():
            if f"{{{field}}}" in path:
                path = path.replace(f"{{{field}}}", quote(str(value), safe=""))
            elif operation.method in ("POST", "PUT") or value is not None:
                rest[field] = value
        headers = {"Authorization": f"Bearer {self._site.token(ward.cast.identity(person))}"}
        body: dict[str, Any] = {"json": rest} if operation.method in ("POST", "PUT") else {"params": rest}
        answer = await self.http.request(operation.method, path, headers=headers, **body)
        told = answer.json()
        return answer.status_code, told if answer.status_code == 200 else told["error"]["message"]


class Driver:
    """Does deeds in one ward over one line, and tells them as steps."""

    def __init__(self, ward: Ward, line: Line) -> None:
        self._ward, self._line, self.retries = ward, line, 0

    async def do(self, deed: Deed) -> list[Step]:
        """Do it; what was observed, in its order. What a worker does of it comes last, and its result later."""
        if deed.verb == "archive":
            return await self._archive(deed)
        if deed.verb == "send":
            await self._ask(deed.actor, *_REQUESTS["send"](self._ward, deed.facts))
            return []
        name, params = _REQUESTS[deed.verb](self._ward, deed.facts)
        result, told = await self._ask(deed.actor, name, params)
        if deed.verb != "create_patient":
            return [Step(deed.verb, deed.actor, deed.facts, result)]
        made = self._ward.names.call(deed.facts["name"], told["id"]) if result == OK else None
        created = Step("create_patient", deed.actor, deed.facts | {"made": made}, result)
        owed = [Step("activation", "", {"patient": made, "kind": kind}) for kind in (CARE, SERVICE)]
        return [created, *(owed if made else [])]

    async def _archive(self, deed: Deed) -> list[Step]:
        person, successor = deed.facts["person"], deed.facts["successor"]
        params = {
            "team_member_id": self._ward.id(person),
            "successor_id": self._ward.id(successor) if successor else None,
        }
        facts, steps = {"person": person, "successor": successor, "told": None}, []
        preview = None
        if deed.facts["looks"]:
            result, told = await self._ask(deed.actor, "team_member.archive_preview", params)
            if result == OK:
                facts, preview = facts | {"told": told}, told["preview"]
            steps.append(Step("preview", deed.actor, facts, result))
        result, told = await self._ask(deed.actor, "team_member.archive", params | {"preview": preview})
        steps.append(Step("request", deed.actor, facts, result))
        if result == OK:
            steps.append(Step("work", "", {"person": person, "archiving": told["id"]}))
        return steps

    async def _ask(self, actor: str, name: str, params: dict[str, Any]) -> tuple[str, Any]:
        """Ask until it is answered for good: whoever is told to try again does."""
        for _ in range(_PATIENCE):
            status, told = await self._line(self._ward, self._ward.id(actor), name, params)
            if status == 200:
                return OK, told
            if status not in _AGAIN:
                return reason(status, told), told
            self.retries += 1
            await asyncio.sleep(0.05)
        raise AssertionError(f"{name} was put off {_PATIENCE} times: {told}")


def plan(names: Names, told: dict[str, Any] | None) -> Plan | None:
    """What a preview said, by the names that things have by now."""
    if told is None:
        return None

    def named(ids: Sequence[str]) -> frozenset[str]:
        return frozenset(str(names.of(id)) for id in ids)

    handovers = sorted((str(names.of(one["channel_id"])), named(one["team_member_ids"])) for one in told["handovers"])
    left, unstaffed = named(told["leaves"]), named(told["unstaffed"])
    return Plan(left, tuple(handovers), unstaffed, named(told["patients"]), named(told["groups"]))


def _channel(ward: Ward, facts: dict[str, Any]) -> dict[str, Any]:
    return {"channel_id": ward.id(facts["channel"])}


def _maybe(ward: Ward, name: str | None) -> str | None:
    return ward.id(name) if name else None


def _rule(ward: Ward, facts: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    nominees = [ward.id(one) for one in facts["nominees"]]
    said = {"automatic": facts["automatic"], "include_allocation_clinician": facts["includes"]}
    return "activation_rule.set", {"kind": facts["kind"], "team_member_ids": nominees} | said


def _new_patient(ward: Ward, facts: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    email = f"ward{ward.number}.{facts['name']}@clinic.invalid"
    named = {"legal_name": f"Demo Patient {facts['name'][1:]}", "email": email}
    return "patient.create", named | {"allocation_clinician_id": ward.id(facts["clinician"])}


def _sending(ward: Ward, facts: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    ward.made += 1
    return "message.send", _channel(ward, facts) | {"client_id": f"sent-{ward.made}", "text": "How are you today?"}


_REQUESTS: dict[str, Any] = {
    "leave": lambda w, f: ("channel.leave", _channel(w, f) | {"replacement_id": _maybe(w, f["instead"])}),
    "remove": lambda w, f: (
        "member.remove",
        _channel(w, f) | {"member_id": w.names.members[f["channel"], f["person"]]},
    ),
    "add": lambda w, f: ("member.add", _channel(w, f) | {"person_id": w.id(f["person"])}),
    "read": lambda w, f: ("channel.read", _channel(w, f) | {"offset": f["upto"]}),
    "send": _sending,
    "reassign": lambda w, f: (
        "patient.update",
        {"patient_id": w.id(f["patient"]), "allocation_clinician_id": w.id(f["clinician"])},
    ),
    "archive_patient": lambda w, f: ("patient.archive", {"patient_id": w.id(f["patient"])}),
    "unarchive_patient": lambda w, f: ("patient.unarchive", {"patient_id": w.id(f["patient"])}),
    "archive_channel": lambda w, f: ("channel.archive", _channel(w, f)),
    "unarchive_channel": lambda w, f: ("channel.unarchive", _channel(w, f)),
    "facilitate": lambda w, f: ("channel.facilitator", _channel(w, f) | {"facilitator_id": _maybe(w, f["person"])}),
    "activate": lambda w, f: (
        "channel.activate",
        {"patient_id": w.id(f["patient"]), "kind": f["kind"], "team_member_ids": [w.id(one) for one in f["team"]]},
    ),
    "set_rule": _rule,
    "set_net": lambda w, f: ("organization.update", {"safety_net_id": _maybe(w, f["person"])}),
    "set_cohort": lambda w, f: (
        "patient_group.update",
        {"patient_group_id": w.id(f["cohort"]), "team_member_ids": [w.id(one) for one in f["team"]]},
    ),
    "create_patient": _new_patient,
    "return_staff": lambda w, f: ("team_member.unarchive", {"team_member_id": w.id(f["person"])}),
}
