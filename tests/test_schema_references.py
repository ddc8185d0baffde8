"""Nothing points across organisations: every reference of every table is tried with a row of the other one, and refused."""

from dataclasses import dataclass

import asyncpg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from server import locks
from server.chat.append import append
from server.chat.bodies import close
from server.ids import (
    ArchivingId,
    ChannelId,
    DeviceId,
    EncounterId,
    GroupId,
    GroupMemberId,
    GuestId,
    MailId,
    MessageId,
    NoteId,
    NoticeId,
    PersonId,
    PictureId,
    SubmissionId,
)
from server.people import identities
from server.sealing.sealer import Sealer
from tests.support.cast import Clinic

REFERENCES = """
select c.relname as table, f.relname as into_table, k.conname as name,
       array(select a.attname::text from unnest(k.conkey) with ordinality as o (n, place)
               join pg_attribute a on a.attrelid = k.conrelid and a.attnum = o.n order by place) as columns,
       array(select a.attname::text from unnest(k.confkey) with ordinality as o (n, place)
               join pg_attribute a on a.attrelid = k.confrelid and a.attnum = o.n order by place) as into_columns,
       array(select a.attname::text from pg_attribute a
              where a.attrelid = k.conrelid and a.attnum = any (k.conkey) and a.attgenerated <> '') as generated
  from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_class f on f.oid = k.confrelid
 where k.contype = 'f' and k.connamespace = 'public'::regnamespace and f.relname <> 'organizations' order by 1, 3"""


@dataclass(frozen=True)
class Reference:
    """One reference: the columns that hold it, and those that it points at."""

    table: str
    into_table: str
    name: str
    columns: list[str]
    into_columns: list[str]
    generated: list[str]

    def pairs(self) -> dict[str, str]:
        """Each column but the organisation, and the column that it must equal."""
        return {a: b for a, b in zip(self.columns, self.into_columns, strict=True) if a != "organization_id"}


async def references(owner: asyncpg.Connection) -> list[Reference]:
    return [Reference(**row) for row in await owner.fetch(REFERENCES)]


async def fill(clinic: Clinic) -> None:
    """At least one row of every table, with every reference set."""
    patient, colleague = await clinic.patient(), await clinic.team_member()
    channel = await clinic.care_team(patient, clinic.clinician, colleague)
    root = await clinic.send(patient, channel, "Root")
    await clinic.send(colleague, channel, "Reply", reply_to=root["message_id"])
    await clinic.call(colleague, "channel.directory", channel_id=channel)
    await revise(clinic, channel, root["message_id"])
    await rule(clinic, colleague, await clinic.channel("group", clinic.clinician))
    await prove(clinic)
    await show(clinic, channel, patient)
    await notify(clinic, channel, patient, root["message_id"])
    await gather(clinic, await clinic.channel("group", clinic.clinician, patient), patient)
    async with clinic.database.transaction() as tx:
        await identities.link(
            tx, clinic.organization_id, PersonId(patient), "https://id.example", clinic.organization_id
        )


async def gather(clinic: Clinic, channel: ChannelId, patient: str) -> None:
    """A group with a patient, a guest who has become one, and an encounter with all that it can have."""
    who, organization_id = clinic.clinician, clinic.organization_id
    group, guest, member = GroupId.new(), GuestId.new(), GroupMemberId.new()
    encounters = [EncounterId.new(), EncounterId.new()]
    [key] = await clinic.sql("select id from organization_keys where organization_id = $1", organization_id)
    closed = (key["id"], b"")
    membership = await clinic.membership(channel, patient)
    for statement, *values in (
        (
            """insert into groups (organization_id, id, name, type, facilitator_id, created_by_user, channel_id, channel_status)
               values ($1, $2, 'Group', 'therapy', $3, $3, $4, 'active')""", group, who, channel,
        ),
        (
            """insert into guests (organization_id, id, display_name, key_id, notes, is_active, patient_id, created_by_user)
               values ($1, $2, 'Guest', $3, $4, false, $5, $6)""", guest, *closed, patient, who,
        ),
        (
            """insert into group_members (organization_id, id, group_id, member_type, patient_id, key_id, notes, channel_id,
                                          channel_member_id) values ($1, $2, $3, 'patient', $4, $5, $6, $7, $8)""",
            member, group, patient, *closed, channel, membership,
        ),
        (
            "insert into group_members (organization_id, id, group_id, member_type, guest_id) values ($1, $2, $3, 'guest', $4)",
            GroupMemberId.new(), group, guest,
        ),
        (
            """insert into encounters (organization_id, id, subject_type, group_id, encounter_date, type, key_id, chief_complaint,
                 documentation_status, finalized_at, finalized_by, created_by_user)
               values ($1, $2, 'group', $3, now(), 'therapy', $4, $5, 'complete', now(), $6, $6)""",
            encounters[0], group, *closed, who,
        ),
        (
            """insert into encounters (organization_id, id, patient_id, encounter_date, type, created_by_user)
               values ($1, $2, $3, now(), 'therapy', $4)""", encounters[1], patient, who,
        ),
        ("insert into encounter_practitioners values ($1, $2, $3)", encounters[0], who),
    ):  # fmt: skip
        await clinic.sql(statement, organization_id, *values)
    for kind, named in (("patient", patient), ("guest", guest)):
        await clinic.sql(
            f"""insert into encounter_notes (organization_id, id, encounter_id, note_type, participant_type, {kind}_id, author_id,
                  key_id, content) values ($1, $2, $3, 'note', '{kind}', $4, $5, $6, $7)""",
            *(organization_id, NoteId.new(), encounters[0], named, who, *closed),
        )
        await clinic.sql(
            f"""insert into group_form_submissions (organization_id, id, encounter_id, group_id, participant_type, {kind}_id,
                  form_id)
                values ($1, $2, $3, $4, '{kind}', $5, 'form')""",
            *(organization_id, SubmissionId.new(), encounters[0], group, named),
        )


async def show(clinic: Clinic, channel: ChannelId, patient: str) -> None:
    """A picture of a patient, on their profile and in one channel."""
    organization_id, picture = clinic.organization_id, PictureId.new()
    await clinic.sql(
        """insert into pictures (organization_id, id, person_id, key_id, large, small)
           select organization_id, $2, $3, id, '', '' from organization_keys where organization_id = $1 limit 1""",
        *(organization_id, picture, patient),
    )
    await clinic.sql("update patients set picture_id = $2 where id = $1", patient, picture)
    await clinic.sql(
        "insert into channel_profiles values ($1, $2, $3, null, 'own', $4)", organization_id, channel, patient, picture
    )


async def notify(clinic: Clinic, channel: ChannelId, patient: str, message: str) -> None:
    """All that is kept of notices: settings, a device, a mail, a push and an email in the ledger, and how far it is planned."""
    who, membership = clinic.organization_id, await clinic.membership(channel, patient)
    device, mail, push = DeviceId.new(), MailId.new(), NoticeId.new()
    notice = """insert into notices (organization_id, id, medium, cause, channel_id, membership_id, person_id, message_id,
                  log_offset, status, why, due_at, mail_id)
                values ($1, $2, $3, 'new', $4, $5, $6, $7, 1, 'due', 'new', now(), $8)"""
    for statement, *values in (
        (
            """insert into notice_preferences (organization_id, person_id, push_by, push_at, unread_email_by, unread_email_at,
                 quiet_by, quiet_at) values ($1, $2, $3, now(), $3, now(), $3, now())""", patient, clinic.clinician,
        ),
        (
            """insert into devices (organization_id, id, person_id, endpoint, p256dh, auth)
               values ($1, $2, $3, $4, $5, $6)""",
            device, patient, f"https://push.example/{device}", bytes(65), bytes(16),
        ),
        ("insert into mails (organization_id, id, person_id, unsubscribe_code) values ($1, $2, $3, $2)", mail, patient),
        (notice, push, "push", channel, membership, patient, message, None),
        (notice, NoticeId.new(), "email", channel, membership, patient, message, mail),
        (
            "insert into notice_deliveries (organization_id, notice_id, device_id, status) values ($1, $2, $3, 'sent')",
            push, device,
        ),
        ("insert into notice_marks values ($1, $2, 1)", channel),
        (
            "insert into unattended (organization_id, channel_id, log_offset, since, due_at) values ($1, $2, 1, now(), now())",
            channel,
        ),
    ):  # fmt: skip
        await clinic.sql(statement, who, *values)


async def prove(clinic: Clinic) -> None:
    """Seal the access log, and sign where it ends."""
    sealer = Sealer(Ed25519PrivateKey.generate())
    for work in (sealer.seal, sealer.sign):
        async with clinic.database.transaction() as tx:
            await work(tx)


async def revise(clinic: Clinic, channel: ChannelId, message: str) -> None:
    """A second wording of a message by the clinician, as the operation to come will write it."""
    key = await clinic.database.keys.current(clinic.organization_id)
    sealed = close(key, clinic.organization_id, channel, message, clinic.clinician, "Reworded", 2)
    async with clinic.database.transaction() as tx:
        await locks.lock(tx, clinic.organization_id, channels=[channel])
        await tx.rows(
            "insert into message_revisions values ($1, $2, $3, 2, $4, $5, $6, now())",
            *(clinic.organization_id, channel, message, clinic.clinician, key.id, sealed),
        )
        [row] = await tx.rows("update messages set revision = 2 where id = $1 returning log_offset", message)
        where = {"message_id": MessageId(message), "target_offset": row["log_offset"]}
        await append(tx, clinic.organization_id, channel, "revised", **where)


async def rule(clinic: Clinic, colleague: str, group: ChannelId) -> None:
    """What keeps channels staffed: rules, lists, settings, a request."""
    [cohort] = await clinic.sql("select id from patient_groups where organization_id = $1", clinic.organization_id)
    for statement, *more in (
        ("insert into organization_settings values ($1, '', $2)", colleague),
        ("insert into patient_group_team values ($1, $2, $3)", cohort["id"], colleague),
        ("insert into activation_rules values ($1, 'care_team')",),
        ("insert into activation_nominees values ($1, 'care_team', $2)", colleague),
        ("update channels set facilitator_id = $2 where organization_id = $1 and id = $3", colleague, group),
        (
            """insert into archivings (organization_id, id, person_id, successor_id, requested_by, preview)
               values ($1, $2, $3, $4, $4, '')""",
            ArchivingId.new(), colleague, clinic.clinician,
        ),
    ):  # fmt: skip
        await clinic.sql(statement, clinic.organization_id, *more)


async def test_every_reference_carries_the_organisation(owner: asyncpg.Connection) -> None:
    found = await references(owner)
    assert len(found) > 10
    for reference in found:
        ends = dict(zip(reference.columns, reference.into_columns, strict=True))
        assert ends.get("organization_id") == "organization_id", reference


async def test_no_reference_reaches_into_another_organisation(
    clinic: Clinic, elsewhere: Clinic, owner: asyncpg.Connection
) -> None:
    for one in (clinic, elsewhere):
        await fill(one)
    await elsewhere.sql("insert into roles values ($1, 'THEIRS_ALONE', '{}')", elsewhere.organization_id)
    await elsewhere.sql("insert into activation_rules values ($1, 'service_team')", elsewhere.organization_id)
    await elsewhere.call(elsewhere.clinician, "patient.list")  # seals have numbers: one that they alone have
    await prove(elsewhere)
    reached = [one for one in await references(owner) if not await refused(owner, one, clinic, elsewhere)]
    assert reached == []


async def refused(owner: asyncpg.Connection, reference: Reference, clinic: Clinic, elsewhere: Clinic) -> bool:
    """Point a row of the one organisation at a row of the other."""
    pairs = {column: into for column, into in reference.pairs().items() if column not in reference.generated}
    set_ = " and ".join(f"{column} is not null" for column in reference.columns)
    row = await owner.fetchval(
        f"select ctid from {reference.table} where organization_id = $1 and {set_}", clinic.organization_id
    )
    assert row is not None, f"no row to try {reference.name} with"
    # Roles have names, seals numbers, not ids: one that both organisations have would be a good reference.
    theirs = ", ".join(pairs.values())
    theirs = f"""select {theirs} from (select {theirs} from {reference.into_table} where organization_id = $2
                 except select {theirs} from {reference.into_table} where organization_id = $3) t where t is not null limit 1"""
    change = f"update {reference.table} set ({', '.join(pairs)}) = ({theirs}) where ctid = $1"
    attempt = owner.transaction()
    await attempt.start()
    try:
        await owner.execute(change, row, elsewhere.organization_id, clinic.organization_id)
    except (asyncpg.ForeignKeyViolationError, asyncpg.CheckViolationError):
        return True
    finally:
        await attempt.rollback()
    return False
