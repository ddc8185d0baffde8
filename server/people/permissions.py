"""The vocabulary of permissions, each with the words of its refusal, and what the roles hold (domain.md §1, §5, §7)."""

from typing import Final

DENIALS: Final[dict[str, str]] = {
    "patient.read": 'You may not see patients\' records. Ask an administrator for "patient.read".',
    "patient.create": 'You may not create patients. Ask an administrator for "patient.create".',
    "patient.archive": 'You may not archive patients. Ask an administrator for "patient.archive".',
    "team.manage": 'You may not manage the team. Ask an administrator for "team.manage".',
    "settings.manage": 'You may not change settings. Ask an administrator for "settings.manage".',
    "audit.read": 'You may not read the access log. Ask an administrator for "audit.read".',
    "messaging.manage": 'This takes Messaging Management. Ask an administrator for "messaging.manage".',
    "group.create": 'You may not create groups and guests. Ask an administrator for "group.create".',
    "group.read": 'You may not see groups. Ask an administrator for "group.read".',
    "group.update": 'You may not change groups. Ask an administrator for "group.update".',
    "group.delete": 'You may not archive groups. Ask an administrator for "group.delete".',
    "group.member.add": 'You may not add members to groups. Ask an administrator for "group.member.add".',
    "group.member.remove": 'You may not remove members from groups. Ask an administrator for "group.member.remove".',
    "group.encounter.create": 'You may not start group sessions. Ask an administrator for "group.encounter.create".',
    "group.encounter.read": 'You may not see group encounters. Ask an administrator for "group.encounter.read".',
    "group.encounter.note.create": 'You may not write session notes. Ask an administrator for "group.encounter.note.create".',
    "group.encounter.note.read": 'You may not read session notes. Ask an administrator for "group.encounter.note.read".',
    "session.manage": 'You may not start sessions. Ask an administrator for "session.manage".',
    "session.manage_all": 'Only the session\'s leaders may do this. Others need "session.manage_all".',
    "session.review": 'You may not review sessions. Ask an administrator for "session.review".',
    "session.requires_review": "Your sessions are signed by a reviewer.",
    "template.manage": 'You may not manage templates. Ask an administrator for "template.manage".',
}
"""Every permission there is, and what its lack says. `session.requires_review` is a restriction, not a power."""

ALL: Final = frozenset(DENIALS) - {"session.requires_review"}
_GROUPS: Final = frozenset(name for name in DENIALS if name.startswith("group."))
_CLINICAL: Final = _GROUPS | {"patient.read", "patient.create", "session.manage"}

ROLES: Final[dict[str, frozenset[str]]] = {
    "SUPERUSER": ALL,
    "ADMIN": ALL,
    "MANAGER": ALL - {"settings.manage", "audit.read"},
    "DOCTOR": _CLINICAL,
    "ALLIED_HEALTH": _CLINICAL,
    "NURSE": frozenset({"patient.read", "group.read", "group.encounter.read", "group.member.add"}),
    "RECEPTIONIST": frozenset({"patient.read", "patient.create", "group.read", "group.encounter.read"}),
}
"""What a new organisation's roles start with; from then on they are the organisation's own data."""
