"""Rules of the product that the schema itself keeps: each is broken by plain SQL as the owner, and Postgres refuses."""

import itertools

import asyncpg
import pytest

from server.ids import ChannelId, KeyId, MembershipId, PatientGroupId, PatientId, TeamMemberId
from tests.support.cast import Clinic

ADD_CHANNEL = (
    "insert into channels (organization_id, id, kind, patient_id, name, founding_set) values ($1, $2, $3, $4, $5, $6)"
)
ADD_MEMBER = """insert into memberships (organization_id, id, channel_id, channel_kind, person_id, person_kind, source,
                  visible_from, read_offset, joined_offset, joined_at)
                select c.organization_id, $2, c.id, c.kind, p.id, p.kind, 'manual', 1, 1, 1, now()
                  from channels c join people p using (organization_id) where c.id = $1 and p.id = $3"""
ADD_PERSON = "insert into people (organization_id, id, kind, email) values ($1, $2, $3, $4)"

_emails = (f"rule{number}@clinic.invalid" for number in itertools.count())


async def broken(clinic: Clinic, statement: str, *args: object) -> str:
    """Do what a rule forbids, as the application; the name of the rule that refused."""
    with pytest.raises(asyncpg.IntegrityConstraintViolationError) as refused:
        await clinic.database.reads.fetch(statement, *args)
    return str(refused.value.constraint_name)


async def add_member(clinic: Clinic, channel: str, person: str) -> str:
    return await broken(clinic, ADD_MEMBER, channel, MembershipId.new(), person)


async def add_channel(clinic: Clinic, kind: str, patient: str | None, name: str | None, founding: str | None) -> str:
    args = (clinic.organization_id, ChannelId.new(), kind, patient, name, founding)
    return await broken(clinic, ADD_CHANNEL, *args)


@pytest.mark.parametrize("kind", ["care_team", "service_team"])
async def test_a_patient_has_one_care_and_one_service_team_and_nobody_elses_patient_gets_in(
    clinic: Clinic, kind: str
) -> None:
    patient, stranger = await clinic.patient(), await clinic.patient()
    channel = await clinic.channel(kind, patient, clinic.clinician, patient=patient)
    assert await add_channel(clinic, kind, patient, None, None) == "channels_one_care_and_one_service_team"
    assert await add_member(clinic, channel, stranger) == "memberships_only_the_channels_own_patient"
    ended = "update memberships set left_at = now(), left_offset = 9 where channel_id = $1 and person_id = $2"
    assert await broken(clinic, ended, channel, patient) == "memberships_patient_of_care_and_service_stays"


async def test_no_patient_gets_among_staff(clinic: Clinic) -> None:
    patient, colleague = await clinic.patient(), await clinic.team_member()
    for kind, about in (("staff", patient), ("direct", None)):
        channel = await clinic.channel(kind, clinic.clinician, colleague, patient=about)
        assert await add_member(clinic, channel, patient) == "memberships_no_patient_among_staff"


async def test_channels_are_of_a_kind_and_have_what_it_takes(clinic: Clinic) -> None:
    patient = await clinic.patient()
    assert await add_channel(clinic, "staff", None, "Name", None) == "channels_tied_to_a_patient"
    assert await add_channel(clinic, "group", patient, "Name", None) == "channels_tied_to_a_patient"
    assert await add_channel(clinic, "group", None, None, None) == "channels_named"
    assert await add_channel(clinic, "care_team", patient, "Name", None) == "channels_named"
    assert await add_channel(clinic, "direct", None, None, None) == "channels_founded"
    assert await add_channel(clinic, "other", None, None, None) == "channels_kind_check"
    colleague = await clinic.team_member()
    direct = await clinic.channel("direct", clinic.clinician, colleague)
    [row] = await clinic.sql("select founding_set from channels where id = $1", direct)
    assert (
        await add_channel(clinic, "direct", None, None, row["founding_set"]) == "channels_one_direct_per_founding_set"
    )
    archive = "update channels set status = 'archived' where id = $1"
    assert await broken(clinic, archive, direct) == "channels_direct_stays_open"


async def test_one_is_in_a_channel_once_at_a_time_and_may_come_back(clinic: Clinic) -> None:
    patient, colleague = await clinic.patient(), await clinic.team_member()
    channel = await clinic.care_team(patient, clinic.clinician, colleague)
    assert await add_member(clinic, channel, colleague) == "memberships_once_at_a_time"
    await clinic.remove(channel, colleague)
    await clinic.add(channel, colleague)
    [row] = await clinic.sql(
        "select count(*) from memberships where channel_id = $1 and person_id = $2", channel, colleague
    )
    assert row["count"] == 2


async def test_a_membership_ends_after_it_began_and_reads_what_it_sees(clinic: Clinic) -> None:
    colleague = await clinic.team_member()
    channel = await clinic.care_team(await clinic.patient(), clinic.clinician, colleague)
    update = f"update memberships set {{}} where id = '{await clinic.membership(channel, colleague)}'"
    assert await broken(clinic, update.format("left_at = now()")) == "memberships_end_once"
    assert await broken(clinic, update.format("left_at = now(), left_offset = joined_offset")) == "memberships_check1"
    assert await broken(clinic, update.format("visible_from = 0, read_offset = 0")) == "memberships_visible_from_check"
    assert await broken(clinic, update.format("visible_from = 9")) == "memberships_check"


async def test_an_email_address_is_one_persons_whatever_its_case(clinic: Clinic, elsewhere: Clinic) -> None:
    await clinic.sql(ADD_PERSON, clinic.organization_id, TeamMemberId.new(), "team_member", "someone@clinic.invalid")
    for address in ("Someone@Clinic.invalid", "SOMEONE@CLINIC.INVALID", "someone@clinic.invalid"):
        again = (clinic.organization_id, PatientId.new(), "patient", address)
        assert await broken(clinic, ADD_PERSON, *again) == "people_one_email"
    await clinic.sql(ADD_PERSON, elsewhere.organization_id, PatientId.new(), "patient", "someone@clinic.invalid")


async def test_a_persons_id_tells_its_kind(clinic: Clinic) -> None:
    for kind, id in (
        ("patient", TeamMemberId.new()),
        ("team_member", PatientId.new()),
        ("patient", "pa_short"),
        ("patient", PatientId.new().upper()),
        ("patient", PatientId.new() + "0"),
        ("patient", PatientId.new() + "\n"),
        ("guest", PatientId.new()),
    ):
        added = (clinic.organization_id, id, kind, next(_emails))
        assert await broken(clinic, ADD_PERSON, *added) == "people_typed_id", (kind, id)


async def test_every_id_is_typed(owner: asyncpg.Connection) -> None:
    """Of every table with an id of its own, a constraint says what it looks like; but for the access log's numbers."""
    untyped = await owner.fetch(
        r"""select c.relname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'id'
             where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and a.attidentity = ''
               and not exists (select from pg_constraint k where k.conrelid = c.oid and k.contype in ('c', 'f')
                                and a.attnum = any (k.conkey)
                                and (pg_get_constraintdef(k.oid) ~ '_\[0-9a-z\]\{20\}\$' or k.confrelid = 'people'::regclass))"""
    )
    assert [row["relname"] for row in untyped] == []


async def test_an_organisation_has_one_current_key_and_one_default_cohort(clinic: Clinic) -> None:
    key = "insert into organization_keys values ($1, $2, '')"
    assert await broken(clinic, key, clinic.organization_id, KeyId.new()) == "organization_keys_one_current"
    cohort, new = "insert into patient_groups values ($1, $2, $3, $4)", PatientGroupId.new()
    assert await broken(clinic, cohort, clinic.organization_id, new, "Other", True) == "patient_groups_one_default"
    assert await broken(clinic, cohort, clinic.organization_id, new, "GENERAL", False) == "patient_groups_one_name"
