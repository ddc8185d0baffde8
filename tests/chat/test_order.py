"""One order per channel: offsets 1..n without a hole, whoever writes, fails, is removed or comes twice meanwhile."""

import asyncio
import random
from collections.abc import Sequence

import asyncpg

from server import locks
from server.chat.append import append
from server.chat.batcher import Batcher
from server.errors import Conflict, Forbidden, NotFound, WarmlineError
from server.ids import ChannelId, MessageId
from tests.support.cast import Clinic

LATE = """
select msg.id from messages msg join memberships m on m.id = msg.author_id
 where msg.log_offset >= m.left_offset or msg.log_offset <= m.joined_offset"""


async def holds(clinic: Clinic, channel: str) -> int:
    """Check that a channel's log is whole; how many messages it has."""
    top = await clinic.top(channel)
    assert await clinic.offsets(channel) == list(range(1, top + 1))
    wrong = await clinic.sql(
        """select from events e full join messages m on m.id = e.message_id
            where coalesce(e.channel_id, m.channel_id) = $1 and (e.kind = 'message' or e.kind is null)
              and (m.id is null or e.message_id is null or m.log_offset <> e.log_offset)""",
        channel,
    )
    assert wrong == []
    [count] = await clinic.sql("select count(*) from messages where channel_id = $1", channel)
    return int(count["count"])


def ok(answers: Sequence[object]) -> list[dict[str, object]]:
    """The answers that are no refusals; anything but an answer or a refusal fails the test."""
    assert [one for one in answers if not isinstance(one, dict | WarmlineError)] == []
    return [one for one in answers if isinstance(one, dict)]


async def test_fifty_writers_with_failures_among_them_leave_no_hole(clinic: Clinic, other_batcher: Batcher) -> None:
    writers = [await clinic.team_member() for _ in range(50)]
    channel = await clinic.care_team(await clinic.patient(), clinic.clinician, *writers[:45])
    await clinic.archive(writers[0])
    elsewhere = Clinic(clinic.database, other_batcher, clinic.organization_id, clinic.clinician)

    async def write(number: int) -> list[object]:
        """Five sends by one of them, through either process; a sixth is refused, whatever it is."""
        via, person = (clinic, elsewhere)[number % 2], writers[number]
        sends = [via.send(person, channel, f"Text {turn}", f"{number}:{turn}") for turn in range(5)]
        sends.append(via.send(person, channel, "Reply", f"{number}:reply", reply_to=MessageId.new()))
        return await asyncio.gather(*sends, return_exceptions=True)

    async def undo() -> None:
        """An event that is not to be: its transaction is rolled back."""
        for _ in range(5):
            try:
                async with clinic.database.transaction() as tx:
                    await locks.lock(tx, clinic.organization_id, channels=[channel])
                    await append(tx, clinic.organization_id, channel, "archived")
                    raise NotFound("on purpose")
            except NotFound:
                pass

    told = await asyncio.gather(*(write(number) for number in range(50)), undo(), undo())
    answers = [answer for some in told if some for answer in some]
    written = ok(answers)
    assert len(written) == 44 * 5  # one is archived, five are not in it
    assert sorted(str(answer["offset"]) for answer in written) == sorted(str(2 + n) for n in range(len(written)))
    assert await holds(clinic, channel) == len(written)
    for answer in written:
        [row] = await clinic.sql("select log_offset from messages where id = $1", answer["message_id"])
        assert row["log_offset"] == answer["offset"]


async def test_sends_that_begin_in_order_are_written_in_order(clinic: Clinic) -> None:
    channel = await clinic.care_team(await clinic.patient())
    for turn in range(3):
        clinic.database.keys._current.clear()  # as once a minute, when the current key is looked up again
        sends = [clinic.send(clinic.clinician, channel, f"Text {turn} {number}") for number in range(40)]
        offsets = [answer["offset"] for answer in await asyncio.gather(*sends)]
        assert offsets == sorted(offsets)


async def test_an_event_that_was_rolled_back_leaves_no_hole(clinic: Clinic) -> None:
    channel = await clinic.care_team(await clinic.patient())
    clinic.published.clear()
    try:
        async with clinic.database.transaction() as tx:
            await locks.lock(tx, clinic.organization_id, channels=[channel])
            undone = await append(tx, clinic.organization_id, channel, "archived")
            raise NotFound("on purpose")
    except NotFound:
        assert undone.offset == 2
    assert clinic.published == []
    assert (await clinic.send(clinic.clinician, channel, "Next"))["offset"] == 2
    await holds(clinic, channel)


async def test_nobody_writes_after_they_were_removed(clinic: Clinic, other_batcher: Batcher) -> None:
    """Many interleavings of sends through two processes with the removal of their author."""
    nurse = await clinic.team_member("NURSE")
    channel = await clinic.care_team(await clinic.patient())
    processes = [clinic, Clinic(clinic.database, other_batcher, clinic.organization_id, clinic.clinician)]
    chance, accepted, refused = random.Random(2), 0, 0
    for turn in range(40):
        await clinic.add(channel, nurse)

        async def send(number: int, turn: int = turn) -> object:
            await asyncio.sleep(chance.random() * 0.012)
            return await processes[number % 2].send(nurse, channel, "Text", f"{turn}:{number}")

        async def remove() -> object:
            await asyncio.sleep(chance.random() * 0.012)
            return {"offset": await clinic.remove(channel, nurse)}

        answers = await asyncio.gather(*(send(number) for number in range(8)), remove(), return_exceptions=True)
        accepted += len(ok(answers)) - 1
        refused += sum(isinstance(answer, NotFound) for answer in answers)
    assert await clinic.sql(LATE) == []
    assert accepted > 20
    assert refused > 20
    assert await holds(clinic, channel) == accepted


async def test_a_send_that_waited_for_a_removal_is_refused(
    clinic: Clinic, other_batcher: Batcher, owner: asyncpg.Connection
) -> None:
    """The removal has begun before the send, and commits after it: what the send sees must be younger than its lock."""
    nurse = await clinic.team_member("NURSE")
    channel = await clinic.care_team(await clinic.patient(), clinic.clinician, nurse)
    member = await clinic.membership(channel, nurse)
    async with clinic.database.transaction() as tx:
        await locks.lock(tx, clinic.organization_id, channels=[channel])
        event = await append(tx, clinic.organization_id, channel, "left", {"ends": [member]})
        await tx.rows("update memberships set left_at = now(), left_offset = $2 where id = $1", member, event.offset)
        waiting = asyncio.create_task(clinic.send(nurse, channel, "Too late"))
        others = asyncio.create_task(clinic.send(clinic.clinician, channel, "In time"))
        await asyncio.sleep(0.05)
        assert not waiting.done()
    [late, fine] = await asyncio.gather(waiting, others, return_exceptions=True)
    assert isinstance(late, NotFound)
    assert isinstance(fine, dict)
    assert fine["offset"] == event.offset + 1
    await holds(clinic, channel)


async def test_one_send_twenty_times_over_two_processes_is_one_message(clinic: Clinic, other_batcher: Batcher) -> None:
    channel = await clinic.care_team(await clinic.patient())
    processes = [clinic, Clinic(clinic.database, other_batcher, clinic.organization_id, clinic.clinician)]
    same = [processes[n % 2].send(clinic.clinician, channel, "Once", "once") for n in range(20)]
    other = [processes[n % 2].send(clinic.clinician, channel, "Not the same", "once") for n in range(2)]
    answers = await asyncio.gather(*same, return_exceptions=True)
    assert len(ok(answers)) == 20
    assert len({str(answer) for answer in answers}) == 1
    assert all(isinstance(one, Conflict) for one in await asyncio.gather(*other, return_exceptions=True))
    assert await holds(clinic, channel) == 1


async def test_a_batch_judges_each_of_its_sends_alone(clinic: Clinic, elsewhere: Clinic) -> None:
    """One bad send of every sort between good ones, in one batch: the good ones stand, without a hole between them."""
    archived, gone, colleague = await clinic.patient(), await clinic.team_member(), await clinic.team_member()
    channel = await clinic.care_team(await clinic.patient(), clinic.clinician, gone, colleague)
    group = await clinic.channel("group", clinic.clinician, archived)
    closed = await clinic.care_team(await clinic.patient())
    direct = await clinic.channel("direct", clinic.clinician, colleague)
    root = await clinic.send(clinic.clinician, channel, "Root", "root")
    reply = await clinic.send(clinic.clinician, channel, "Reply", "reply", reply_to=root["message_id"])
    await clinic.remove(channel, gone)
    for row in (archived, closed, colleague):
        await clinic.archive(row)
    foreign = await elsewhere.care_team(await elsewhere.patient())
    before, me = await clinic.top(channel), clinic.clinician
    sends = {
        "good 1": clinic.send(me, channel, "Good"),
        "seen": clinic.send(me, channel, "Root", "root"),
        "seen, other text": clinic.send(me, channel, "Other", "root"),
        "seen, other root": clinic.send(me, channel, "Reply", "reply"),
        "no channel": clinic.send(me, ChannelId.new(), "Bad"),
        "foreign": clinic.send(me, foreign, "Bad"),
        "gone": clinic.send(gone, channel, "Bad"),
        "good 2": clinic.send(me, channel, "Good", reply_to=root["message_id"]),
        "archived person": clinic.send(archived, group, "Bad"),
        "archived channel": clinic.send(me, closed, "Bad"),
        "nobody left": clinic.send(me, direct, "Bad"),
        "no root": clinic.send(me, channel, "Bad", reply_to=MessageId.new()),
        "a reply as root": clinic.send(me, channel, "Bad", reply_to=reply["message_id"]),
        "good 3": clinic.send(me, channel, "Good", "double"),
        "good 3 again": clinic.send(me, channel, "Good", "double"),
        "good 4": clinic.send(me, group, "Good"),
    }
    batches = clinic.batcher.batches
    told = dict(zip(sends, await asyncio.gather(*sends.values(), return_exceptions=True), strict=True))
    assert clinic.batcher.batches - batches <= 2 + 2  # one or two, and the double one comes again
    ok(list(told.values()))
    good = {name: answer["offset"] for name, answer in told.items() if isinstance(answer, dict)}
    assert good == {
        "good 1": before + 1, "seen": root["offset"], "good 2": before + 2, "good 3": before + 3, "good 3 again": before + 3,
        "good 4": 2,
    }  # fmt: skip
    assert {name: type(answer) for name, answer in told.items() if name not in good} == {
        "seen, other text": Conflict, "seen, other root": Conflict, "no channel": NotFound, "foreign": NotFound,
        "gone": NotFound, "archived person": Forbidden, "archived channel": Conflict, "nobody left": Conflict,
        "no root": NotFound, "a reply as root": NotFound,
    }  # fmt: skip
    assert str(told["no channel"]) == str(told["foreign"]) == str(told["gone"])
    await holds(clinic, channel)
