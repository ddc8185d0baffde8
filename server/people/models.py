"""Organisations and people as Python sees them: schema.sql's columns, types and references; the rules stand there alone."""

from datetime import datetime

from sqlalchemy import ARRAY, DateTime, LargeBinary, Text
from sqlmodel import Field, SQLModel

from server.db import reference
from server.ids import (
    ArchivingId,
    KeyId,
    OrganizationId,
    PatientGroupId,
    PatientId,
    PersonId,
    PictureId,
    TeamMemberId,
    now,
)

_WHEN = DateTime(timezone=True)


class Organization(SQLModel, table=True):
    """The tenant."""

    __tablename__ = "organizations"
    id: OrganizationId = Field(sa_type=Text, primary_key=True)
    name: str = Field(sa_type=Text)
    created_at: datetime = Field(sa_type=_WHEN, default_factory=now)


class Role(SQLModel, table=True):
    """What a role may do in one organisation."""

    __tablename__ = "roles"
    organization_id: OrganizationId = Field(sa_type=Text, primary_key=True, foreign_key="organizations.id")
    name: str = Field(sa_type=Text, primary_key=True)
    permissions: list[str] = Field(sa_type=ARRAY(Text))


class OrganizationKey(SQLModel, table=True):
    """A data key, wrapped."""

    __tablename__ = "organization_keys"
    organization_id: OrganizationId = Field(sa_type=Text, primary_key=True, foreign_key="organizations.id")
    id: KeyId = Field(sa_type=Text, primary_key=True)
    wrapped: bytes = Field(sa_type=LargeBinary)
    created_at: datetime = Field(sa_type=_WHEN, default_factory=now)
    retired_at: datetime | None = Field(sa_type=_WHEN, default=None)


class Person(SQLModel, table=True):
    """What patients and team members have in common."""

    __tablename__ = "people"
    organization_id: OrganizationId = Field(sa_type=Text, primary_key=True, foreign_key="organizations.id")
    id: PersonId | PatientId | TeamMemberId = Field(sa_type=Text, primary_key=True)
    kind: str = Field(sa_type=Text)
    email: str = Field(sa_type=Text)
    status: str = Field(sa_type=Text, default="active")
    created_at: datetime = Field(sa_type=_WHEN, default_factory=now)
    signed_out_at: datetime | None = Field(sa_type=_WHEN, default=None)


class LinkedIdentity(SQLModel, table=True):
    """Who a subject of a sign-in provider is."""

    __tablename__ = "identities"
    __table_args__ = (reference("organization_id person_id", "people", "organization_id id"),)
    organization_id: OrganizationId = Field(sa_type=Text, primary_key=True)
    person_id: PersonId = Field(sa_type=Text, primary_key=True)
    issuer: str = Field(sa_type=Text, primary_key=True)
    subject: str = Field(sa_type=Text, primary_key=True)
    linked_at: datetime = Field(sa_type=_WHEN, default_factory=now)
    unlinked_at: datetime | None = Field(sa_type=_WHEN, default=None)


class PatientGroup(SQLModel, table=True):
    """A cohort."""

    __tablename__ = "patient_groups"
    organization_id: OrganizationId = Field(sa_type=Text, primary_key=True, foreign_key="organizations.id")
    id: PatientGroupId = Field(sa_type=Text, primary_key=True)
    name: str = Field(sa_type=Text)
    is_default: bool = False
    crisis_services: str = Field(sa_type=Text, default="")


class TeamMember(SQLModel, table=True):
    """Staff."""

    __tablename__ = "team_members"
    __table_args__ = (
        reference("organization_id id kind", "people", "organization_id id kind"),
        reference("organization_id role", "roles", "organization_id name"),
    )
    organization_id: OrganizationId = Field(sa_type=Text, primary_key=True)
    id: TeamMemberId = Field(sa_type=Text, primary_key=True)
    kind: str = Field(sa_type=Text, default="team_member")
    name: str = Field(sa_type=Text)
    role: str = Field(sa_type=Text)
    extra_permissions: list[str] = Field(sa_type=ARRAY(Text), default_factory=list)


class Picture(SQLModel, table=True):
    """A picture that somebody shows of themselves, encrypted, in two sizes."""

    __tablename__ = "pictures"
    __table_args__ = (
        reference("organization_id person_id", "people", "organization_id id"),
        reference("organization_id key_id", "organization_keys", "organization_id id"),
    )
    organization_id: OrganizationId = Field(sa_type=Text, primary_key=True)
    id: PictureId = Field(sa_type=Text, primary_key=True)
    person_id: PersonId = Field(sa_type=Text)
    key_id: KeyId = Field(sa_type=Text)
    large: bytes = Field(sa_type=LargeBinary)
    small: bytes = Field(sa_type=LargeBinary)
    created_at: datetime = Field(sa_type=_WHEN, default_factory=now)


class Patient(SQLModel, table=True):
    """A patient."""

    __tablename__ = "patients"
    __table_args__ = (
        reference("organization_id id kind", "people", "organization_id id kind"),
        reference("organization_id allocation_clinician_id", "team_members", "organization_id id"),
        reference("organization_id patient_group_id", "patient_groups", "organization_id id"),
        reference("organization_id picture_id id", "pictures", "organization_id id person_id"),
    )
    organization_id: OrganizationId = Field(sa_type=Text, primary_key=True)
    id: PatientId = Field(sa_type=Text, primary_key=True)
    kind: str = Field(sa_type=Text, default="patient")
    legal_name: str = Field(sa_type=Text)
    preferred_name: str | None = Field(sa_type=Text, default=None)
    display_name: str | None = Field(sa_type=Text, default=None)
    allocation_clinician_id: TeamMemberId = Field(sa_type=Text)
    patient_group_id: PatientGroupId = Field(sa_type=Text)
    picture_id: PictureId | None = Field(sa_type=Text, default=None)


class PatientGroupTeam(SQLModel, table=True):
    """A team member of a patient group."""

    __tablename__ = "patient_group_team"
    __table_args__ = (
        reference("organization_id patient_group_id", "patient_groups", "organization_id id"),
        reference("organization_id team_member_id", "team_members", "organization_id id"),
    )
    organization_id: OrganizationId = Field(sa_type=Text, primary_key=True)
    patient_group_id: PatientGroupId = Field(sa_type=Text, primary_key=True)
    team_member_id: TeamMemberId = Field(sa_type=Text, primary_key=True)
    is_listed: bool = True


class OrganizationSettings(SQLModel, table=True):
    """What an organisation has set for all its channels."""

    __tablename__ = "organization_settings"
    __table_args__ = (reference("organization_id safety_net_id", "team_members", "organization_id id"),)
    organization_id: OrganizationId = Field(sa_type=Text, primary_key=True, foreign_key="organizations.id")
    contact_text: str = Field(sa_type=Text, default="")
    safety_net_id: TeamMemberId | None = Field(sa_type=Text, default=None)
    unread_email_minutes: int = 5
    unattended_hours: int = 24
    named_in_email: bool = False


class Archiving(SQLModel, table=True):
    """A request to archive a team member."""

    __tablename__ = "archivings"
    __table_args__ = (
        reference("organization_id person_id", "team_members", "organization_id id"),
        reference("organization_id successor_id", "team_members", "organization_id id"),
        reference("organization_id requested_by", "people", "organization_id id"),
    )
    organization_id: OrganizationId = Field(sa_type=Text, primary_key=True)
    id: ArchivingId = Field(sa_type=Text, primary_key=True)
    person_id: TeamMemberId = Field(sa_type=Text)
    successor_id: TeamMemberId | None = Field(sa_type=Text, default=None)
    requested_by: PersonId | None = Field(sa_type=Text, default=None)
    requested_at: datetime = Field(sa_type=_WHEN, default_factory=now)
    preview: str = Field(sa_type=Text)
    status: str = Field(sa_type=Text, default="pending")
    why: str | None = Field(sa_type=Text, default=None)
    settled_at: datetime | None = Field(sa_type=_WHEN, default=None)
    signed_out_before: datetime | None = Field(sa_type=_WHEN, default=None)
