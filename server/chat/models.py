"""Channels, memberships, messages and the log as Python sees them: schema.sql's columns, types and references."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Column, Computed, DateTime, LargeBinary, Text
from sqlalchemy.dialects.postgresql import JSONB
from sqlmodel import Field, SQLModel

from server.db import reference
from server.ids import (
    ChannelId,
    KeyId,
    MembershipId,
    MessageId,
    OrganizationId,
    PatientId,
    PersonId,
    PictureId,
    TeamMemberId,
    now,
)

_WHEN = DateTime(timezone=True)


class Channel(SQLModel, table=True):
    """A conversation, and the head of its log."""

    __tablename__ = "channels"
    __table_args__ = (
        reference("organization_id patient_id", "patients", "organization_id id"),
        reference("organization_id facilitator_id", "team_members", "organization_id id"),
    )
    organization_id: OrganizationId = Field(sa_type=Text, primary_key=True, foreign_key="organizations.id")
    id: ChannelId = Field(sa_type=Text, primary_key=True)
    kind: str = Field(sa_type=Text)
    patient_id: PatientId | None = Field(sa_type=Text, default=None)
    name: str | None = Field(sa_type=Text, default=None)
    founding_set: str | None = Field(sa_type=Text, default=None)
    facilitator_id: TeamMemberId | None = Field(sa_type=Text, default=None)
    status: str = Field(sa_type=Text, default="active")
    top_offset: int = Field(sa_type=BigInteger, default=0)
    created_at: datetime = Field(sa_type=_WHEN, default_factory=now)


class Membership(SQLModel, table=True):
    """A person's place in a channel."""

    __tablename__ = "memberships"
    __table_args__ = (
        reference("organization_id channel_id channel_kind", "channels", "organization_id id kind"),
        reference("organization_id person_id person_kind", "people", "organization_id id kind"),
        reference("organization_id channel_id own_patient_id", "channels", "organization_id id patient_id"),
    )
    organization_id: OrganizationId = Field(sa_type=Text, primary_key=True)
    id: MembershipId = Field(sa_type=Text, primary_key=True)
    channel_id: ChannelId = Field(sa_type=Text, primary_key=True)
    channel_kind: str = Field(sa_type=Text)
    person_id: PersonId = Field(sa_type=Text)
    person_kind: str = Field(sa_type=Text)
    source: str = Field(sa_type=Text)
    visible_from: int = Field(sa_type=BigInteger)
    read_offset: int = Field(sa_type=BigInteger)
    marked_unread: bool = False
    muted: bool = False
    hidden_offset: int | None = Field(sa_type=BigInteger, default=None)
    joined_offset: int = Field(sa_type=BigInteger)
    joined_at: datetime = Field(sa_type=_WHEN)
    left_offset: int | None = Field(sa_type=BigInteger, default=None)
    left_at: datetime | None = Field(sa_type=_WHEN, default=None)
    own_patient_id: str | None = Field(
        default=None,
        sa_column=Column(
            Text,
            Computed(
                "case when person_kind = 'patient' and channel_kind in ('care_team', 'service_team') then person_id end",
                persisted=True,
            ),
        ),
    )


class ChannelProfile(SQLModel, table=True):
    """How a patient is shown in one channel, where that differs from their profile."""

    __tablename__ = "channel_profiles"
    __table_args__ = (
        reference("organization_id channel_id", "channels", "organization_id id"),
        reference("organization_id person_id", "patients", "organization_id id"),
        reference("organization_id picture_id person_id", "pictures", "organization_id id person_id"),
    )
    organization_id: OrganizationId = Field(sa_type=Text, primary_key=True)
    channel_id: ChannelId = Field(sa_type=Text, primary_key=True)
    person_id: PatientId = Field(sa_type=Text, primary_key=True)
    display_name: str | None = Field(sa_type=Text, default=None)
    picture: str = Field(sa_type=Text, default="default")
    picture_id: PictureId | None = Field(sa_type=Text, default=None)


class Message(SQLModel, table=True):
    """What somebody wrote: where and who; the words are its revisions."""

    __tablename__ = "messages"
    __table_args__ = (
        reference(
            "organization_id channel_id author_id author_person_id",
            "memberships",
            "organization_id channel_id id person_id",
        ),
        reference("organization_id channel_id reply_to", "messages", "organization_id channel_id id"),
    )
    organization_id: OrganizationId = Field(sa_type=Text, primary_key=True)
    channel_id: ChannelId = Field(sa_type=Text, primary_key=True)
    id: MessageId = Field(sa_type=Text, primary_key=True)
    log_offset: int = Field(sa_type=BigInteger)
    author_id: MembershipId = Field(sa_type=Text)
    author_person_id: PersonId = Field(sa_type=Text)
    client_id: str = Field(sa_type=Text)
    reply_to: MessageId | None = Field(sa_type=Text, default=None)
    revision: int = 1
    created_at: datetime = Field(sa_type=_WHEN)
    deleted_at: datetime | None = Field(sa_type=_WHEN, default=None)


class MessageRevision(SQLModel, table=True):
    """One wording of a message, encrypted."""

    __tablename__ = "message_revisions"
    __table_args__ = (
        reference("organization_id channel_id message_id", "messages", "organization_id channel_id id"),
        reference("organization_id author_person_id", "people", "organization_id id"),
        reference("organization_id key_id", "organization_keys", "organization_id id"),
    )
    organization_id: OrganizationId = Field(sa_type=Text, primary_key=True)
    channel_id: ChannelId = Field(sa_type=Text, primary_key=True)
    message_id: MessageId = Field(sa_type=Text, primary_key=True)
    revision: int = Field(primary_key=True)
    author_person_id: PersonId = Field(sa_type=Text)
    key_id: KeyId = Field(sa_type=Text)
    ciphertext: bytes = Field(sa_type=LargeBinary)
    created_at: datetime = Field(sa_type=_WHEN)
    deletes: bool = False
    reason: bytes | None = Field(sa_type=LargeBinary, default=None)


class LoggedEvent(SQLModel, table=True):
    """One row of a channel's log."""

    __tablename__ = "events"
    __table_args__ = (
        reference("organization_id channel_id", "channels", "organization_id id"),
        reference("organization_id channel_id message_id", "messages", "organization_id channel_id id"),
    )
    organization_id: OrganizationId = Field(sa_type=Text, primary_key=True)
    channel_id: ChannelId = Field(sa_type=Text, primary_key=True)
    log_offset: int = Field(sa_type=BigInteger, primary_key=True)
    kind: str = Field(sa_type=Text)
    audience: str = Field(sa_type=Text, default="all")
    message_id: MessageId | None = Field(sa_type=Text, default=None)
    target_offset: int | None = Field(sa_type=BigInteger, default=None)
    facts: dict[str, Any] | None = Field(sa_type=JSONB, default=None)
    created_at: datetime = Field(sa_type=_WHEN)


class ActivationRule(SQLModel, table=True):
    """Whether one kind of channel is made when a patient is."""

    __tablename__ = "activation_rules"
    organization_id: OrganizationId = Field(sa_type=Text, primary_key=True, foreign_key="organizations.id")
    kind: str = Field(sa_type=Text, primary_key=True)
    automatic: bool = False
    include_allocation_clinician: bool = False


class ActivationNominee(SQLModel, table=True):
    """A team member that a rule adds."""

    __tablename__ = "activation_nominees"
    __table_args__ = (
        reference("organization_id kind", "activation_rules", "organization_id kind"),
        reference("organization_id team_member_id", "team_members", "organization_id id"),
    )
    organization_id: OrganizationId = Field(sa_type=Text, primary_key=True)
    kind: str = Field(sa_type=Text, primary_key=True)
    team_member_id: TeamMemberId = Field(sa_type=Text, primary_key=True)
    is_nominated: bool = True
