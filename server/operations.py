"""The contents page of the product: every operation, its HTTP route, what it takes and gives, who may, what is recorded.

HTTP routes, the WebSocket's rpc and OpenAPI are read off this table, and so is the isolation walk of the tests. To add an
operation, write its verb where it belongs and add a line here.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import BaseModel

from server.chat import (
    activation,
    activation_rules,
    archiving,
    asking,
    channels,
    closing,
    contact,
    directory,
    facilitating,
    leaving,
    marking,
    memberships,
    messages,
    opening,
    patient_status,
    profiles,
    reads,
    revising,
)
from server.db import Transaction
from server.notices import devices, preferences, viewing, why
from server.people import access_log, archivings, patient_groups, patients, roles, settings, signing_out, team
from server.people.actors import Actor
from server.people.team import Nothing
from server.roster import contents

SIGNED_IN: Final = "signed in"
"""Permission: whoever is signed in; the verb finds only what is theirs (membership is access)."""
STAFF: Final = "staff"
"""Permission: any team member."""
OWN: Final = "own"
"""Audit word: the actor's own affairs, nobody's record."""
LOG: Final = "log"
"""Audit word: the event it writes to the channel's log is its record."""

Verb = Callable[[Transaction, Actor, Any], Awaitable[BaseModel]]
Then = Callable[[viewing.Viewing, Actor, Any], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing the product can do. `audits` is the word it is recorded under, or OWN or LOG: not in the access log.

    The verb is None for the one operation that is batched and runs in no transaction of its own: message.send.
    """

    name: str
    method: Literal["GET", "POST", "PUT", "DELETE"]
    path: str
    params: type[BaseModel]
    result: type[BaseModel]
    permission: str
    audits: str
    verb: Verb | None
    envelope: bool = False
    """Over HTTP it answers {"success": true, "data": …}, or {"success": false, "error": …} (domain.md §5)."""
    then: Then | None = None
    """What is noted in Redis once the transaction is over; if Redis is away, it is not."""

    @property
    def summary(self) -> str:
        """What it does, in one line: the first of its verb's docstring, without what the verb raises."""
        told = (self.verb.__doc__ if self.verb else self.params.__doc__) or self.name
        return told.strip().splitlines()[0].partition(" Raises ")[0]


_MESSAGES: Final = "/api/channels/{channel_id}/messages"
_MEMBERS: Final = "/api/channels/{channel_id}/members"
_CHANNEL: Final = "/api/channels/{channel_id}"
_TEAM: Final = "/api/team"
_PATIENT: Final = "/api/patients/{patient_id}"
_COHORTS: Final = "/api/patient-groups"

# fmt: off
OPERATIONS: Final = (
    Operation("me", "GET", "/api/me", Nothing, team.Me, SIGNED_IN, OWN, team.me),

    Operation("sign_out", "POST", "/api/me/sign-out", Nothing, signing_out.SignedOut, SIGNED_IN, "person.sign_out", signing_out.myself),
    Operation("me.active", "POST", "/api/me/active", Nothing, signing_out.Active, SIGNED_IN, OWN, signing_out.active),
    Operation("person.sign_out", "POST", "/api/people/{person_id}/sign-out", signing_out.OfPerson, signing_out.SignedOut, STAFF, "person.sign_out", signing_out.somebody),

    Operation("audit.list", "GET", "/api/audit", access_log.ListAudit, access_log.AuditEntries, "audit.read", "audit.list", access_log.list_all),

    Operation("profile.get", "GET", "/api/profile", Nothing, profiles.Profile, SIGNED_IN, OWN, profiles.get),
    Operation("profile.update", "PUT", "/api/profile", profiles.UpdateProfile, profiles.Profile, SIGNED_IN, "profile.update", profiles.update),
    Operation("channel.profile", "PUT", _CHANNEL + "/profile", profiles.UpdateChannelProfile, profiles.ChannelProfileShape, SIGNED_IN, "channel.profile", profiles.update_in_channel),

    Operation("patient.create", "POST", "/api/patients", patients.CreatePatient, patients.PatientShape, "patient.create", "patient.create", patients.create),
    Operation("patient.get", "GET", "/api/patients/{patient_id}", patients.GetPatient, patients.PatientShape, "patient.read", "patient.read", patients.get),
    Operation("patient.list", "GET", "/api/patients", patients.ListPatients, patients.Patients, "patient.read", "patient.list", patients.list_all),
    Operation("patient.update", "PUT", _PATIENT, patients.UpdatePatient, patients.PatientShape, "patient.create", "patient.update", patients.update),
    Operation("patient.archive", "POST", _PATIENT + "/archive", patients.GetPatient, patients.PatientShape, "patient.archive", "patient.archive", patient_status.archive),
    Operation("patient.unarchive", "POST", _PATIENT + "/unarchive", patients.GetPatient, patients.PatientShape, "patient.archive", "patient.unarchive", patient_status.unarchive),
    Operation("patient.show_as", "PUT", _PATIENT + "/display-name", profiles.ShowPatientAs, patients.PatientShape, "patient.create", "patient.show_as", profiles.show_patient_as),
    Operation("patient_group.list", "GET", _COHORTS, Nothing, patient_groups.PatientGroups, STAFF, OWN, patient_groups.list_all),
    Operation("patient_group.create", "POST", _COHORTS, patient_groups.CreatePatientGroup, patient_groups.PatientGroupShape, "settings.manage", "patient_group.create", patient_groups.create),
    Operation("patient_group.update", "PUT", _COHORTS + "/{patient_group_id}", patient_groups.UpdatePatientGroup, patient_groups.PatientGroupShape, "settings.manage", "patient_group.update", patient_groups.update),

    Operation("team_member.create", "POST", _TEAM, team.CreateTeamMember, team.TeamMemberShape, "team.manage", "team_member.create", roles.create_member),
    Operation("team_member.get", "GET", _TEAM + "/{team_member_id}", team.GetTeamMember, team.TeamMemberShape, STAFF, OWN, team.get),
    Operation("team_member.list", "GET", _TEAM, team.Page, team.TeamMembers, STAFF, OWN, team.list_all),
    Operation("team_member.update", "PUT", _TEAM + "/{team_member_id}", roles.UpdateTeamMember, team.TeamMemberShape, "team.manage", "team_member.update", roles.update_member),
    Operation("team_member.archive_preview", "GET", _TEAM + "/{team_member_id}/archiving", archiving.PreviewArchiving, archiving.ArchivingPreview, "team.manage", "team_member.archive_preview", archiving.preview),
    Operation("team_member.archive", "POST", _TEAM + "/{team_member_id}/archive", archiving.ArchiveTeamMember, archivings.ArchivingShape, "team.manage", "team_member.archive", archiving.archive),
    Operation("team_member.archivings", "GET", "/api/archivings", archivings.ListArchivings, archivings.Archivings, "team.manage", OWN, archivings.list_all),
    Operation("team_member.unarchive", "POST", _TEAM + "/{team_member_id}/unarchive", team.GetTeamMember, team.TeamMemberShape, "team.manage", "team_member.unarchive", archivings.unarchive),
    Operation("role.list", "GET", "/api/roles", Nothing, roles.Roles, STAFF, OWN, roles.list_all),
    Operation("role.update", "PUT", "/api/roles/{name}", roles.UpdateRole, roles.RoleShape, "team.manage", "role.update", roles.update),

    Operation("organization.settings", "GET", "/api/organization", Nothing, settings.SettingsShape, STAFF, OWN, settings.get),
    Operation("organization.update", "PUT", "/api/organization", settings.UpdateSettings, settings.SettingsShape, "settings.manage", "organization.update", settings.update),
    Operation("activation_rule.list", "GET", "/api/activation-rules", Nothing, activation_rules.Rules, "settings.manage", OWN, activation_rules.list_all),
    Operation("activation_rule.set", "PUT", "/api/activation-rules/{kind}", activation_rules.SetRule, activation_rules.RuleShape, "settings.manage", "activation_rule.set", activation_rules.set_rule),
    Operation("activation_rule.backfill", "POST", "/api/activation-rules/{kind}/backfill", activation_rules.Backfill, activation_rules.Backfilled, "settings.manage", "activation_rule.backfill", activation_rules.backfill),

    Operation("channel.activate", "POST", "/api/patients/{patient_id}/channels", activation.Activate, activation.Activated, "patient.read", "channel.activate", activation.activate),
    Operation("channel.ask_to_join", "POST", "/api/patients/{patient_id}/asks", asking.AskToJoin, asking.Asked, "patient.read", "channel.ask_to_join", asking.ask),
    Operation("channel.open", "POST", "/api/channels", opening.OpenChannel, opening.Opened, SIGNED_IN, "channel.make", opening.open_channel),
    Operation("channel.list", "GET", "/api/channels", Nothing, channels.Channels, SIGNED_IN, OWN, channels.list_mine),
    Operation("channel.directory", "GET", "/api/channels/{channel_id}/directory", channels.InChannel, directory.Directory, SIGNED_IN, "channel.directory", directory.directory),
    Operation("channel.read", "PUT", "/api/channels/{channel_id}/read-mark", reads.MoveReadMark, reads.ReadMark, SIGNED_IN, OWN, reads.move),
    Operation("channel.contact", "GET", _CHANNEL + "/contact", channels.InChannel, contact.Contact, SIGNED_IN, OWN, contact.contact),
    Operation("channel.rename", "PUT", _CHANNEL + "/name", closing.RenameChannel, closing.ChannelState, SIGNED_IN, "channel.rename", closing.rename),
    Operation("channel.archive", "POST", _CHANNEL + "/archive", channels.InChannel, closing.ChannelState, SIGNED_IN, "channel.archive", closing.archive),
    Operation("channel.unarchive", "POST", _CHANNEL + "/unarchive", channels.InChannel, closing.ChannelState, SIGNED_IN, "channel.unarchive", closing.unarchive),
    Operation("channel.hide", "PUT", _CHANNEL + "/hidden", closing.HideChannel, closing.ChannelState, SIGNED_IN, OWN, closing.hide),
    Operation("channel.mute", "PUT", _CHANNEL + "/muted", marking.MuteChannel, marking.ChannelMarks, SIGNED_IN, OWN, marking.mute),
    Operation("channel.mark_unread", "PUT", _CHANNEL + "/unread", channels.InChannel, marking.ChannelMarks, SIGNED_IN, OWN, marking.mark_unread),
    Operation("channel.viewing", "PUT", _CHANNEL + "/viewing", viewing.View, viewing.Viewed, SIGNED_IN, OWN, viewing.view, then=viewing.note),
    Operation("channel.facilitator", "PUT", _CHANNEL + "/facilitator", facilitating.SetFacilitator, facilitating.Facilitator, SIGNED_IN, "channel.facilitator", facilitating.set_facilitator),
    Operation("channel.leave", "POST", _CHANNEL + "/leave", leaving.LeaveChannel, leaving.Left, SIGNED_IN, "channel.leave", leaving.leave),

    Operation("message.history", "GET", _MESSAGES, messages.ReadHistory, messages.MessagePage, SIGNED_IN, "message.history", messages.history),
    Operation("message.send", "POST", _MESSAGES, messages.SendMessage, messages.Sent, SIGNED_IN, LOG, None),

    Operation("message.edit", "PUT", _MESSAGES + "/{message_id}", revising.EditMessage, revising.Revised, SIGNED_IN, "message.edit", revising.edit),
    Operation("message.delete", "POST", _MESSAGES + "/{message_id}/delete", revising.DeleteMessage, revising.Revised, SIGNED_IN, "message.delete", revising.delete),
    Operation("message.revisions", "GET", _MESSAGES + "/{message_id}/revisions", revising.ReadRevisions, revising.Revisions, STAFF, "message.revisions", revising.revisions),

    Operation("member.add", "POST", _MEMBERS, memberships.AddMember, memberships.Added, SIGNED_IN, "member.add", memberships.add),
    Operation("member.remove", "DELETE", _MEMBERS + "/{member_id}", memberships.RemoveMember, memberships.Removed, SIGNED_IN, "member.remove", memberships.remove),

    Operation("notice.preferences", "GET", "/api/notices/preferences", Nothing, preferences.PreferencesShape, SIGNED_IN, OWN, preferences.get),
    Operation("notice.set_preferences", "PUT", "/api/notices/preferences", preferences.SetPreferences, preferences.PreferencesShape, SIGNED_IN, "notice.set_preferences", preferences.update),
    Operation("notice.why", "GET", _MESSAGES + "/{message_id}/notices", why.AskWhy, why.Why, STAFF, "notice.why", why.why),
    Operation("patient.preferences", "GET", _PATIENT + "/preferences", patients.GetPatient, preferences.PreferencesShape, "patient.read", "patient.preferences", preferences.of_patient),
    Operation("patient.set_preferences", "PUT", _PATIENT + "/preferences", preferences.SetPatientPreferences, preferences.PreferencesShape, "patient.create", "patient.set_preferences", preferences.update_of_patient),
    Operation("device.add", "POST", "/api/devices", devices.AddDevice, devices.DeviceAdded, SIGNED_IN, "device.add", devices.add),
    Operation("device.remove", "POST", "/api/devices/remove", devices.RemoveDevice, devices.DeviceRemoved, SIGNED_IN, "device.remove", devices.remove),
    Operation("device.end", "DELETE", "/api/devices/{device_id}", devices.EndDevice, devices.DeviceRemoved, SIGNED_IN, "device.end", devices.end),
    Operation("device.list", "GET", "/api/devices", Nothing, devices.Devices, SIGNED_IN, OWN, devices.list_mine),

    *(Operation(*line, envelope=True) for line in contents.OPERATIONS),
)
# fmt: on


BY_NAME: Final = {operation.name: operation for operation in OPERATIONS}
