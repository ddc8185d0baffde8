"""The contents page of the roster: a line for each of its operations, as of server/operations.py, which takes them in.

Over HTTP these answer in an envelope: {"success": true, "data": …}, and {"success": false, "error": …} (domain.md §5).
"""

from collections.abc import Awaitable, Callable
from typing import Any, Final, Literal

from pydantic import BaseModel

from server.db import Transaction
from server.people.actors import Actor
from server.people.patients import GetPatient
from server.roster import batch, belonging, encounters, following, forms, groups, guests, members, notes, participants

Line = tuple[
    str,
    Literal["GET", "POST", "PUT", "DELETE"],
    str,
    type[BaseModel],
    type[BaseModel],
    str,
    str,
    Callable[[Transaction, Actor, Any], Awaitable[BaseModel]],
]
"""Name, method, path, params, result, permission, audit word, verb."""

_GROUPS: Final = "/api/groups"
_GROUP: Final = "/api/groups/{group_id}"
_GUESTS: Final = "/api/groups/guests"
_GUEST: Final = "/api/groups/guests/{guest_id}"
_ENCOUNTER: Final = "/api/encounters/{encounter_id}"
_SUBMISSIONS: Final = "/api/encounters/{encounter_id}/form-submissions"
_MEMBERS: Final = "/api/groups/{group_id}/members"
_MEMBER: Final = "/api/groups/{group_id}/members/{group_member_id}"

# fmt: off
OPERATIONS: Final[tuple[Line, ...]] = (
    # What has a fixed path comes before what has a parameter in its place.
    ("guest.create", "POST", _GUESTS, guests.CreateGuest, guests.GuestShape, "group.create", "guest.create", guests.create),
    ("guest.list", "GET", _GUESTS, guests.ListGuests, guests.Guests, "group.read", "guest.list", guests.list_all),
    ("guest.get", "GET", _GUEST, guests.OfGuest, guests.GuestShape, "group.read", "guest.read", guests.get),
    ("guest.update", "PUT", _GUEST, guests.UpdateGuest, guests.GuestShape, "group.update", "guest.update", guests.update),
    ("guest.deactivate", "POST", _GUEST + "/deactivate", guests.OfGuest, guests.GuestShape, "group.update", "guest.deactivate", guests.deactivate),
    ("guest.reactivate", "POST", _GUEST + "/reactivate", guests.OfGuest, guests.GuestShape, "group.update", "guest.reactivate", guests.reactivate),
    ("guest.link", "POST", _GUEST + "/link", guests.LinkGuest, guests.GuestShape, "group.update", "guest.link", guests.link),

    ("group.create", "POST", _GROUPS, groups.CreateGroup, groups.GroupShape, "group.create", "group.create", groups.create),
    ("group.list", "GET", _GROUPS, groups.ListGroups, groups.Groups, "group.read", "group.list", groups.list_all),
    ("group.get", "GET", _GROUP, groups.OfGroup, groups.GroupShape, "group.read", "group.read", groups.get),
    ("group.update", "PUT", _GROUP, groups.UpdateGroup, groups.GroupShape, "group.update", "group.update", groups.update),
    ("group.archive", "POST", _GROUP + "/archive", groups.OfGroup, groups.GroupShape, "group.delete", "group.archive", groups.archive),
    ("group.unarchive", "POST", _GROUP + "/unarchive", groups.OfGroup, groups.GroupShape, "group.delete", "group.unarchive", groups.unarchive),
    ("group.channel", "POST", _GROUP + "/channel", following.FollowRoster, groups.GroupShape, "messaging.manage", "group.channel", following.follow),

    ("group_member.add_batch", "POST", _MEMBERS + "/batch", batch.AddGroupMembers, batch.AddedGroupMembers, "group.member.add", "group_member.add_batch", batch.add_batch),
    ("group_member.add", "POST", _MEMBERS, members.AddGroupMember, members.GroupMemberShape, "group.member.add", "group_member.add", members.add),
    ("group_member.list", "GET", _MEMBERS, members.ListGroupMembers, members.GroupMembers, "group.read", "group_member.list", members.list_all),
    ("group_member.update", "PUT", _MEMBER, members.UpdateGroupMember, members.GroupMemberShape, "group.update", "group_member.update", members.update),
    ("group_member.remove", "DELETE", _MEMBER, members.OfGroupMember, members.GroupMemberShape, "group.member.remove", "group_member.remove", members.remove),
    ("group_member.rejoin", "POST", _MEMBER + "/rejoin", members.OfGroupMember, members.GroupMemberShape, "group.member.add", "group_member.rejoin", members.rejoin),

    ("encounter.create_for_group", "POST", _GROUP + "/encounters", encounters.CreateGroupEncounter, encounters.EncounterShape, "group.encounter.create", "encounter.create", encounters.create_for_group),
    ("encounter.list_of_group", "GET", _GROUP + "/encounters", encounters.ListGroupEncounters, encounters.Encounters, "group.encounter.read", "encounter.list", encounters.list_of_group),
    ("encounter.create_for_patient", "POST", "/api/patients/{patient_id}/encounters", encounters.CreatePatientEncounter, encounters.EncounterShape, "group.encounter.create", "encounter.create", encounters.create_for_patient),
    ("encounter.list", "GET", "/api/encounters", encounters.ListEncounters, encounters.Encounters, "group.encounter.read", "encounter.list", encounters.list_all),
    ("encounter.get", "GET", _ENCOUNTER, encounters.OfEncounter, encounters.EncounterShape, "group.encounter.read", "encounter.read", encounters.get),
    ("encounter.update", "PUT", _ENCOUNTER, encounters.UpdateEncounter, encounters.EncounterShape, "group.encounter.create", "encounter.update", encounters.update),
    ("encounter.practitioners", "PUT", _ENCOUNTER + "/practitioners", encounters.SetPractitioners, encounters.EncounterShape, "group.encounter.create", "encounter.practitioners", encounters.set_practitioners),
    ("encounter.finalize", "POST", _ENCOUNTER + "/finalize", encounters.OfEncounter, encounters.EncounterShape, "group.encounter.create", "encounter.finalize", encounters.finalize),
    ("encounter.participants", "GET", _ENCOUNTER + "/participants", encounters.OfEncounter, participants.Participants, "group.encounter.read", "encounter.participants", participants.list_all),

    ("encounter_note.create", "POST", _ENCOUNTER + "/notes", notes.CreateNote, notes.NoteShape, "group.encounter.note.create", "encounter_note.create", notes.create),
    ("encounter_note.list", "GET", _ENCOUNTER + "/notes", notes.ListNotes, notes.Notes, "group.encounter.note.read", "encounter_note.read", notes.list_all),

    ("form_submission.status", "GET", _SUBMISSIONS + "/status", encounters.OfEncounter, forms.SubmissionStatus, "group.encounter.read", "form_submission.status", forms.status),
    ("form_submission.create", "POST", _SUBMISSIONS, forms.CreateSubmission, forms.SubmissionShape, "group.encounter.note.create", "form_submission.create", forms.create),
    ("form_submission.list", "GET", _SUBMISSIONS, forms.ListSubmissions, forms.Submissions, "group.encounter.note.read", "form_submission.list", forms.list_all),
    ("form_submission.list_of_patient", "GET", "/api/patients/{patient_id}/form-submissions", GetPatient, forms.Submissions, "group.encounter.note.read", "form_submission.list", forms.list_of_patient),
    ("form_submission.list_of_guest", "GET", _GUEST + "/form-submissions", guests.OfGuest, forms.Submissions, "group.encounter.note.read", "form_submission.list", forms.list_of_guest),

    ("patient.groups", "GET", "/api/patients/{patient_id}/groups", GetPatient, belonging.PatientsGroups, "group.read", "patient.groups", belonging.groups_of),
)
# fmt: on
