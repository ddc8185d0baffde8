"""Whom a provider's subject stands for: exactly one person of one organisation; everything else is one and the same refusal."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from server.dispatching import Dispatcher
from server.errors import Conflict, NotFound, Unauthorized
from server.ids import OrganizationId, PatientId, PersonId
from server.people import identities
from server.people.actors import UNKNOWN, Identity
from server.people.identities import Identities
from tests.support.cast import Clinic
from tests.support.issuer import Issuer

ISSUER = "https://id.example"
Find = Callable[..., Any]


@pytest.fixture
def find(clinic: Clinic, issuer: Issuer) -> Find:
    """find(claims, **settings) → the identity that checked claims lead to."""

    async def find(claims: dict[str, Any], **settings: Any) -> Identity:
        made = issuer.settings_of_a_provider(ISSUER, "postgresql://nowhere", **settings)
        return await Identities(clinic.database, made).find(claims, 5.0)

    return find


async def link(clinic: Clinic, person: str, subject: str, issuer: str = ISSUER) -> None:
    async with clinic.database.transaction() as tx:
        await identities.link(tx, clinic.organization_id, PersonId(person), issuer, subject)


async def unlink(clinic: Clinic, person: str, subject: str) -> None:
    async with clinic.database.transaction() as tx:
        await identities.unlink(tx, clinic.organization_id, PersonId(person), ISSUER, subject)


async def address(clinic: Clinic, person: str) -> str:
    [row] = await clinic.sql("select email from people where id = $1", person)
    return str(row["email"])


async def refused(find: Find, claims: dict[str, Any], **settings: Any) -> None:
    with pytest.raises(Unauthorized) as told:
        await find(claims, **settings)
    assert (type(told.value), told.value.message, told.value.code) == (Unauthorized, UNKNOWN, 401)


async def test_a_linked_subject_is_its_person_and_no_other_is(clinic: Clinic, find: Find) -> None:
    subject = f"subject of {clinic.clinician}"
    await link(clinic, clinic.clinician, subject)
    found = await find({"sub": subject})
    assert found == clinic.identity(clinic.clinician)
    assert found.began == 5.0
    await link(clinic, clinic.clinician, subject)  # said again, nothing changes
    for other in (subject.upper(), subject + " ", clinic.clinician, await address(clinic, clinic.clinician), "%"):
        await refused(find, {"sub": other})
    elsewhere = f"elsewhere {clinic.clinician}"
    await link(clinic, clinic.clinician, elsewhere, "https://another.example")
    await refused(find, {"sub": elsewhere})


async def test_a_subject_in_two_organisations_takes_the_claim_that_says_which(
    clinic: Clinic, elsewhere: Clinic, find: Find
) -> None:
    subject = f"both {clinic.clinician}"
    await link(clinic, clinic.clinician, subject)
    await link(elsewhere, elsewhere.clinician, subject)
    await refused(find, {"sub": subject})
    assert await find({"sub": subject}, oidc_organization=elsewhere.organization_id) == elsewhere.identity(
        elsewhere.clinician
    )
    by_claim = {"oidc_organization_claim": "clinic"}
    claims = {"sub": subject, "clinic": str(clinic.organization_id)}
    assert await find(claims, **by_claim) == clinic.identity(clinic.clinician)
    for wrong in (None, 7, "", "\0", [str(clinic.organization_id)], OrganizationId.new()):
        await refused(find, {"sub": subject, "clinic": wrong}, **by_claim)


async def test_in_one_organisation_a_subject_is_one_person(clinic: Clinic, find: Find) -> None:
    subject, other = f"one of {clinic.clinician}", await clinic.team_member()
    await link(clinic, clinic.clinician, subject)
    with pytest.raises(Conflict, match="Unlink it there first"):
        await link(clinic, other, subject)
    await unlink(clinic, clinic.clinician, subject)
    await refused(find, {"sub": subject})
    await link(clinic, other, subject)
    assert await find({"sub": subject}) == clinic.identity(other)
    with pytest.raises(NotFound):
        await unlink(clinic, clinic.clinician, subject)
    with pytest.raises(NotFound, match="no such person"):
        await link(clinic, PatientId.new(), "somebody")


@pytest.mark.catalogue("S26")
async def test_who_may_not_sign_in_hears_one_and_the_same(clinic: Clinic, elsewhere: Clinic, find: Find) -> None:
    """Unknown, of another tenant, ambiguous, archived: the same words, the same code, on the way to the same operation."""
    archived, subject = await clinic.team_member(), f"ambiguous {clinic.clinician}"
    await link(clinic, archived, f"archived {archived}")
    await link(clinic, clinic.clinician, subject)
    await link(elsewhere, elsewhere.clinician, subject)
    await link(elsewhere, elsewhere.clinician, f"foreign {elsewhere.clinician}")
    await clinic.archive(archived)
    told = set()
    for who, settings in (
        (f"archived {archived}", {}),
        (subject, {}),
        (f"foreign {elsewhere.clinician}", {"oidc_organization": clinic.organization_id}),
        ("nobody", {}),
    ):
        with pytest.raises(Unauthorized) as refusal:
            await Dispatcher(clinic.database, clinic.batcher).admit(await find({"sub": who}, **settings))
        told.add((type(refusal.value), refusal.value.message, refusal.value.code, refusal.value.temporary))
    assert told == {(Unauthorized, UNKNOWN, 401, False)}


async def test_an_archived_patient_may_come_back_to_read(clinic: Clinic, find: Find) -> None:
    patient = await clinic.patient()
    await link(clinic, patient, f"of {patient}")
    await clinic.archive(patient)
    await Dispatcher(clinic.database, clinic.batcher).admit(await find({"sub": f"of {patient}"}))


async def test_a_first_sign_in_by_a_verified_address_links_where_that_is_allowed(clinic: Clinic, find: Find) -> None:
    patient = await clinic.patient()
    claims = {"sub": f"first {patient}", "email": (await address(clinic, patient)).upper(), "email_verified": True}
    await refused(find, claims)
    await refused(find, claims | {"email_verified": "true"}, oidc_link_by_email=True)
    await refused(find, claims | {"email_verified": False}, oidc_link_by_email=True)
    await refused(find, claims | {"email": None}, oidc_link_by_email=True)
    assert await find(claims, oidc_link_by_email=True) == clinic.identity(patient)
    assert await find({"sub": claims["sub"]}) == clinic.identity(patient), "from now on by the subject alone"
    await refused(find, claims | {"sub": "a second account with this address"}, oidc_link_by_email=True)
    await unlink(clinic, patient, claims["sub"])
    await refused(find, claims, oidc_link_by_email=True)


async def test_an_address_that_is_not_one_persons_links_nobody(clinic: Clinic, elsewhere: Clinic, find: Find) -> None:
    here, there, archived = await clinic.patient(), await elsewhere.patient(), await clinic.team_member()
    email = await address(clinic, here)
    await elsewhere.sql("update people set email = $2 where id = $1", there, email)
    claims = {"sub": f"two {here}", "email": email, "email_verified": True}
    await refused(find, claims, oidc_link_by_email=True)
    settings = {"oidc_link_by_email": True, "oidc_organization": elsewhere.organization_id}
    assert await find(claims, **settings) == elsewhere.identity(there)
    await clinic.archive(archived)
    gone = {"sub": f"gone {archived}", "email": await address(clinic, archived), "email_verified": True}
    await refused(find, gone, oidc_link_by_email=True)


async def test_two_who_come_first_at_once_with_one_address_are_not_both_let_in(clinic: Clinic, find: Find) -> None:
    patient = await clinic.patient()
    email = await address(clinic, patient)
    both = [{"sub": f"{n} {patient}", "email": email, "email_verified": True} for n in ("one", "two")]
    found = await asyncio.gather(*(find(who, oidc_link_by_email=True) for who in both), return_exceptions=True)
    assert sorted(type(one) is Identity for one in found) == [False, True]
    again = await asyncio.gather(*(find(both[0], oidc_link_by_email=True) for _ in range(5)), return_exceptions=True)
    assert len({str(one) for one in again}) == 1


async def test_linking_is_recorded(clinic: Clinic, find: Find, owner) -> None:
    patient = await clinic.patient()
    claims = {"sub": f"recorded {patient}", "email": await address(clinic, patient), "email_verified": True}
    await find(claims, oidc_link_by_email=True)
    await unlink(clinic, patient, claims["sub"])
    await link(clinic, patient, claims["sub"])
    rows = await owner.fetch(
        "select operation, actor_id from audit_entries where facts ->> 'person_id' = $1 order by id", patient
    )
    assert [tuple(row) for row in rows] == [
        ("identity.link", patient), ("identity.unlink", None), ("identity.link", None),
    ]  # fmt: skip
