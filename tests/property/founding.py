"""Founds a small random clinic to play in: a handful of people, their channels, and rules that are as incomplete as they come."""

from random import Random

import asyncpg

from server.people import patients, team
from server.people.patients import CreatePatient
from server.people.team import CreateTeamMember
from tests.property.reading import Names, quiet
from tests.property.situation import own
from tests.support.cast import Clinic, found

OFFICE = "office"
"""Who asks for what takes an administrator; in no channel, never archived, in no link of a chain."""
GONE = "s0"
"""Who is archived from the start, where anybody is."""


class Ward:
    """A clinic, what its people and channels are called, and the connection that looks at what is committed."""

    def __init__(self, cast: Clinic, number: int) -> None:
        self.cast, self.number, self.names, self.made = cast, number, Names(), 0

    def id(self, name: str) -> str:
        """The id of a name."""
        return self.names.ids[name]


async def ward(clinic: Clinic, owner: asyncpg.Pool, rng: Random, number: int) -> Ward:
    """A new one, the same for the same random numbers but for its ids."""
    made = Ward(await found(clinic.database, clinic.batcher), number)
    made.names.call(OFFICE, made.cast.clinician)
    await _people(made, rng)
    await quiet(owner, made.cast.organization_id)
    bare = rng.random() < 0.3
    archived = await _one_archived(made, owner, rng, bare)
    await _channels(made, rng, archived, bare)
    await _settings(made, owner, rng, bare)
    return made


async def _people(made: Ward, rng: Random) -> None:
    organization = made.cast.organization_id
    async with made.cast.database.transaction() as tx:
        for number in range(rng.randint(5, 7)):
            email = f"ward{made.number}.staff{number}@clinic.invalid"
            wanted = CreateTeamMember(
                name=f"Colleague {number}", email=email, role="MANAGER" if number < 3 else "DOCTOR"
            )
            made.names.call(f"s{number}", await team.insert(tx, organization, wanted))
        staff = [name for name in made.names.ids if name != OFFICE]
        for number in range(rng.randint(3, 4)):
            email = f"ward{made.number}.patient{number}@clinic.invalid"
            clinician = made.names.ids[rng.choice(staff)]
            wanted_patient = CreatePatient.model_validate(
                {"legal_name": f"Demo Patient {number}", "email": email, "allocation_clinician_id": clinician}
            )
            made.names.call(f"p{number}", await patients.insert(tx, organization, wanted_patient))


async def _one_archived(made: Ward, owner: asyncpg.Pool, rng: Random, bare: bool) -> str | None:
    """One patient is archived already, now and then; in their channels nobody of the team need be left. In a bare clinic
    their allocation clinician is gone as well."""
    if bare:
        await owner.execute("update people set status = 'archived' where id = $1", made.id(GONE))
        await owner.execute(
            "update patients set allocation_clinician_id = $2 where id = $1", made.id("p0"), made.id(GONE)
        )
    if not bare and rng.random() < 0.5:
        return None
    await owner.execute("update people set status = 'archived' where id = $1", made.id("p0"))
    return "p0"


async def _channels(made: Ward, rng: Random, archived: str | None, bare: bool) -> None:
    staff = [name for name in made.names.ids if name.startswith("s") and not (bare and name == GONE)]
    treated = [name for name in made.names.ids if name.startswith("p")]
    ids = made.names.ids
    for patient in treated:
        for kind, likely in (("care_team", 0.9), ("service_team", 0.7)):
            if rng.random() < likely:
                least, most = (0, 0 if bare else 2) if patient == archived else (1, 2)
                team = rng.sample(staff, rng.randint(least, most))
                members = [ids[one] for one in (patient, *team)]
                channel = await made.cast.channel(kind, *members, patient=ids[patient])
                if patient == archived:
                    await made.cast.archive(channel)
                made.names.call(own(patient, kind), channel)
    for number in range(2):
        # One patient from the start, the others later: who stands longest is then clear, unless several do.
        first = rng.sample([one for one in treated if one != archived], rng.choice((1, 1, 2)))
        members = [ids[one] for one in (*first, *rng.sample(staff, rng.randint(1, 2)))]
        made.names.call(f"g{number}", await made.cast.channel("group", *members))


async def _settings(made: Ward, owner: asyncpg.Pool, rng: Random, bare: bool) -> None:
    """Written past the operations: rules as incomplete as they come, and in a bare clinic nobody in any of them."""
    staff = [id for name, id in made.names.ids.items() if name.startswith("s")]
    organization = made.cast.organization_id

    def some(most: int) -> list[str]:
        return [] if bare else sorted(rng.sample(staff, rng.randint(0, most)))

    for kind in ("care_team", "service_team"):
        await owner.execute(
            "insert into activation_rules values ($1, $2, $3, $4)",
            *(organization, kind, rng.random() < 0.5, rng.random() < 0.5),
        )
        await owner.execute(
            "insert into activation_nominees select $1, $2, unnest($3::text[])", organization, kind, some(2)
        )
    [cohort] = await owner.fetch("select id from patient_groups where organization_id = $1", organization)
    made.names.call("c0", cohort["id"])
    await owner.execute(
        "insert into patient_group_team select $1, $2, unnest($3::text[])", organization, cohort["id"], some(2)
    )
    if not bare and rng.random() < 0.7:
        await owner.execute("insert into organization_settings values ($1, '', $2)", organization, rng.choice(staff))
    for group in ("g0", "g1"):
        if rng.random() < 0.6:
            await owner.execute(
                "update channels set facilitator_id = $2 where id = $1", made.id(group), rng.choice(staff)
            )
