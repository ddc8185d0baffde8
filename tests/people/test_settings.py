"""What an organisation sets: its team's roles and permissions, patient groups, the contact text and the safety net."""

import pytest

from server.errors import Conflict, Forbidden, Invalid, NotFound
from server.ids import PatientGroupId, TeamMemberId
from tests.support.cast import Clinic


async def test_a_team_member_is_changed_and_it_counts_at_once(clinic: Clinic) -> None:
    nurse = await clinic.team_member("NURSE")
    with pytest.raises(Forbidden):
        await clinic.call(nurse, "activation_rule.list")
    change = {"team_member_id": nurse, "name": "Team Member", "extra_permissions": ["settings.manage"]}
    shown = await clinic.call(clinic.clinician, "team_member.update", **change)
    assert (shown["name"], shown["role"], shown["extra_permissions"]) == ("Team Member", "NURSE", ["settings.manage"])
    await clinic.call(nurse, "activation_rule.list")
    await clinic.call(clinic.clinician, "team_member.update", team_member_id=nurse, role="ADMIN", extra_permissions=[])
    await clinic.call(nurse, "team_member.archivings")
    for wrong, why in (({"role": "WIZARD"}, "no such role"), ({"extra_permissions": ["fly"]}, "none called")):
        with pytest.raises(Invalid, match=why):
            await clinic.call(clinic.clinician, "team_member.update", team_member_id=nurse, **wrong)
    with pytest.raises(NotFound):
        await clinic.call(clinic.clinician, "team_member.update", team_member_id=TeamMemberId.new())


async def test_nobody_gives_what_they_lack_nor_leaves_the_team_unmanaged(clinic: Clinic) -> None:
    manager, nurse = await clinic.team_member("MANAGER"), await clinic.team_member("NURSE")
    for change in ({"role": "ADMIN"}, {"extra_permissions": ["audit.read"]}):
        with pytest.raises(Forbidden, match="what you hold"):
            await clinic.call(manager, "team_member.update", team_member_id=nurse, **change)
    with pytest.raises(Forbidden, match="what you hold"):
        await clinic.call(manager, "role.update", name="NURSE", permissions=["audit.read"])
    shown = await clinic.call(manager, "role.update", name="NURSE", permissions=["patient.read", "team.manage"])
    assert shown == {"name": "NURSE", "permissions": ["patient.read", "team.manage"]}
    await clinic.call(nurse, "team_member.archivings")
    await clinic.call(manager, "role.update", name="NURSE", permissions=[])
    await clinic.archive(manager)
    with pytest.raises(Conflict, match="Nobody would be left"):
        await clinic.call(clinic.clinician, "role.update", name="ADMIN", permissions=[])
    with pytest.raises(Conflict, match="Nobody would be left"):
        await clinic.call(clinic.clinician, "team_member.update", team_member_id=clinic.clinician, role="NURSE")
    with pytest.raises(NotFound):
        await clinic.call(clinic.clinician, "role.update", name="WIZARD", permissions=[])
    with pytest.raises(Invalid, match="none called"):
        await clinic.call(clinic.clinician, "role.update", name="NURSE", permissions=["fly"])
    listed = await clinic.call(nurse, "role.list")
    assert {role["name"]: role["permissions"] for role in listed["roles"]}["NURSE"] == []
    assert "messaging.manage" in listed["vocabulary"]


async def test_patient_groups_have_a_team_and_crisis_services(clinic: Clinic, elsewhere: Clinic) -> None:
    one, two = await clinic.team_member(), await clinic.team_member()
    wanted = {"name": "Cohort", "crisis_services": "Call 000\nor walk in.", "team_member_ids": [one]}
    made = await clinic.call(clinic.clinician, "patient_group.create", **wanted)
    assert made == wanted | {"id": made["id"], "is_default": False}
    change = {"patient_group_id": made["id"], "team_member_ids": [two]}
    assert (await clinic.call(clinic.clinician, "patient_group.update", **change))["team_member_ids"] == [two]
    change = {"patient_group_id": made["id"], "team_member_ids": [one, two], "crisis_services": ""}
    changed = await clinic.call(clinic.clinician, "patient_group.update", **change)
    assert (sorted(changed["team_member_ids"]), changed["crisis_services"], changed["name"]) == (
        sorted([one, two]),
        "",
        "Cohort",
    )
    listed = await clinic.call(two, "patient_group.list")
    assert [group["name"] for group in listed["patient_groups"]] == ["Cohort", "General"]
    with pytest.raises(Conflict, match="of this name"):
        await clinic.call(clinic.clinician, "patient_group.create", name="general")
    with pytest.raises(NotFound):
        await clinic.call(clinic.clinician, "patient_group.update", patient_group_id=PatientGroupId.new(), name="X")
    for nobody in (TeamMemberId.new(), await elsewhere.team_member()):
        with pytest.raises(Invalid, match="no such team member"):
            await clinic.call(clinic.clinician, "patient_group.create", name="Other", team_member_ids=[nobody])
    with pytest.raises(Invalid, match="crisis_services"):
        await clinic.call(clinic.clinician, "patient_group.create", name="Other", crisis_services="a\u202eb")


async def test_the_organisation_has_a_contact_text_and_a_safety_net(clinic: Clinic, elsewhere: Clinic) -> None:
    net, gone = await clinic.team_member(), await clinic.team_member()
    await clinic.archive(gone)
    before = await clinic.call(net, "organization.settings")
    assert (before["contact_text"], before["safety_net_id"], before["needs_attention"]) == ("", None, False)
    await clinic.call(clinic.clinician, "organization.update", contact_text="Ring us.")
    shown = await clinic.call(clinic.clinician, "organization.update", safety_net_id=net, name="Clinic")
    about_notices = {"unread_email_minutes": 5, "unattended_hours": 24, "named_in_email": False}
    assert shown == {
        "name": "Clinic", "contact_text": "Ring us.", "safety_net_id": net, "needs_attention": False, **about_notices
    }  # fmt: skip
    await clinic.archive(net)
    assert (await clinic.call(clinic.clinician, "organization.settings"))["needs_attention"]
    shown = await clinic.call(clinic.clinician, "organization.update", safety_net_id=None)
    assert (shown["safety_net_id"], shown["contact_text"]) == (None, "Ring us.")
    for nobody in (TeamMemberId.new(), await elsewhere.team_member()):
        with pytest.raises(Invalid, match="no such team member"):
            await clinic.call(clinic.clinician, "organization.update", safety_net_id=nobody)
    with pytest.raises(Conflict, match="archived"):
        await clinic.call(clinic.clinician, "organization.update", safety_net_id=gone)
    with pytest.raises(Invalid, match="has one"):
        await clinic.call(clinic.clinician, "organization.update", name=None)


async def test_only_a_group_has_a_facilitator(clinic: Clinic, elsewhere: Clinic) -> None:
    doctor, gone = await clinic.team_member(), await clinic.team_member()
    await clinic.archive(gone)
    group = await clinic.channel("group", clinic.clinician, doctor)
    care = await clinic.care_team(await clinic.patient())

    async def name(person: str | None, channel: str = group, by: str = clinic.clinician) -> str | None:
        told = await clinic.call(by, "channel.facilitator", channel_id=channel, facilitator_id=person)
        found: str | None = told["facilitator_id"]
        return found

    assert await name(doctor) == doctor
    assert await name(None) is None
    with pytest.raises(Forbidden):
        await name(doctor, by=doctor)
    with pytest.raises(Invalid, match="only group"):
        await name(doctor, care)
    with pytest.raises(Conflict, match="archived"):
        await name(gone)
    for nobody in (TeamMemberId.new(), await elsewhere.team_member()):
        with pytest.raises(Invalid, match="no such team member"):
            await name(nobody)
    with pytest.raises(NotFound):
        await name(doctor, await elsewhere.channel("group", elsewhere.clinician))


async def test_nobody_makes_a_colleague_who_may_more_than_they(clinic: Clinic) -> None:
    manager = await clinic.team_member("MANAGER")
    new = {"name": "Team Member", "email": "new@clinic.invalid"}
    for role in ("ADMIN", "SUPERUSER"):
        with pytest.raises(Forbidden, match="what you hold"):
            await clinic.call(manager, "team_member.create", **new, role=role)
    for role in ("MANAGER", "NURSE"):
        made = await clinic.call(
            manager, "team_member.create", name="Team Member", email=f"{role}@a.invalid", role=role
        )
        assert made["role"] == role


async def test_what_somebody_holds_already_is_not_given(clinic: Clinic) -> None:
    manager, admin = await clinic.team_member("MANAGER"), await clinic.team_member("ADMIN")
    await clinic.call(
        clinic.clinician, "team_member.update", team_member_id=admin, extra_permissions=["settings.manage"]
    )
    as_before = {"team_member_id": admin, "role": "ADMIN", "extra_permissions": ["settings.manage"]}
    shown = await clinic.call(manager, "team_member.update", **as_before, name="Another Name")
    assert (shown["name"], shown["role"], shown["extra_permissions"]) == ("Another Name", "ADMIN", ["settings.manage"])
    nurse = await clinic.team_member("NURSE")
    for more in ({"role": "ADMIN"}, {"extra_permissions": ["settings.manage"]}):
        with pytest.raises(Forbidden, match="what you hold"):
            await clinic.call(manager, "team_member.update", team_member_id=nurse, **more)


async def test_null_takes_away_or_is_refused_and_is_never_passed_over(clinic: Clinic) -> None:
    nurse = await clinic.team_member("NURSE")
    group = await clinic.call(clinic.clinician, "patient_group.create", name="Cohort", crisis_services="Crisis line")
    for name, change in (
        ("organization.update", {"contact_text": None}),
        ("patient_group.update", {"patient_group_id": group["id"], "name": None}),
        ("patient_group.update", {"patient_group_id": group["id"], "crisis_services": None}),
        ("patient_group.update", {"patient_group_id": group["id"], "team_member_ids": None}),
        ("team_member.update", {"team_member_id": nurse, "name": None}),
        ("team_member.update", {"team_member_id": nurse, "role": None}),
        ("team_member.update", {"team_member_id": nurse, "extra_permissions": None}),
    ):
        with pytest.raises(Invalid, match=list(change)[-1]):
            await clinic.call(clinic.clinician, name, **change)


async def test_nobody_takes_from_a_role_what_they_could_not_give_back(clinic: Clinic) -> None:
    manager = await clinic.team_member("MANAGER")
    listed = await clinic.call(manager, "role.list")
    [admin] = [role["permissions"] for role in listed["roles"] if role["name"] == "ADMIN"]
    for left in ([], ["team.manage"], [one for one in admin if one != "audit.read"]):
        with pytest.raises(Forbidden, match="what you hold"):
            await clinic.call(manager, "role.update", name="ADMIN", permissions=left)
    shown = await clinic.call(
        manager, "role.update", name="ADMIN", permissions=[one for one in admin if one != "messaging.manage"]
    )
    assert "audit.read" in shown["permissions"]


async def test_the_organisation_says_when_and_how_people_are_told(clinic: Clinic, elsewhere: Clinic) -> None:
    given = {"unread_email_minutes": 30, "unattended_hours": 48, "named_in_email": True}
    shown = await clinic.call(clinic.clinician, "organization.update", **given)
    assert {name: shown[name] for name in given} == given
    shown = await clinic.call(clinic.clinician, "organization.update", unattended_hours=1, contact_text="Ring us.")
    assert {name: shown[name] for name in given} == given | {"unattended_hours": 1}
    assert (await elsewhere.call(elsewhere.clinician, "organization.settings"))["unattended_hours"] == 24
    for wrong in ({"unread_email_minutes": 0}, {"unread_email_minutes": 1441}, {"unattended_hours": 169}):
        with pytest.raises(Invalid, match=next(iter(wrong))):
            await clinic.call(clinic.clinician, "organization.update", **wrong)
    for name in given:
        with pytest.raises(Invalid, match=name):
            await clinic.call(clinic.clinician, "organization.update", **{name: None})
    assert {name: (await clinic.call(clinic.clinician, "organization.settings"))[name] for name in given} == given | {
        "unattended_hours": 1
    }
