"""An organisation's settings: its name, how else patients reach the team, who is the safety net (domain.md §2), and when and
how people who are away are told (§4)."""

from pydantic import BaseModel, Field

from server.db import Transaction
from server.errors import Invalid
from server.ids import TeamMemberId
from server.locks import lock
from server.people.actors import Actor
from server.people.archivings import require_available
from server.people.team import Nothing
from server.people.wording import Name, Prose, require_values


class SettingsShape(BaseModel):
    """What is set for the whole organisation. `needs_attention`: a safety net is set, and is not active any more."""

    name: str
    contact_text: str
    safety_net_id: TeamMemberId | None
    needs_attention: bool
    unread_email_minutes: int
    unattended_hours: int
    named_in_email: bool


class UpdateSettings(BaseModel):
    """Change what is given, and nothing else."""

    name: Name | None = None
    contact_text: Prose | None = Field(None, description="Told to patients where a channel is closed")
    safety_net_id: TeamMemberId | None = Field(
        None, description="Who is added to a patient's channel when nobody else is left; null takes them away"
    )
    unread_email_minutes: int | None = Field(
        default=None, ge=1, le=1440, description="Unread so long, a message is mailed about"
    )
    unattended_hours: int | None = Field(
        default=None, ge=1, le=168, description="Read by no team member so long, a patient's message is told of again"
    )
    named_in_email: bool | None = Field(
        default=None, description="Whether emails name the organisation; they name nobody else"
    )


async def get(tx: Transaction, actor: Actor, _params: Nothing) -> SettingsShape:
    """The organisation's settings."""
    [row] = await tx.rows(
        """select o.name, coalesce(s.contact_text, '') as contact_text, s.safety_net_id,
                  coalesce(p.status = 'archived', false) as needs_attention,
                  coalesce(s.unread_email_minutes, 5) as unread_email_minutes,
                  coalesce(s.unattended_hours, 24) as unattended_hours, coalesce(s.named_in_email, false) as named_in_email
             from organizations o left join organization_settings s on s.organization_id = o.id
             left join people p on (p.organization_id, p.id) = (s.organization_id, s.safety_net_id) where o.id = $1""",
        actor.organization_id,
    )
    return SettingsShape(**row)


async def update(tx: Transaction, actor: Actor, params: UpdateSettings) -> SettingsShape:
    """Change the organisation's settings.

    Raises:
        Invalid: the safety net is no team member here; there is always a name. Conflict: they are archived, or about to be.
    """
    organization_id, given = actor.organization_id, params.model_fields_set
    if "name" in given and params.name is None:
        raise Invalid("name: an organisation has one. Give another one, or leave it out.")
    require_values(params, "safety_net_id")
    if params.safety_net_id is not None:
        await lock(tx, organization_id, people=[params.safety_net_id])
        await require_available(tx, organization_id, params.safety_net_id, "safety_net_id")
    await tx.rows("update organizations set name = coalesce($2, name) where id = $1", organization_id, params.name)
    await tx.rows(
        """insert into organization_settings as s (organization_id, contact_text, safety_net_id, unread_email_minutes,
             unattended_hours, named_in_email)
           values ($1, coalesce($2, ''), $3, coalesce($5, 5), coalesce($6, 24), coalesce($7, false))
           on conflict (organization_id) do update
              set contact_text = coalesce($2, s.contact_text),
                  safety_net_id = case when $4 then $3 else s.safety_net_id end,
                  unread_email_minutes = coalesce($5, s.unread_email_minutes),
                  unattended_hours = coalesce($6, s.unattended_hours),
                  named_in_email = coalesce($7, s.named_in_email)""",
        *(organization_id, params.contact_text, params.safety_net_id, "safety_net_id" in given),
        *(params.unread_email_minutes, params.unattended_hours, params.named_in_email),
    )
    return await get(tx, actor, Nothing())
