"""Who fits into a group, and what a batch comes to: pure rules over plain values (domain.md §5). Every branch is tested."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

Key = tuple[str, str]
"""Who: (patient or guest, id)."""

ARCHIVED = "This group is archived. Unarchive it first."
ALREADY = "is an active member of this group already"
FINALIZED = "This encounter is finalised, and stays as it is. Only a note of the type addendum can be added."
ADDENDUM = "addendum"
STAFFED_IN = (
    "facilitator_id: this group has a channel that whoever facilitates it joins; that takes Messaging Management. "
    'Ask an administrator for "messaging.manage".'
)


def reference(member_type: str, patient_id: str | None, guest_id: str | None) -> Key | str:
    """Whom a member, a note or a submission names; or what is wrong with it, in words."""
    named = {"patient": patient_id, "guest": guest_id}
    other = "guest" if member_type == "patient" else "patient"
    found = named[member_type]
    if found is None:
        return f"{member_type}_id: a {member_type} is named by it. Give one."
    if named[other] is not None:
        return f"{other}_id: this is a {member_type}; leave it out."
    return member_type, found


def full(most: int | None, active: int, more: int = 1) -> str | None:
    """Why so many more do not fit in, in words; None where they do. `most` is None without a limit."""
    if most is None or active + more <= most:
        return None
    if more == 1:
        return f"This group is full: {active} of {most} places are taken. Remove somebody first, or raise max_participants."
    return (
        f"These are {more} new members, and {max(most - active, 0)} of {most} places are free. Nobody was added. "
        "Name fewer, or raise max_participants."
    )


@dataclass(frozen=True, slots=True)
class Batch:
    """What a batch comes to: the places in it that are added, how many are skipped, what is wrong with which place."""

    add: tuple[int, ...] = ()
    skipped: int = 0
    errors: tuple[tuple[int, str], ...] = ()
    refused: str | None = None
    """Why nothing of it is done."""


def plan_batch(
    wanted: Sequence[Key | str], active: Collection[Key], wrong: Mapping[Key, str], most: int | None
) -> Batch:
    """What adding these at once comes to.

    Args:
        wanted: whom each place names, or what is wrong with it.
        active: who is an active member now.
        wrong: who cannot be added, and why.
        most: the group's max_participants.
    """
    add: dict[Key, int] = {}
    skipped, errors = 0, []
    for place, key in enumerate(wanted):
        if isinstance(key, str):
            errors.append((place, key))
        elif key in active or key in add:
            skipped += 1
        elif key in wrong:
            errors.append((place, wrong[key]))
        else:
            add[key] = place
    if refused := full(most, len(active), len(add)) if add else None:
        return Batch(refused=refused)
    return Batch(tuple(add.values()), skipped, tuple(errors))


def may_write(finalized: bool, note_type: str) -> str | None:
    """Why a note of this type cannot be written, in words; None where it can: once finalised, addenda alone."""
    return FINALIZED if finalized and note_type != ADDENDUM else None
