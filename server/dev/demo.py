"""The demo clinic: a handful of people with a care-team channel, made through the product's own operations."""

import asyncpg

from server.chat import activation
from server.chat.batcher import Batcher
from server.config import Settings
from server.crypto import MasterKey
from server.db import Database
from server.errors import NotFound
from server.ids import OrganizationId, PatientId, PersonId, TeamMemberId
from server.people import demo, organizations, patients, team
from server.people.actors import Actor, Identity
from server.people.demo import DOMAIN
from server.people.demo import DemoPerson as DemoPerson
from server.people.patients import CreatePatient
from server.people.permissions import ALL
from server.people.team import CreateTeamMember

_TEAM = (
    ("demo-clinician", "Demo Clinician", "DOCTOR"),
    ("demo-nurse", "Demo Nurse", "NURSE"),
    ("demo-reception", "Demo Reception", "RECEPTIONIST"),
    ("demo-administrator", "Demo Administrator", "ADMIN"),
)
_PATIENTS = (("demo-patient", "Demo Patient"), ("demo-patient-2", "Second Demo Patient"))
_WELCOME = "Welcome. This is the channel of your care team: write here whenever you like, and we will answer."


class _Fixed:
    epoch = ""


async def make(url: str, settings: Settings) -> None:
    """Make the demo clinic, unless the database has an organisation already."""
    database = Database(url, MasterKey.read(*settings.master_key_files), lambda _topic, _payload: None)
    await database.start()
    try:
        if not await database.fetch("select from organizations limit 1"):
            await _fill(database, MasterKey.read(*settings.master_key_files))
    finally:
        await database.stop()


async def planned(url: str) -> list[str]:
    """What `make` would do."""
    connection = await asyncpg.connect(url)
    try:
        if await connection.fetchval("select true from organizations limit 1"):
            return ["There is an organisation already: nothing would be made."]
    finally:
        await connection.close()
    return [
        "Would make the organisation Demo Clinic with its roles, its first data key and its patient group General, and in it",
        *(f"  team member {name} ({role})" for _, name, role in _TEAM),
        *(f"  patient {name}" for _, name in _PATIENTS),
        f"  the care-team channel of {_PATIENTS[0][1]} with {_TEAM[0][1]} and {_TEAM[1][1]}, and a first message in it",
    ]


async def _fill(database: Database, master: MasterKey) -> None:
    async with database.transaction() as tx:
        organization_id = await organizations.create(tx, master, "Demo Clinic")
        staff = {}
        for key, name, role in _TEAM:
            wanted = CreateTeamMember(name=name, email=key + DOMAIN, role=role)
            staff[key] = await team.insert(tx, organization_id, wanted)
        clinician = staff["demo-clinician"]
        patient_ids = []
        for key, name in _PATIENTS:
            new = CreatePatient(legal_name=name, email=key + DOMAIN, allocation_clinician_id=clinician)
            patient_ids.append(await patients.insert(tx, organization_id, new))
    await _open(database, organization_id, patient_ids[0], clinician, staff["demo-nurse"])


async def _open(
    database: Database,
    organization_id: OrganizationId,
    patient_id: PatientId,
    clinician: TeamMemberId,
    nurse: TeamMemberId,
) -> None:
    actor = Actor(organization_id, PersonId(clinician), "team_member", ALL)
    async with database.transaction() as tx:
        opened = await activation.activate(
            tx, actor, activation.Activate(patient_id=patient_id, team_member_ids=[clinician, nurse])
        )
    assert opened.channel_id is not None
    batcher = Batcher(database, lambda _topic, _payload: None)
    await batcher.start(_Fixed())
    await batcher.send(Identity(organization_id, PersonId(clinician)), opened.channel_id, "welcome", _WELCOME, None)
    await batcher.stop()


async def people(url: str) -> list[DemoPerson]:
    """Who one can sign in as."""
    connection = await asyncpg.connect(url)
    try:
        return await demo.people(connection.fetch)
    finally:
        await connection.close()


async def identity(url: str, key: str) -> Identity:
    """The person of a key. Raises NotFound."""
    for person in await people(url):
        if person.key == key:
            return person.identity
    raise NotFound(f"There is no demo person {key!r}; `warmline demo` lists them.")
