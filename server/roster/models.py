"""The roster as Python sees it: schema.sql's columns, types and references; the rules stand there alone."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, Computed, DateTime, LargeBinary, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from server.db import reference
from server.ids import (
    ChannelId,
    EncounterId,
    GroupId,
    GroupMemberId,
    GuestId,
    KeyId,
    MembershipId,
    NoteId,
    OrganizationId,
    PatientId,
    SubmissionId,
    TeamMemberId,
    now,
)

_WHEN = DateTime(timezone=True)


class Group(SQLModel, table=True):
    """A therapy, support or education group."""

    __tablename__ = "groups"
    __table_args__ = (
        reference("organization_id facilitator_id", "team_members", "organization_id id"),
        reference("organization_id created_by_user", "team_members", "organization_id id"),
        reference("organization_id channel_id channel_kind", "channels", "organization_id id kind"),
    )
    organization_id: OrganizationId = Field(sa_type=Text, primary_key=True, foreign_key="organizations.id")
    id: GroupId = Field(sa_type=Text, primary_key=True)
    name: str = Field(sa_type=Text)
    description: str = Field(sa_type=Text, default="")
    type: str = Field(sa_type=Text)
    status: str = Field(sa_type=Text, default="active")
    max_participants: int | None = None
    facilitator_id: TeamMemberId | None = Field(sa_type=Text, default=None)
    custom_data: dict[str, Any] = Field(sa_type=JSONB, default_factory=dict)
    created_by_user: TeamMemberId = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=_WHEN, default_factory=now)
    channel_follows: bool = False
    channel_id: ChannelId | None = Field(sa_type=Text, default=None)
    channel_kind: str | None = Field(
        default=None,
        sa_column=Column(Text, Computed("case when channel_id is not null then 'group' end", persisted=True)),
    )
    channel_status: str | None = Field(sa_type=Text, default=None)


class Guest(SQLModel, table=True):
    """Somebody in groups who is no patient."""

    __tablename__ = "guests"
    __table_args__ = (
        reference("organization_id key_id", "organization_keys", "organization_id id"),
        reference("organization_id patient_id", "patients", "organization_id id"),
        reference("organization_id created_by_user", "team_members", "organization_id id"),
    )
    organization_id: OrganizationId = Field(sa_type=Text, primary_key=True, foreign_key="organizations.id")
    id: GuestId = Field(sa_type=Text, primary_key=True)
    display_name: str = Field(sa_type=Text)
    contact: dict[str, Any] = Field(sa_type=JSONB, default_factory=dict)
    notes: bytes | None = Field(sa_type=LargeBinary, default=None)
    key_id: KeyId | None = Field(sa_type=Text, default=None)
    is_active: bool = True
    patient_id: PatientId | None = Field(sa_type=Text, default=None)
    created_by_user: TeamMemberId = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=_WHEN, default_factory=now)


class GroupMember(SQLModel, table=True):
    """A row of the roster."""

    __tablename__ = "group_members"
    __table_args__ = (
        reference("organization_id group_id", "groups", "organization_id id"),
        reference("organization_id patient_id", "patients", "organization_id id"),
        reference("organization_id guest_id", "guests", "organization_id id"),
        reference("organization_id key_id", "organization_keys", "organization_id id"),
        reference("channel_member_id channel_id organization_id", "memberships", "id channel_id organization_id"),
    )
    organization_id: OrganizationId = Field(sa_type=Text, primary_key=True)
    id: GroupMemberId = Field(sa_type=Text, primary_key=True)
    group_id: GroupId = Field(sa_type=Text)
    member_type: str = Field(sa_type=Text)
    patient_id: PatientId | None = Field(sa_type=Text, default=None)
    guest_id: GuestId | None = Field(sa_type=Text, default=None)
    joined_at: datetime = Field(sa_type=_WHEN, default_factory=now)
    left_at: datetime | None = Field(sa_type=_WHEN, default=None)
    status: str = Field(sa_type=Text, default="active")
    notes: bytes | None = Field(sa_type=LargeBinary, default=None)
    key_id: KeyId | None = Field(sa_type=Text, default=None)
    channel_id: ChannelId | None = Field(sa_type=Text, default=None)
    channel_member_id: MembershipId | None = Field(sa_type=Text, default=None)


class Encounter(SQLModel, table=True):
    """What took place with one patient or with a group."""

    __tablename__ = "encounters"
    __table_args__ = (
        reference("organization_id patient_id", "patients", "organization_id id"),
        reference("organization_id group_id", "groups", "organization_id id"),
        reference("organization_id key_id", "organization_keys", "organization_id id"),
        reference("organization_id finalized_by", "team_members", "organization_id id"),
        reference("organization_id created_by_user", "team_members", "organization_id id"),
    )
    organization_id: OrganizationId = Field(sa_type=Text, primary_key=True, foreign_key="organizations.id")
    id: EncounterId = Field(sa_type=Text, primary_key=True)
    subject_type: str = Field(sa_type=Text, default="patient")
    patient_id: PatientId | None = Field(sa_type=Text, default=None)
    group_id: GroupId | None = Field(sa_type=Text, default=None)
    encounter_date: datetime = Field(sa_type=_WHEN)
    type: str = Field(sa_type=Text)
    chief_complaint: bytes | None = Field(sa_type=LargeBinary, default=None)
    key_id: KeyId | None = Field(sa_type=Text, default=None)
    documentation_status: str = Field(sa_type=Text, default="not_started")
    finalized_at: datetime | None = Field(sa_type=_WHEN, default=None)
    finalized_by: TeamMemberId | None = Field(sa_type=Text, default=None)
    created_by_user: TeamMemberId = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=_WHEN, default_factory=now)


class EncounterPractitioner(SQLModel, table=True):
    """A team member whom an encounter is assigned to."""

    __tablename__ = "encounter_practitioners"
    __table_args__ = (
        reference("organization_id encounter_id", "encounters", "organization_id id"),
        reference("organization_id team_member_id", "team_members", "organization_id id"),
    )
    organization_id: OrganizationId = Field(sa_type=Text, primary_key=True)
    encounter_id: EncounterId = Field(sa_type=Text, primary_key=True)
    team_member_id: TeamMemberId = Field(sa_type=Text, primary_key=True)
    is_assigned: bool = True


class EncounterNote(SQLModel, table=True):
    """A clinical note, of a whole encounter or about one participant."""

    __tablename__ = "encounter_notes"
    __table_args__ = (
        reference("organization_id encounter_id", "encounters", "organization_id id"),
        reference("organization_id patient_id", "patients", "organization_id id"),
        reference("organization_id guest_id", "guests", "organization_id id"),
        reference("organization_id author_id", "team_members", "organization_id id"),
        reference("organization_id key_id", "organization_keys", "organization_id id"),
    )
    organization_id: OrganizationId = Field(sa_type=Text, primary_key=True)
    id: NoteId = Field(sa_type=Text, primary_key=True)
    encounter_id: EncounterId = Field(sa_type=Text)
    note_type: str = Field(sa_type=Text)
    participant_type: str | None = Field(sa_type=Text, default=None)
    patient_id: PatientId | None = Field(sa_type=Text, default=None)
    guest_id: GuestId | None = Field(sa_type=Text, default=None)
    author_id: TeamMemberId = Field(sa_type=Text)
    key_id: KeyId = Field(sa_type=Text)
    content: bytes = Field(sa_type=LargeBinary)
    created_at: datetime = Field(sa_type=_WHEN, default_factory=now)


class GroupFormSubmission(SQLModel, table=True):
    """Who answered which form in which session."""

    __tablename__ = "group_form_submissions"
    __table_args__ = (
        reference("organization_id encounter_id group_id", "encounters", "organization_id id group_id"),
        reference("organization_id group_id", "groups", "organization_id id"),
        reference("organization_id patient_id", "patients", "organization_id id"),
        reference("organization_id guest_id", "guests", "organization_id id"),
    )
    organization_id: OrganizationId = Field(sa_type=Text, primary_key=True)
    id: SubmissionId = Field(sa_type=Text, primary_key=True)
    encounter_id: EncounterId = Field(sa_type=Text)
    group_id: GroupId = Field(sa_type=Text)
    participant_type: str = Field(sa_type=Text)
    patient_id: PatientId | None = Field(sa_type=Text, default=None)
    guest_id: GuestId | None = Field(sa_type=Text, default=None)
    form_id: str = Field(sa_type=Text)
    external_submission_id: str | None = Field(sa_type=Text, default=None)
    submitted_at: datetime = Field(sa_type=_WHEN, default_factory=now)
    submission_metadata: dict[str, Any] = Field(sa_type=JSONB, default_factory=dict)
