"""Devices: where somebody's browsers take pushes. An endpoint is one person's at a time, and signing out ends it (S18, S19)."""

import base64
import binascii
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from pydantic import AfterValidator, BaseModel, Field, ValidationInfo

from server.db import Transaction, explain
from server.errors import Conflict, NotFound, TooMany
from server.ids import DeviceId, PersonId, now
from server.locks import lock
from server.notices.endpoints import LONGEST, Allowed
from server.people import actors
from server.people.actors import Actor, Identity
from server.people.team import Nothing

MOST: Final = 20
"""Devices of one person: who adds another one loses the oldest."""

explain("devices_one_owner", TooMany("This device is being registered just now. Try again."))

_GENERATOR = "BGsX0fLhLEJH-Lzm5WOkQPJ3A32BLeszoPShOUXYmMKWT-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"


def _endpoint(value: str, info: ValidationInfo) -> str:
    allowed: Allowed = (info.context or {}).get("endpoints", Allowed())
    allowed.host(value)
    return value


def _bytes(value: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(value.rstrip("=") + "=" * (-len(value.rstrip("=")) % 4))
    except binascii.Error:
        raise ValueError("must be base64url") from None


def _key(value: str) -> str:
    try:
        EllipticCurvePublicKey.from_encoded_point(SECP256R1(), _bytes(value))
    except ValueError:
        raise ValueError("must be a point of the curve P-256, uncompressed, in base64url") from None
    return value


class AddDevice(BaseModel):
    """This browser takes pushes from now on: what its PushSubscription says."""

    endpoint: Annotated[
        str,
        Field(max_length=LONGEST, examples=["https://fcm.googleapis.com/fcm/send/example"]),
        AfterValidator(_endpoint),
    ]
    p256dh: Annotated[str, Field(pattern="^[A-Za-z0-9_-]{87}=?$", examples=[_GENERATOR]), AfterValidator(_key)]
    auth: str = Field(pattern="^[A-Za-z0-9_-]{21}[AQgw](==)?$", examples=["AAAAAAAAAAAAAAAAAAAAAA"])
    platform: Literal["web"] = "web"
    resumes: DeviceId | None = Field(
        None,
        description="Nobody has asked for it anew: the browser was this device of mine before, and takes its place.",
    )


class EndDevice(BaseModel):
    """One of my devices takes no pushes any more, wherever it is."""

    device_id: DeviceId


class RemoveDevice(BaseModel):
    """This browser takes no pushes any more."""

    endpoint: str = Field(pattern=f"^[!-~]{{1,{LONGEST}}}$", examples=["https://fcm.googleapis.com/fcm/send/example"])


class DeviceAdded(BaseModel):
    """The device; the same again where it is registered already."""

    device_id: DeviceId


class DeviceRemoved(BaseModel):
    """It is gone, or was not there."""


class DeviceShape(BaseModel):
    """One of my devices. Of its endpoint, which is as good as a key, only the host."""

    device_id: DeviceId
    platform: Literal["web"]
    host: str
    added_at: datetime


class Devices(BaseModel):
    """My devices, the latest first."""

    devices: list[DeviceShape]


@dataclass(frozen=True, slots=True)
class Device:
    """What a push to a device takes."""

    id: DeviceId
    person_id: PersonId
    endpoint: str
    p256dh: bytes
    auth: bytes


# Those of sign-ins that are over are none, whatever their rows say.
_CURRENT = """
select d.* from unnest($1::text[], $2::text[]) as w (organization, person)
  join people p on (p.organization_id, p.id) = (w.organization, w.person)
  join devices d on (d.person_id, d.organization_id) = (p.id, p.organization_id) and d.removed_at is null
 where p.signed_out_at is null or d.added_at > p.signed_out_at
 order by d.added_at desc, d.id"""
_END = "update devices set removed_at = $2, removed_why = $3 where removed_at is null and "
_OF_MINE = _END + "(id, person_id, organization_id) = ($1, $4, $5)"


async def current(tx: Transaction, organization_id: str, person_id: str) -> list[Device]:
    """The devices of a person that take pushes now, the latest first: not removed, and of a sign-in that is not over."""
    return (await current_of(tx, [(organization_id, person_id)]))[organization_id, person_id]


async def current_of(tx: Transaction, people: Collection[tuple[str, str]]) -> dict[tuple[str, str], list[Device]]:
    """The same of many at once: by (organisation, person), each of whom has an entry."""
    found: dict[tuple[str, str], list[Device]] = {whose: [] for whose in people}
    for row in await tx.rows(_CURRENT, *_columns(found)):
        device = Device(row["id"], row["person_id"], row["endpoint"], row["p256dh"], row["auth"])
        found[row["organization_id"], row["person_id"]].append(device)
    return found


def _columns(people: Collection[tuple[str, str]]) -> tuple[list[str], list[str]]:
    return [organization for organization, _ in people], [person for _, person in people]


async def forget(tx: Transaction, organization_id: str, device_id: str, why: Literal["gone", "signed_out"]) -> None:
    """A device takes no pushes any more: its provider says so (404, 410), or its sign-in is over."""
    await tx.rows(_END + "(id, organization_id) = ($1, $4)", device_id, now(), why, organization_id)


async def add(tx: Transaction, actor: Actor, params: AddDevice) -> DeviceAdded:
    """Register the browser that I use. Whoever had it before has it no more: it is mine now.

    Raises:
        Unauthorized: signed out meanwhile. TooMany: the same endpoint is being registered by somebody else. Conflict: it
            resumes a device that was ended from another one.
    """
    _concerns(tx, actor)
    organization_id, person_id = actor.organization_id, actor.person_id
    await lock(tx, organization_id, people=[person_id])
    await actors.load(tx, Identity(organization_id, person_id, actor.began))  # a sign-out may have come first
    if params.resumes:
        await _require_not_ended(tx, actor, params.resumes)
    keys = (_bytes(params.p256dh), _bytes(params.auth))
    mine = await current(tx, organization_id, person_id)
    for device in mine:
        if (device.endpoint, device.p256dh, device.auth) == (params.endpoint, *keys):
            return DeviceAdded(device_id=device.id)
    await tx.rows(_END + "endpoint = $1", params.endpoint, now(), "moved")
    if params.resumes:
        await tx.rows(_OF_MINE, params.resumes, now(), "moved", person_id, organization_id)
    others = [device for device in mine if device.endpoint != params.endpoint and device.id != params.resumes]
    for oldest in others[MOST - 1 :]:
        await tx.rows(_END + "id = $1", oldest.id, now(), "moved")
    made = DeviceId.new()
    await tx.rows(
        """insert into devices (organization_id, id, person_id, platform, endpoint, p256dh, auth)
           values ($1, $2, $3, $4, $5, $6, $7)""",
        *(organization_id, made, person_id, params.platform, params.endpoint, *keys),
    )
    return DeviceAdded(device_id=made)


async def _require_not_ended(tx: Transaction, actor: Actor, device_id: str) -> None:
    named = (device_id, actor.person_id, actor.organization_id)
    ended = await tx.rows(
        "select id from devices where (id, person_id, organization_id) = ($1, $2, $3) and removed_why = 'elsewhere'",
        *named,
    )
    if ended:
        raise Conflict("This device was removed from another one. To be told here again, turn notifications on here.")


async def end(tx: Transaction, actor: Actor, params: EndDevice) -> DeviceRemoved:
    """Have no more pushes on one of my devices, which may be another than this: until I ask for them there. Raises NotFound."""
    _concerns(tx, actor)
    whose = actor.person_id, actor.organization_id
    # Else it may be resuming just now, and be back at once.
    await lock(tx, actor.organization_id, people=[actor.person_id])
    if not await tx.rows(_OF_MINE + " returning id", params.device_id, now(), "elsewhere", *whose):
        raise NotFound("You have no such device any more.")
    return DeviceRemoved()


async def remove(tx: Transaction, actor: Actor, params: RemoveDevice) -> DeviceRemoved:
    """Have no more pushes to this browser; an endpoint that is not mine is passed over."""
    _concerns(tx, actor)
    await tx.rows(
        _END + "(endpoint, person_id, organization_id) = ($1, $4, $5)",
        *(params.endpoint, now(), "person", actor.person_id, actor.organization_id),
    )
    return DeviceRemoved()


async def list_mine(tx: Transaction, actor: Actor, _params: Nothing) -> Devices:
    """The browsers on which I take pushes."""
    rows = await tx.rows(_CURRENT, [actor.organization_id], [actor.person_id])
    return Devices(
        devices=[
            DeviceShape(
                device_id=row["id"],
                platform=row["platform"],
                host=urlsplit(row["endpoint"]).hostname or "",
                added_at=row["added_at"],
            )
            for row in rows
        ]
    )


def _concerns(tx: Transaction, actor: Actor) -> None:
    if not actor.is_staff:
        tx.concerns(patient_id=actor.person_id)
