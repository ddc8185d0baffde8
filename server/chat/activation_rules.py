"""Activation rules: what an organisation has set, the worker's part that makes a new patient's channels, and the back-fill for
patients who were there before (domain.md §2)."""

from typing import Any, Literal

from pydantic import BaseModel, Field

from server import audit, jobs
from server.chat import situation
from server.chat.activation_plan import Activation, Rule, plan_activation
from server.chat.models import Channel
from server.chat.opening import begin
from server.db import Transaction
from server.errors import Conflict, Invalid, TooMany
from server.ids import ChannelId, OrganizationId, PatientId, TeamMemberId
from server.locks import lock
from server.people.actors import Actor
from server.people.patients import ACTIVATE
from server.people.team import Nothing

BACKFILL = "channels.backfill"
BACKFILL_STEP = 20
"""Patients per transaction of a back-fill."""
MOST_NAMED = 1_000
"""Patients whom an answer names: one that named them all would be too much for a connection."""

Kind = Literal["care_team", "service_team"]
KINDS: tuple[Kind, ...] = ("care_team", "service_team")


class RuleShape(BaseModel):
    """An activation rule. `needs_attention`: it is on, and nobody it nominates is active any more."""

    kind: Kind
    automatic: bool
    include_allocation_clinician: bool
    team_member_ids: list[TeamMemberId]
    needs_attention: bool


class Rules(BaseModel):
    """The organisation's activation rules, one for each kind."""

    rules: list[RuleShape]


class SetRule(BaseModel):
    """Set an activation rule, whole."""

    kind: Kind
    automatic: bool = Field(description="Make the channel when a patient is created")
    team_member_ids: list[TeamMemberId] = Field([], max_length=100, description="Who is added")
    include_allocation_clinician: bool = False


class Backfill(BaseModel):
    """Apply a rule to the patients who have no such channel yet."""

    kind: Kind
    dry_run: bool = Field(True, description="Only say whom it would touch")


class Touched(BaseModel):
    """A patient whom a back-fill touches."""

    id: PatientId
    name: str


class Backfilled(BaseModel):
    """Whom it touches: active patients without a channel of the kind. Not a dry run, a worker has begun with them.

    `total` is how many they are; `patients` names the first 1,000 of them.
    """

    kind: Kind
    dry_run: bool
    total: int
    patients: list[Touched]


_RULES = """
select k.kind, coalesce(r.automatic, false) as automatic,
       coalesce(r.include_allocation_clinician, false) as include_allocation_clinician,
       coalesce(n.team_member_ids, '{}') as team_member_ids, coalesce(n.active, 0) as active
  from unnest(array['care_team', 'service_team']) with ordinality as k (kind, place)
  left join activation_rules r on (r.organization_id, r.kind) = ($1, k.kind)
  left join lateral (
    select array_agg(t.id order by lower(t.name), t.id) as team_member_ids, count(*) filter (where p.status = 'active'
             and not exists (select from archivings a where (a.person_id, a.organization_id) = (p.id, p.organization_id)
                                                        and a.status = 'pending')) as active
      from activation_nominees n join team_members t on (t.organization_id, t.id) = (n.organization_id, n.team_member_id)
      join people p on (p.organization_id, p.id) = (t.organization_id, t.id)
     where (n.organization_id, n.kind) = ($1, k.kind) and n.is_nominated) n on true
 order by k.place"""
_WITHOUT = """
select a.id, coalesce(a.preferred_name, a.legal_name) as name
  from patients a join people p on (p.organization_id, p.id) = (a.organization_id, a.id) and p.status = 'active'
 where a.organization_id = $1 and a.id > $3 and not exists (
   select from channels c where (c.organization_id, c.patient_id, c.kind) = (a.organization_id, a.id, $2))
 order by a.id limit $4"""


async def list_all(tx: Transaction, actor: Actor, _params: Nothing) -> Rules:
    """The activation rules, and whether they need attention."""
    rows = await tx.rows(_RULES, actor.organization_id)
    return Rules(rules=[_shape(row) for row in rows])


def _shape(row: dict[str, Any]) -> RuleShape:
    attention = row["automatic"] and not row["active"]
    return RuleShape(**{name: row[name] for name in RuleShape.model_fields if name in row}, needs_attention=attention)


async def set_rule(tx: Transaction, actor: Actor, params: SetRule) -> RuleShape:
    """Set an activation rule. It counts for the patients created from now on.

    Raises:
        Invalid: somebody named is no team member here.
        Conflict: switched on with nobody active nominated.
    """
    nominees = sorted(set(params.team_member_ids))
    await lock(tx, actor.organization_id, people=nominees)
    known = await tx.rows(
        "select id from team_members where organization_id = $1 and id = any ($2)", actor.organization_id, nominees
    )
    if len(known) < len(nominees):
        raise Invalid("team_member_ids: there is no such team member.")
    if params.automatic and not (await situation.team(tx, actor.organization_id, nominees)).available & {*nominees}:
        raise Conflict("team_member_ids: nominate at least one active team member to switch the rule on.")
    await tx.rows(
        """insert into activation_rules values ($1, $2, $3, $4) on conflict (organization_id, kind) do update
              set automatic = excluded.automatic, include_allocation_clinician = excluded.include_allocation_clinician""",
        *(actor.organization_id, params.kind, params.automatic, params.include_allocation_clinician),
    )
    await tx.rows(
        """update activation_nominees set is_nominated = team_member_id = any ($3)
            where (organization_id, kind) = ($1, $2) and is_nominated <> (team_member_id = any ($3))""",
        *(actor.organization_id, params.kind, nominees),
    )
    await tx.rows(
        """insert into activation_nominees select $1, $2, id from unnest($3::text[]) as id on conflict do nothing""",
        *(actor.organization_id, params.kind, nominees),
    )
    rows = await tx.rows(_RULES, actor.organization_id)
    return next(_shape(row) for row in rows if row["kind"] == params.kind)


async def backfill(tx: Transaction, actor: Actor, params: Backfill) -> Backfilled:
    """Apply a rule to the active patients without such a channel, or say whom that would touch.

    Raises:
        Forbidden: it tells patients' names, so it takes patient.read as well.
    """
    actor.require("patient.read")
    told = await apply_backfill(tx, actor.organization_id, params)
    return told.model_copy(update={"patients": told.patients[:MOST_NAMED]})


async def apply_backfill(tx: Transaction, organization_id: OrganizationId, params: Backfill) -> Backfilled:
    """The same, for whoever may."""
    rows = await tx.rows(_WITHOUT, organization_id, params.kind, "", None)
    if rows and not params.dry_run:
        args = {"organization_id": organization_id, "kind": params.kind, "after": ""}
        await jobs.enqueue(tx, BACKFILL, args, key=f"{organization_id}:{params.kind}")
    touched = [Touched(**row) for row in rows]
    return Backfilled(kind=params.kind, dry_run=params.dry_run, total=len(touched), patients=touched)


async def carry_out(tx: Transaction, args: dict[str, Any]) -> None:
    """The worker's part for a new patient: the channels whose rules are on, each once."""
    organization_id, patient_id = OrganizationId(args["organization_id"]), PatientId(args["patient_id"])
    on = [rule for rule in await _rules(tx, organization_id) if rule.automatic]
    await _activate(tx, organization_id, [patient_id], on)


async def carry_out_backfill(tx: Transaction, args: dict[str, Any]) -> None:
    """The worker's part of a back-fill: the next few patients, and then a job for the rest."""
    organization_id, kind = OrganizationId(args["organization_id"]), args["kind"]
    rows = await tx.rows(_WITHOUT, organization_id, kind, args["after"], BACKFILL_STEP)
    rules = [rule for rule in await _rules(tx, organization_id) if rule.kind == kind]
    await _activate(tx, organization_id, [PatientId(row["id"]) for row in rows], rules)
    if len(rows) == BACKFILL_STEP:
        await jobs.enqueue(tx, BACKFILL, args | {"after": rows[-1]["id"]}, key=f"{organization_id}:{kind}")


async def _rules(tx: Transaction, organization_id: OrganizationId) -> list[Rule]:
    rows = await tx.rows(_RULES, organization_id)
    return [Rule(row["kind"], row["automatic"], row["include_allocation_clinician"]) for row in rows]


_MISSING = """
select a.id as patient_id, k.kind, a.allocation_clinician_id as clinician, a.patient_group_id as patient_group
  from unnest($2::text[]) as w (id) join patients a on (a.organization_id, a.id) = ($1, w.id)
  join people p on (p.organization_id, p.id) = (a.organization_id, a.id) and p.status = 'active'
 cross join unnest($3::text[]) as k (kind)
 where not exists (select from channels c where (c.organization_id, c.patient_id, c.kind) = (a.organization_id, a.id, k.kind))
 order by a.id, k.kind"""


async def _activate(
    tx: Transaction, organization_id: OrganizationId, patients: list[PatientId], rules: list[Rule]
) -> None:
    """Make what is missing; what exists joins nobody. The plan is made twice: to know whom to lock, and then for good."""
    planned = await _plan(tx, organization_id, patients, rules)
    locked = {person for _, _, plan in planned for person in plan.members} | set(patients)
    await lock(tx, organization_id, people=locked)
    for patient_id, kind, plan in await _plan(tx, organization_id, patients, rules):
        if not plan.members:
            continue  # nobody is left: the rule is shown as needing attention, and a back-fill makes it later
        if not locked.issuperset(plan.members):
            raise TooMany("It moved while the locks were taken. Try again.")
        channel = Channel(organization_id=organization_id, id=ChannelId.new(), kind=kind, patient_id=patient_id)
        await begin(tx, channel, [patient_id, *plan.members], source=plan.source)
        facts = {"kind": kind, "source": plan.source, "team_member_ids": list(plan.members)}
        await audit.append(tx, organization_id, None, "channel.activate", f"rule {kind}", facts)


async def _plan(
    tx: Transaction, organization_id: OrganizationId, patients: list[PatientId], rules: list[Rule]
) -> list[tuple[PatientId, str, Activation]]:
    by_kind = {rule.kind: rule for rule in rules}
    rows = await tx.rows(_MISSING, organization_id, patients, sorted(by_kind))
    team = await situation.team(tx, organization_id, [row["clinician"] for row in rows]) if rows else None
    return [
        (
            row["patient_id"],
            row["kind"],
            plan_activation(by_kind[row["kind"]], row["clinician"], row["patient_group"], team),
        )
        for row in rows
        if team is not None
    ]


JOBS = {ACTIVATE: carry_out, BACKFILL: carry_out_backfill}
"""The workers' part, by name."""
