"""Many who connect at once cost a few statements together, and each of them gets what is theirs alone (reliability.md, R27)."""

import asyncio
from dataclasses import replace

import asyncpg
import pytest

from server.app.policy import ChatPolicy
from server.dispatching import Dispatcher
from server.errors import NotFound, Unauthorized
from server.gateway.ports import Grant
from server.ids import OrganizationId, PersonId
from server.people.tokens import KeyedVerifier
from tests.support.cast import Clinic
from tests.support.issuer import Issuer

PEOPLE, TIMES = 5, 8
AT_MOST = 12
"""Statements: of each of the three kinds, the first two alone, then the rest together, and one more for who comes late."""


def policy(clinic: Clinic, issuer: Issuer) -> ChatPolicy:
    verifier = KeyedVerifier.read(issuer.settings("postgresql://nowhere"))
    return ChatPolicy(clinic.database, Dispatcher(clinic.database, clinic.batcher), verifier)


@pytest.mark.catalogue("R27")
async def test_each_gets_their_own_and_all_of_it_is_a_few_statements(
    clinic: Clinic, issuer: Issuer, owner: asyncpg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {person: await clinic.care_team(person) for person in [await clinic.patient() for _ in range(PEOPLE)]}
    somebody = next(iter(own))
    await clinic.database.keys.current(clinic.organization_id)
    fetch, statements = clinic.database.fetch, 0

    async def counted(query: str, /, *args: object) -> object:
        nonlocal statements
        statements += 1
        return await fetch(query, *args)

    monkeypatch.setattr(clinic.database, "fetch", counted)
    door = policy(clinic, issuer)

    async def comes(person: str) -> None:
        admission = await door.connect(issuer.token(clinic.identity(person)))
        key = f"{clinic.organization_id}:{own[PersonId(person)]}"
        assert await door.watched(admission.identity) == [key]
        names = [own[person], own[somebody], "nonsense", own[person]]
        first, another, nonsense, again = await door.subscribe(
            admission.identity, "connection", [(name, "") for name in names]
        )
        assert isinstance(first, Grant)
        assert isinstance(again, Grant)
        assert first.key == again.key == key
        assert isinstance(nonsense, NotFound)
        assert isinstance(another, Grant) == (person == somebody)

    # Refusals are recorded for each by themselves; that is not what is counted here.
    others = [person for person in own if person != somebody]
    await asyncio.gather(*map(comes, [somebody] * TIMES * PEOPLE))
    assert statements <= AT_MOST
    await asyncio.gather(*map(comes, others * TIMES))
    entries = await owner.fetch(
        """select actor_id, channel_id, count(*), count(distinct request_id) as requests from audit_entries
            where operation = 'channel.open' and outcome = 'done' and organization_id = $1 group by 1, 2""",
        clinic.organization_id,
    )
    assert {(row["actor_id"], row["channel_id"]): (row["count"], row["requests"]) for row in entries} == {
        (person, own[person]): (2 * TIMES, TIMES) for person in others
    } | {(somebody, own[somebody]): (3 * TIMES * PEOPLE, TIMES * PEOPLE)}


async def test_who_is_nobody_here_is_refused_among_those_who_are_somebody(clinic: Clinic, issuer: Issuer) -> None:
    known = clinic.identity(clinic.clinician)
    nobody = replace(known, person_id=PersonId(f"{clinic.clinician[:-4]}0000"))
    elsewhere = replace(known, organization_id=OrganizationId("org_nobody"))
    tokens = [issuer.token(one) for one in (known, nobody, elsewhere)]
    door = policy(clinic, issuer)
    answers = await asyncio.gather(*(door.connect(token) for token in tokens * 5), return_exceptions=True)
    for number, answer in enumerate(answers):
        if number % 3 == 0:
            assert not isinstance(answer, BaseException)
            assert answer.identity.person_id == clinic.clinician
        else:
            assert isinstance(answer, Unauthorized)
