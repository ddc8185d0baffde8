"""Bad sends: each is refused with words that say what to do, nothing of it is kept, and the next good one follows on."""

import json
from typing import Any

import pytest

from server.errors import Conflict, Invalid, NotFound, WarmlineError
from server.ids import ChannelId, MessageId
from tests.support.cast import Clinic

MISSING = object()

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"client_id": MISSING}, "client_id"),
    ({"client_id": None}, "client_id"),
    ({"client_id": ""}, "client_id"),
    ({"client_id": "x" * 65}, "client_id"),
    ({"client_id": "café"}, "client_id"),
    ({"client_id": "a\nb"}, "client_id"),
    ({"client_id": "a\n"}, "client_id"),
    ({"client_id": "a\0b"}, "client_id"),
    ({"client_id": "\x7f"}, "client_id"),
    ({"client_id": 7}, "client_id"),
    ({"text": MISSING}, "text"),
    ({"text": None}, "text"),
    ({"text": 7}, "text"),
    ({"text": ""}, "empty"),
    ({"text": " \t\n\u3000\u2028"}, "empty"),
    ({"text": "x" * 8001}, "8001 characters; 8000 is the most"),
    ({"text": "😀" * 8001}, "8001 characters"),
    ({"text": "a\0b"}, "NUL"),
    ({"text": "\ud800"}, "surrogate"),
    ({"text": "a\udfff"}, "surrogate"),
    ({"reply_to": "msg_short"}, "reply_to"),
    ({"reply_to": "\0"}, "reply_to"),
    ({"channel_id": "ch_\0"}, "channel_id"),
    ({"channel_id": MISSING}, "channel_id"),
]


@pytest.fixture
async def channel(clinic: Clinic) -> ChannelId:
    return await clinic.care_team(await clinic.patient())


async def test_a_wrong_send_is_told_what_is_wrong_and_leaves_nothing(clinic: Clinic, channel: ChannelId) -> None:
    for number, (change, says) in enumerate(WRONG):
        params = {"channel_id": channel, "client_id": f"wrong {number}", "text": "Text"} | change
        params = {name: value for name, value in params.items() if value is not MISSING}
        with pytest.raises(Invalid, match=says) as told:
            await clinic.call(clinic.clinician, "message.send", **params)
        assert not told.value.temporary
    assert await clinic.offsets(channel) == [1]
    assert (await clinic.send(clinic.clinician, channel, "Text", "wrong 0"))["offset"] == 2


KEPT = {
    "x" * 8000: "x" * 8000,
    " " * 9000 + "x" + " " * 9000: "x",
    "😀" * 8000: "😀" * 8000,
    "e\u0301": "e\u0301",
    "\u202eabc": "\u202eabc",
    "<script>alert(1)</script> & 'quotes' \"and\" \\ back": "<script>alert(1)</script> & 'quotes' \"and\" \\ back",
    "a\r\nb\tc\x01": "a\r\nb\tc\x01",
    "\ufffe\uffff\U0010ffff": "\ufffe\uffff\U0010ffff",
}


async def test_what_is_text_is_kept_as_it_is(clinic: Clinic, channel: ChannelId) -> None:
    for text, kept in KEPT.items():
        sent = await clinic.send(clinic.clinician, channel, text)
        history = await clinic.call(clinic.clinician, "message.history", channel_id=channel, limit=1)
        assert (history["items"][0]["id"], history["items"][0]["text"]) == (sent["message_id"], kept)


async def test_a_client_id_is_ones_own_in_one_channel(clinic: Clinic, channel: ChannelId) -> None:
    patient, second = await clinic.patient(), await clinic.patient()
    another = await clinic.care_team(second)
    group = await clinic.channel("group", clinic.clinician, patient, second)
    sends = [
        (clinic.clinician, channel),
        (clinic.clinician, another),
        (second, another),
        (patient, group),
        (second, group),
    ]
    sent = [await clinic.send(person, where, "Text", " ~the same~ ") for person, where in sends]
    assert len({one["message_id"] for one in sent}) == len(sends)
    again = [await clinic.send(person, where, " Text ", " ~the same~ ") for person, where in sends]
    assert again == sent
    for person, where in sends:
        with pytest.raises(Conflict, match="Give every new message a new one"):
            await clinic.send(person, where, "Other", " ~the same~ ")


async def test_a_retry_is_the_same_only_with_what_it_replied_to(clinic: Clinic, channel: ChannelId) -> None:
    root = await clinic.send(clinic.clinician, channel, "Root", "root")
    reply = await clinic.send(clinic.clinician, channel, "Reply", "reply", reply_to=root["message_id"])
    assert await clinic.send(clinic.clinician, channel, "Reply", "reply", reply_to=root["message_id"]) == reply
    for other in ({}, {"reply_to": MessageId.new()}, {"reply_to": reply["message_id"]}):
        with pytest.raises(Conflict):
            await clinic.send(clinic.clinician, channel, "Reply", "reply", **other)
    with pytest.raises(Conflict):
        await clinic.send(clinic.clinician, channel, "Root", "root", reply_to=root["message_id"])


async def test_a_retry_after_coming_back_is_still_the_first(clinic: Clinic, channel: ChannelId) -> None:
    """The client_id is the person's, not the membership's (domain.md §3: unique per channel and person forever)."""
    colleague = await clinic.team_member()
    await clinic.add(channel, colleague)
    first = await clinic.send(colleague, channel, "Text", "one")
    await clinic.remove(channel, colleague)
    await clinic.add(channel, colleague)
    assert await clinic.send(colleague, channel, "Text", "one") == first


async def test_a_channel_that_takes_no_messages_says_why(clinic: Clinic, elsewhere: Clinic, channel: ChannelId) -> None:
    closed = await clinic.care_team(await clinic.patient())
    await clinic.archive(closed)
    with pytest.raises(Conflict, match="archived"):
        await clinic.send(clinic.clinician, closed, "Text")
    foreign = await elsewhere.care_team(await elsewhere.patient())
    stranger = await clinic.team_member("ADMIN")
    refusals = []
    for person, where in (
        (clinic.clinician, ChannelId.new()),
        (clinic.clinician, foreign),
        (stranger, channel),
        (stranger, closed),
    ):
        with pytest.raises(NotFound) as told:
            await clinic.send(person, where, "Text")
        refusals.append((type(told.value), told.value.message))
    assert len(set(refusals)) == 1
    for person in (clinic.clinician, stranger):
        for operation in ("channel.directory", "message.history"):
            with pytest.raises(NotFound, match=refusals[0][1]):
                await clinic.call(person, operation, channel_id=foreign)


async def test_an_archived_channel_is_still_read(clinic: Clinic, channel: ChannelId) -> None:
    await clinic.send(clinic.clinician, channel, "Text")
    await clinic.archive(channel)
    assert len((await clinic.call(clinic.clinician, "message.history", channel_id=channel))["items"]) == 2
    assert (await clinic.call(clinic.clinician, "channel.read", channel_id=channel, offset=2))["read_offset"] == 2
    [mine] = (await clinic.call(clinic.clinician, "channel.list"))["channels"]
    assert mine["status"] == "archived"


async def test_refusals_are_for_the_caller(clinic: Clinic, channel: ChannelId) -> None:
    """A refusal has a status, a code, a flag and words; none of them shows what was asked for."""
    with pytest.raises(WarmlineError) as told:
        await clinic.send(clinic.clinician, channel, "canary\0words")
    assert "canary" not in told.value.message


async def test_a_page_of_the_longest_messages_fits_a_frame_and_leaves_none_out(
    clinic: Clinic, channel: ChannelId
) -> None:
    sent = [(await clinic.send(clinic.clinician, channel, "😀" * 8000))["message_id"] for _ in range(20)]
    found: list[str] = []
    before, more = None, True
    while more:
        page = await clinic.call(clinic.clinician, "message.history", channel_id=channel, before=before, limit=100)
        assert len(json.dumps(page, ensure_ascii=False).encode()) < 512 * 1024
        found += [item["id"] for item in page["items"] if item["type"] == "message"]
        before, more = page["items"][-1]["offset"], page["more"]
    assert found == sent[::-1]
