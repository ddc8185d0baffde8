"""Opening channels: staff channels about a patient, groups, and direct channels; and the one way any channel begins."""

import hashlib
from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from server.chat import policy
from server.chat.append import append
from server.chat.memberships import join, require_active
from server.chat.models import Channel
from server.chat.names import require_distinct
from server.db import Transaction
from server.errors import Invalid, NotFound
from server.events import Event
from server.ids import ChannelId, MembershipId, OrganizationId, PatientId, PersonId
from server.locks import lock
from server.people.actors import Actor
from server.people.wording import Name


class OpenChannel(BaseModel):
    """Open a staff, group or direct channel. You are in it."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"kind": "staff", "name": "Next steps"}]})
    kind: Literal["staff", "group", "direct"]
    name: Name | None = Field(None, description="Of a staff or group channel", max_length=100)
    patient_id: PatientId | None = Field(None, description="Whom a staff channel is about; they never see it")
    person_ids: list[PersonId] = Field(
        [],
        max_length=100,
        description="Who else is in it; patients only in a group, at least one colleague in a direct one",
    )


class Opened(BaseModel):
    """The channel, and whether it is new: the same people always open the same direct channel."""

    channel_id: ChannelId
    created: bool


async def open_channel(tx: Transaction, actor: Actor, params: OpenChannel) -> Opened:
    """Open a channel of a kind that people open by themselves (domain.md §2, the table of kinds).

    Raises:
        Forbidden: patients open none; a group takes messaging.manage; a staff channel, patient.read.
        Invalid: what this kind takes and what it does not, or nobody of that id. NotFound: no such patient.
        Conflict: somebody is archived.
    """
    manages = "messaging.manage" in actor.permissions
    if refused := policy.refusal("open", params.kind, policy.Standing(False, actor.is_staff, manages)):
        raise refused
    if wrong := misfit(params):
        raise Invalid(wrong)
    if params.kind == "staff":
        actor.require("patient.read")
    people = sorted({PersonId(actor.person_id), *params.person_ids})
    await lock(tx, actor.organization_id, people=[*people, *([params.patient_id] if params.patient_id else [])])
    if params.patient_id is not None:
        await _require_patient(tx, actor.organization_id, params.patient_id)
    if params.kind == "direct":
        return await _direct(tx, actor, people)
    await require_active(tx, actor.organization_id, people)
    channel = Channel(
        organization_id=actor.organization_id, id=ChannelId.new(), kind=params.kind, name=params.name,
        patient_id=params.patient_id,
    )  # fmt: skip
    if params.kind == "group":
        await require_distinct(tx, actor.organization_id, channel.id, people)
    await begin(tx, channel, people, by=actor.person_id)
    return Opened(channel_id=channel.id, created=True)


def misfit(params: OpenChannel) -> str | None:
    """What does not fit the kind of channel that is asked for, in words."""
    patients = any(person.startswith("pa_") for person in params.person_ids)
    if (params.kind != "direct") != (params.name is not None):
        return "name: give a staff or group channel a name, and a direct one none."
    if (params.kind == "staff") != (params.patient_id is not None):
        return "patient_id: a staff channel is about one patient; groups and direct channels are about none."
    if patients and params.kind != "group":
        return "person_ids: only a group channel takes patients. Name team members."
    return None


async def begin(
    tx: Transaction, channel: Channel, people: Sequence[str], *, by: str | None = None, source: str = "manual"
) -> Event:
    """Write a new channel, the event that opens it, and who is in it from the start: everybody sees it from there on.

    Args:
        channel: not written yet; its people are locked.
        by: the person whose act it is, if it is somebody's.
        source: of the memberships: rule, manual, fallback or roster.
    """
    tx.session.add(channel)
    await tx.session.flush()
    ids = {person: MembershipId.new() for person in people}
    facts = {"opens": list(ids.values())} | ({"by": ids[by]} if by in ids else {})
    event = await append(tx, channel.organization_id, channel.id, "opened", facts)
    for person, membership_id in ids.items():
        join(tx, event, channel.kind, person, membership_id, visible_from=1, source=source)
    await tx.session.flush()
    tx.concerns(channel_id=channel.id, patient_id=channel.patient_id)
    return event


async def _require_patient(tx: Transaction, organization_id: OrganizationId, patient_id: PatientId) -> None:
    found = await tx.rows("select id from patients where (organization_id, id) = ($1, $2)", organization_id, patient_id)
    if not found:
        raise NotFound("There is no such patient.")


async def _direct(tx: Transaction, actor: Actor, people: Sequence[PersonId]) -> Opened:
    """The direct channel of these people. They are locked, so of two who open it at once the second finds the first's."""
    if len(people) < 2:
        raise Invalid("person_ids: a direct channel takes at least one colleague beside you.")
    founding_set = hashlib.sha256("\n".join(people).encode()).hexdigest()
    found = await tx.rows(
        "select id, top_offset from channels where (organization_id, founding_set) = ($1, $2) and kind = 'direct'",
        actor.organization_id,
        founding_set,
    )
    if found:
        channel_id = ChannelId(found[0]["id"])
        await lock(tx, actor.organization_id, channels=[channel_id])
        await _come_back(tx, actor, channel_id, people)
        tx.concerns(channel_id=channel_id)
        return Opened(channel_id=channel_id, created=False)
    await require_active(tx, actor.organization_id, people)
    channel = Channel(
        organization_id=actor.organization_id, id=ChannelId.new(), kind="direct", founding_set=founding_set
    )
    await begin(tx, channel, people, by=actor.person_id)
    return Opened(channel_id=channel.id, created=True)


async def _come_back(tx: Transaction, actor: Actor, channel_id: ChannelId, people: Sequence[PersonId]) -> None:
    """Whoever was archived and is active again is a member again; and the actor's list shows the channel."""
    missing = await tx.rows(
        """select p.id from people p where p.organization_id = $1 and p.id = any ($2) and p.status = 'active' and not exists (
             select from memberships m where (m.organization_id, m.person_id) = (p.organization_id, p.id)
                and m.channel_id = $3 and m.left_at is null) order by p.id""",
        actor.organization_id,
        list(people),
        channel_id,
    )
    for row in missing:
        membership_id = MembershipId.new()
        event = await append(tx, actor.organization_id, channel_id, "joined", {"opens": [membership_id]})
        join(tx, event, "direct", row["id"], membership_id, visible_from=1, source="manual")
        await tx.session.flush()
    await tx.rows(
        """update memberships set hidden_offset = null
            where (organization_id, channel_id, person_id) = ($1, $2, $3) and hidden_offset is not null""",
        actor.organization_id,
        channel_id,
        actor.person_id,
    )
