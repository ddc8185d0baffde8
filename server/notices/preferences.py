"""Settings → Notifications: what a person is told by and when not; who changed it last, and when, is shown to both sides.

A person sets their own. For a patient, staff may switch push and unread email as well, on the patient's profile (domain.md §4).
"""

from collections.abc import Iterable
from datetime import datetime, time
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from server.chat.profiles import require_active
from server.db import Transaction
from server.errors import Invalid
from server.ids import OrganizationId, PatientId, now
from server.locks import lock
from server.notices.quiet import Preferences, Quiet, known_zones
from server.people import patients
from server.people.actors import Actor
from server.people.team import Nothing
from server.people.wording import require_values

_CLOCK = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"


def _zone(value: str) -> str:
    if value not in known_zones():
        raise ValueError("must be the name of a time zone, such as Europe/Berlin or Australia/Sydney")
    return value


class QuietHours(BaseModel):
    """The hours in which pushes and emails wait, on the clocks of a time zone; over midnight where `until` is the earlier."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)

    begins: str = Field(alias="from", pattern=_CLOCK, examples=["22:00"])
    until: str = Field(pattern=_CLOCK, examples=["07:00"])
    time_zone: Annotated[str, Field(max_length=64, examples=["Europe/Berlin"]), AfterValidator(_zone)]


class SetPreferences(BaseModel):
    """Change what is given of your own, and nothing else."""

    push: bool | None = None
    unread_email: bool | None = None
    quiet: QuietHours | None = Field(default=None, description="null: none")


class SetPatientPreferences(BaseModel):
    """Change what a patient is told by; what is left out stays."""

    patient_id: PatientId
    push: bool | None = None
    unread_email: bool | None = None


class Changed(BaseModel):
    """Who changed this last, and when; null where nobody has. Staff see a patient's real name; patients a team member's, and
    no id but their own."""

    by: str | None
    by_name: str | None
    at: datetime | None


class Switch(Changed):
    """Whether this way of being told is on."""

    on: bool


class ShownQuiet(QuietHours, Changed):
    """The quiet hours, and who set them."""


class PreferencesShape(BaseModel):
    """What somebody is told by, and when not."""

    push: Switch
    unread_email: Switch
    quiet: ShownQuiet | None


async def of(tx: Transaction, organization_id: str, person_ids: Iterable[str]) -> dict[str, Preferences]:
    """What these people want: for every one of them an answer, the defaults where they never said."""
    wanted = list(person_ids)
    rows = await tx.rows(
        """select person_id, push, unread_email, quiet_from, quiet_until, time_zone from notice_preferences
            where organization_id = $1 and person_id = any ($2)""",
        *(organization_id, wanted),
    )
    found = dict.fromkeys(wanted, Preferences())
    for row in rows:
        quiet = Quiet(row["quiet_from"], row["quiet_until"], row["time_zone"]) if row["time_zone"] else None
        found[row["person_id"]] = Preferences(row["push"], row["unread_email"], quiet)
    return found


async def switch(
    tx: Transaction,
    organization_id: OrganizationId,
    person_id: str,
    by: str,
    at: datetime,
    *,
    push: bool | None = None,
    unread_email: bool | None = None,
) -> None:
    """Switch push and unread email on or off, where given. Who may, was asked before; what stands so already stays `by` whom
    it was."""
    await lock(tx, organization_id, people=[person_id])
    for name, on in (("push", push), ("unread_email", unread_email)):
        if on is not None:
            await tx.rows(
                f"""insert into notice_preferences as p (organization_id, person_id, {name}, {name}_by, {name}_at)
                    select $1::text, $2::text, $3::boolean, $4::text, $5::timestamptz where not $3 or exists (
                      select from notice_preferences where (person_id, organization_id) = ($2, $1))
                    on conflict (person_id, organization_id) do update set {name} = $3, {name}_by = $4, {name}_at = $5
                      where p.{name} <> $3""",
                *(organization_id, person_id, on, by, at),
            )


async def get(tx: Transaction, actor: Actor, _params: Nothing) -> PreferencesShape:
    """My notification settings."""
    return await _shape(tx, actor, actor.person_id)


async def update(tx: Transaction, actor: Actor, params: SetPreferences) -> PreferencesShape:
    """Change my notification settings.

    Raises:
        Forbidden: archived patients. Invalid: the quiet hours begin when they end.
    """
    require_values(params, "quiet")
    if not actor.is_staff:
        tx.concerns(patient_id=actor.person_id)
    organization_id, person_id, at = actor.organization_id, actor.person_id, now()
    await lock(tx, organization_id, people=[person_id])
    await require_active(tx, organization_id, person_id)
    await switch(tx, organization_id, person_id, person_id, at, push=params.push, unread_email=params.unread_email)
    if "quiet" in params.model_fields_set:
        await _keep_quiet(tx, organization_id, person_id, params.quiet, at)
    return await _shape(tx, actor, person_id)


async def of_patient(tx: Transaction, actor: Actor, params: patients.GetPatient) -> PreferencesShape:
    """A patient's notification settings. Raises NotFound."""
    await patients.get(tx, actor, params)
    return await _shape(tx, actor, params.patient_id)


async def update_of_patient(tx: Transaction, actor: Actor, params: SetPatientPreferences) -> PreferencesShape:
    """Switch a patient's pushes and unread emails on or off, for them. Their quiet hours are theirs alone.

    Raises:
        NotFound: no such patient. Forbidden: they are archived, and told nothing any more.
    """
    require_values(params)
    await patients.get(tx, actor, patients.GetPatient(patient_id=params.patient_id))
    await lock(tx, actor.organization_id, people=[params.patient_id])
    await require_active(tx, actor.organization_id, params.patient_id)
    await switch(
        tx, actor.organization_id, params.patient_id, actor.person_id, now(),
        push=params.push, unread_email=params.unread_email,
    )  # fmt: skip
    return await _shape(tx, actor, params.patient_id)


async def _keep_quiet(
    tx: Transaction, organization_id: OrganizationId, person_id: str, quiet: QuietHours | None, at: datetime
) -> None:
    begins, until = (time.fromisoformat(quiet.begins), time.fromisoformat(quiet.until)) if quiet else (None, None)
    if quiet is not None and begins == until:
        raise Invalid("quiet: they begin and end at the same time. Give two times, or null for no quiet hours.")
    zone = quiet.time_zone if quiet else None
    await tx.rows(
        """insert into notice_preferences as p
             (organization_id, person_id, quiet_from, quiet_until, time_zone, quiet_by, quiet_at)
           values ($1, $2, $3, $4, $5, $2, $6) on conflict (person_id, organization_id) do update
              set quiet_from = $3, quiet_until = $4, time_zone = $5, quiet_by = $2, quiet_at = $6
            where (p.quiet_from, p.quiet_until, p.time_zone) is distinct from ($3, $4, $5)""",
        *(organization_id, person_id, begins, until, zone, at),
    )


_SHOWN = """
select n.*, {names} from people p left join notice_preferences n on (n.person_id, n.organization_id) = (p.id, p.organization_id)
{joins} where (p.organization_id, p.id) = ($1, $2)""".format(
    names=", ".join(
        f"coalesce({what}_t.name, {what}_p.preferred_name, {what}_p.legal_name) as {what}_by_name"
        for what in ("push", "unread_email", "quiet")
    ),
    joins=" ".join(
        f"""left join team_members {what}_t on ({what}_t.organization_id, {what}_t.id) = (n.organization_id, n.{what}_by)
            left join patients {what}_p on ({what}_p.organization_id, {what}_p.id) = (n.organization_id, n.{what}_by)"""
        for what in ("push", "unread_email", "quiet")
    ),
)


async def _shape(tx: Transaction, actor: Actor, person_id: str) -> PreferencesShape:
    [row] = await tx.rows(_SHOWN, actor.organization_id, person_id)

    def changed(what: str) -> dict[str, Any]:
        by = row[f"{what}_by"]
        shown = by if actor.is_staff or by == actor.person_id else None
        return {"by": shown, "by_name": row[f"{what}_by_name"], "at": row[f"{what}_at"]}

    quiet = None
    if row["time_zone"] is not None:
        begins, until = (row[name].strftime("%H:%M") for name in ("quiet_from", "quiet_until"))
        quiet = ShownQuiet.model_validate(
            {"from": begins, "until": until, "time_zone": row["time_zone"], **changed("quiet")}
        )
    return PreferencesShape(
        push=Switch(on=row["push"] is not False, **changed("push")),
        unread_email=Switch(on=row["unread_email"] is not False, **changed("unread_email")),
        quiet=quiet,
    )
