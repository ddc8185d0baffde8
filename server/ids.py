"""Typed ids, and the only clock and the only randomness of the product.

An id is a prefix that tells its type and 20 random characters (100 bits). None can be sorted by time: most of them reach
patients, and an id that tells when it was made links what should not be linked (domain.md §1).
"""

import os
import re
import secrets
from datetime import UTC, datetime
from typing import Any, ClassVar, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

_LENGTH = 20
# Crockford's base 32: nothing in it is mistaken for something else. A byte maps onto it evenly, so one call makes an id.
_ALPHABET = bytes(b"0123456789abcdefghjkmnpqrstvwxyz"[byte & 31] for byte in range(256))


class Id(str):
    """A typed id. As a parameter it accepts only strings of its own form, and OpenAPI names its type in `x-id`."""

    __slots__ = ()
    prefix: ClassVar[str]
    names: ClassVar[str]
    """What the id names, in the words of the product."""

    @classmethod
    def new(cls) -> Self:
        """A fresh id."""
        return cls(f"{cls.prefix}_" + os.urandom(_LENGTH).translate(_ALPHABET).decode())

    @classmethod
    def fits(cls, text: str) -> bool:
        """Whether a text has the form of such an id."""
        return re.fullmatch(f"{cls.prefix}_[0-9a-z]{{{_LENGTH}}}", text) is not None

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        text = core_schema.str_schema(pattern=f"^{cls.prefix}_[0-9a-z]{{{_LENGTH}}}$", strict=True)
        return core_schema.no_info_after_validator_function(cls, text)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(schema) | {"x-id": cls.names}


class OrganizationId(Id):
    """The tenant."""

    prefix, names = "org", "organization"


class TeamMemberId(Id):
    """A team member."""

    prefix, names = "tm", "team_member"


class PatientId(Id):
    """A patient."""

    prefix, names = "pa", "patient"


class PersonId(Id):
    """A patient or a team member."""

    prefix, names = "(pa|tm)", "person"

    @classmethod
    def new(cls) -> Self:
        """Never: a person is made as a patient or as a team member."""
        raise TypeError("make a PatientId or a TeamMemberId")


class PatientGroupId(Id):
    """A patient group (cohort)."""

    prefix, names = "pg", "patient_group"


class ChannelId(Id):
    """A channel."""

    prefix, names = "ch", "channel"


class MembershipId(Id):
    """A person's place in one channel; the name under which a message knows its author."""

    prefix, names = "mb", "membership"


class MessageId(Id):
    """A message."""

    prefix, names = "msg", "message"


class PictureId(Id):
    """A picture that somebody shows of themselves; reaches nobody."""

    prefix, names = "pic", "picture"


class KeyId(Id):
    """A data key of an organisation."""

    prefix, names = "key", "organization_key"


class ArchivingId(Id):
    """A request to archive a team member."""

    prefix, names = "arc", "archiving"


class GroupId(Id):
    """A group of the roster."""

    prefix, names = "grp", "group"


class GuestId(Id):
    """A guest: in groups without being a patient."""

    prefix, names = "gst", "guest"


class GroupMemberId(Id):
    """A row of a group's roster."""

    prefix, names = "gm", "group_member"


class EncounterId(Id):
    """An encounter, with a patient or with a group."""

    prefix, names = "enc", "encounter"


class NoteId(Id):
    """A note of an encounter."""

    prefix, names = "note", "note"


class SubmissionId(Id):
    """A form submission of a group's participant."""

    prefix, names = "gfs", "submission"


class DeviceId(Id):
    """A browser that takes pushes."""

    prefix, names = "dev", "device"


class NoticeId(Id):
    """A row of the ledger of notices."""

    prefix, names = "ntc", "notice"


class MailId(Id):
    """An unread email."""

    prefix, names = "ml", "mail"


def now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


def random_bytes(count: int) -> bytes:
    """Fresh random bytes, for keys and nonces."""
    return os.urandom(count)


def random_token() -> str:
    """A short random word for things that need no type: request ids, process names."""
    return secrets.token_hex(8)
