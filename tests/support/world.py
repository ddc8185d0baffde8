"""Two organisations, and in one of them somebody with channels that are theirs, never were, and are no more."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from server.ids import EncounterId, GroupId, GroupMemberId, GuestId
from tests.support.cast import Clinic

Ids = dict[str, str]
"""Ids by what they name (`x-id`)."""


@dataclass
class World:
    """What a caller may name, and what others have of the same kinds: ids by what they name."""

    clinic: Clinic
    caller: str
    own: Ids
    others: dict[str, Ids] = field(default_factory=dict)


async def everything(clinic: Clinic, kind: str, *members: str) -> Ids:
    """One of each thing there is. The channel is of this kind and has these members, and somebody who may be removed.

    The patient also has a service-team channel, which is the leaver's alone.
    """
    patient, leaver, newcomer = await clinic.patient(), await clinic.team_member(), await clinic.team_member()
    about = patient if kind in ("care_team", "staff") else None
    writer = next(iter(members), leaver)
    people = (leaver, *members) if kind in ("staff", "direct") else (patient, leaver, *members)
    channel = await clinic.channel(kind, *people, patient=about)
    await clinic.channel("service_team", patient, leaver, patient=patient)
    message = await clinic.send(writer, channel, "Text")
    [cohort, *_] = await clinic.sql("select id from patient_groups where organization_id = $1", clinic.organization_id)
    return await roster(clinic) | {
        "patient": patient,
        "team_member": leaver,
        "person": newcomer,
        "patient_group": cohort["id"],
        "channel": channel,
        "membership": await clinic.membership(channel, leaver),
        "message": message["message_id"],
        "device": await clinic.device(writer),
    }


async def roster(clinic: Clinic) -> Ids:
    """A group with a guest in it, and an encounter of theirs; written past the operations, which are what is tried."""
    group, guest, member, encounter = GroupId.new(), GuestId.new(), GroupMemberId.new(), EncounterId.new()
    for statement, *values in (
        ("""insert into groups (organization_id, id, name, type, facilitator_id, created_by_user)
            values ($1, $2, 'Group', 'therapy', $3, $3)""", group, clinic.clinician),
        ("insert into guests (organization_id, id, display_name, created_by_user) values ($1, $2, 'Guest', $3)",
         guest, clinic.clinician),
        ("insert into group_members (organization_id, id, group_id, member_type, guest_id) values ($1, $2, $3, 'guest', $4)",
         member, group, guest),
        ("""insert into encounters (organization_id, id, subject_type, group_id, encounter_date, type, created_by_user)
            values ($1, $2, 'group', $3, now(), 'group-therapy', $4)""", encounter, group, clinic.clinician),
    ):  # fmt: skip
        await clinic.sql(statement, clinic.organization_id, *values)
    return {"group": group, "guest": guest, "group_member": member, "encounter": encounter}


async def situations(clinic: Clinic) -> AsyncIterator[tuple[Ids, str]]:
    """What to try an operation with until it works, each time in a world of its own, and as whom: not every kind of channel
    knows every operation, nor is each for both team members and patients."""
    for kind in ("group", "care_team", "direct"):
        for patient in (False, True):
            own = await everything(clinic, kind, clinic.clinician)
            yield own, own["patient"] if patient else clinic.clinician
    own = await everything(clinic, "group", clinic.clinician)
    gone = {"patient": str(await clinic.patient()), "team_member": str(await clinic.team_member())}
    for person in gone.values():
        await clinic.archive(person)
    left = "update group_members set status = 'left', left_at = clock_timestamp() where id = $1"
    await clinic.sql(left, own["group_member"])
    yield own | gone, clinic.clinician


async def around(clinic: Clinic, elsewhere: Clinic, caller: str, kind: str) -> World:
    """A world around a caller, in channels of one kind."""
    world = World(clinic, caller, await everything(clinic, kind, caller))
    foreign = await everything(elsewhere, kind)
    theirs = ("channel", "membership", "message")
    not_mine = await everything(clinic, kind)
    no_more = await everything(clinic, kind, caller)
    await clinic.remove(no_more["channel"], caller, by=caller)
    gone = await clinic.team_member()
    left = (await clinic.add(world.own["channel"], gone, by=caller))["member_id"]
    await clinic.remove(world.own["channel"], gone, by=caller)
    world.others = {
        "of another organisation": foreign,
        "a patient of another organisation": {"person": foreign["patient"]},
        "of a channel where they never were": {name: not_mine[name] for name in theirs},
        "of a channel that they left": {name: no_more[name] for name in theirs},
        "a membership that has ended": {"membership": left},
        "another person's": {"device": not_mine["device"]},
    }
    return world


def nowhere(id: str) -> str:
    """An id of the same type that names nothing."""
    prefix, _, rest = id.partition("_")
    return f"{prefix}_{''.join(secrets.choice('0123456789') for _ in rest)}"
