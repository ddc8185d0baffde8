"""The line between whoever claims emails and the connections that send them."""

import asyncio
from datetime import timedelta

from server.ids import MailId, OrganizationId, PatientId, PersonId, now
from server.notices.mailing import Mail
from server.notices.mails import MailDue
from workers.ready import Ready


def due(number: int) -> MailDue:
    mail = Mail(MailId.new(), f"demo-{number}@home.example", "patient", None, "c" * 32, now())
    return MailDue(OrganizationId.new(), PersonId(PatientId.new()), mail, 1, now() - timedelta(minutes=1), now())


async def soon(task: "asyncio.Task[object]") -> bool:
    """Whether it is done without anybody doing anything more."""
    for _ in range(5):
        await asyncio.sleep(0)
    return task.done()


async def test_who_adds_waits_until_few_are_left() -> None:
    ready, some = Ready(), [due(number) for number in range(4)]
    adding = asyncio.create_task(ready.add(some, 2))
    assert not await soon(adding)
    assert await ready.take() == some[0]
    assert not await soon(adding)
    assert await ready.take() == some[1]
    assert await soon(adding)


async def test_who_takes_waits_for_what_is_being_looked_at_again() -> None:
    ready, some = Ready(), [due(number) for number in range(3)]
    await ready.add(some, 3)
    ready.end()
    assert ready.take_out(5) == some
    taking = [asyncio.create_task(ready.take()) for _ in range(2)]
    assert not any([await soon(one) for one in taking])
    ready.bring_back(3, some[2:])
    assert await asyncio.gather(*taking) == [some[2], None]
    assert ready.rest() == []


async def test_where_nothing_comes_back_more_are_added() -> None:
    ready = Ready()
    adding = asyncio.create_task(ready.add([due(number) for number in range(3)], 1))
    assert not await soon(adding)
    ready.take_out(3)
    ready.bring_back(3, [])
    assert await soon(adding)


async def test_what_comes_back_is_the_next() -> None:
    ready, some = Ready(), [due(number) for number in range(4)]
    await ready.add(some, 4)
    ready.back(*[await ready.take() or due(9) for _ in range(2)])
    assert ready.rest() == some


async def test_an_end_sets_free_who_adds_and_who_takes() -> None:
    ready, some = Ready(), [due(number) for number in range(2)]
    adding = asyncio.create_task(ready.add(some, 0))
    assert not await soon(adding)
    ready.end()
    assert await soon(adding)
    assert [await ready.take() for _ in range(3)] == [*some, None]
