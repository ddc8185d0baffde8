"""The demo clinic: a handful of people with a channel of each kind, made through the product's own operations."""

import asyncpg

from server.chat import activation, activation_rules
from server.chat.batcher import Batcher
from server.chat.opening import OpenChannel, open_channel
from server.config import Settings
from server.crypto import MasterKey
from server.db import Database
from server.errors import NotFound
from server.ids import OrganizationId, PatientId, PersonId, TeamMemberId
from server.people import demo, organizations, patients, settings, team
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
_CONTACT = "Call the clinic's front desk on weekdays from 8 to 6, or come by."
_AMONG_STAFF = "Only we can read this: the patient does not see this channel."
_TO_THE_GROUP = "Welcome to the group. You see each other by the names you choose for yourselves."
_TO_A_COLLEAGUE = "Will you look after messages this afternoon?"
_WELCOME = "Welcome. This is the channel of your care team: write here whenever you like, and we will answer."


async def make(url: str, given: Settings) -> None:
    """Make the demo clinic, unless the database has an organisation already."""
    database = Database(url, MasterKey.of(given), lambda _topic, _payload: None)
    await database.start()
    try:
        if not await database.fetch("select from organizations limit 1"):
            await _fill(database, MasterKey.of(given))
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
        f"  the care-team channel of {_PATIENTS[0][1]} with {_TEAM[0][1]} and {_TEAM[1][1]}, a staff channel about them, a",
        "  group channel and a direct one, a first message in each; an activation rule, a contact text and a safety net",
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
    await _furnish(database, organization_id, patient_ids, staff)


async def _furnish(
    database: Database,
    organization_id: OrganizationId,
    patient_ids: list[PatientId],
    staff: dict[str, TeamMemberId],
) -> None:
    """Rules and settings as a clinic has them, and a channel of each kind that people open by themselves."""
    clinician, nurse = staff["demo-clinician"], staff["demo-nurse"]
    actor = Actor(organization_id, PersonId(clinician), "team_member", ALL)
    colleagues, everybody = [PersonId(nurse)], [PersonId(nurse), *(PersonId(each) for each in patient_ids)]
    async with database.transaction() as tx:
        await settings.update(
            tx, actor, settings.UpdateSettings(contact_text=_CONTACT, safety_net_id=staff["demo-administrator"])
        )
        rule = activation_rules.SetRule(kind="care_team", automatic=True, team_member_ids=[clinician, nurse])
        await activation_rules.set_rule(tx, actor, rule)
        care = activation.Activate(patient_id=patient_ids[0], team_member_ids=[clinician, nurse])
        opened = await activation.activate(tx, actor, care)
    assert opened.channel_id is not None
    said = [(opened.channel_id, _WELCOME)]
    about = {"kind": "staff", "name": "Next steps", "patient_id": patient_ids[0], "person_ids": colleagues}
    for wanted, words in (
        (about, _AMONG_STAFF),
        ({"kind": "group", "name": "Demo Group", "person_ids": everybody}, _TO_THE_GROUP),
        ({"kind": "direct", "person_ids": colleagues}, _TO_A_COLLEAGUE),
    ):
        channel = OpenChannel.model_validate(wanted)
        async with database.transaction() as tx:
            said.append(((await open_channel(tx, actor, channel)).channel_id, words))
    batcher = Batcher(database, lambda _topic, _payload: None)
    await batcher.start()
    for channel_id, words in said:
        await batcher.send(Identity(organization_id, PersonId(clinician)), channel_id, "welcome", words, None)
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
