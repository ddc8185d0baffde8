"""Words of every kind arrive as they were written, and a message looks the same live, recovered and in the history."""

from tests.live.conftest import Connect, Pair
from tests.support.cast import Clinic

WORDS = (
    "🌼" * 8000,
    "naïve — “quoted” \\ \"escaped\" 'single' </script><b>bold</b> {{x}} %s \\u0000",
    "two\nlines\r\nand\ttabs\u2028and\u2029separators\u0085",
    "مرحبا שלום \u202eright to left\u202c e\u0301 \u200d \ufeff",
    "\U0010ffff\ue000\ud7ff\x01\x1f\x7f",
    "null",
    '{"type":"void"}',
)


async def test_words_arrive_as_they_were_written(pair: Pair, clinic: Clinic, connect: Connect) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    writer, listener = await connect(pair.a, patient), await connect(pair.b, clinic.clinician)
    stream = await listener.subscribe(channel)
    wanted = [f"{number} {words}"[:8000] for number, words in enumerate(WORDS)]
    wanted = [words.strip() for words in wanted]
    for number, words in enumerate(wanted):
        sent = await writer.send(channel, f" \n{words}\t ", f"m{number}")
        assert await writer.send(channel, words, f"m{number}") == sent, "the same words, as they are kept"
    await listener.until(lambda _: stream.position == len(wanted) + 1)
    assert stream.texts == wanted
    history = await writer.rpc("message.history", channel_id=channel)
    assert [item["text"] for item in reversed(history["items"]) if item["type"] == "message"] == wanted
    recovered = await (await connect(pair.a, clinic.clinician)).subscribe(channel, recover=True)
    assert recovered.texts == wanted


async def test_a_reply_names_what_it_answers_the_same_way_everywhere(
    pair: Pair, clinic: Clinic, connect: Connect
) -> None:
    patient = await clinic.patient()
    channel = await clinic.care_team(patient)
    writer, listener = await connect(pair.a, patient), await connect(pair.b, clinic.clinician)
    streams = [await wire.subscribe(channel) for wire in (writer, listener)]
    root = await writer.send(channel, "Which one?", "root")
    reply = await writer.send(channel, "The blue one", "reply", reply_to=root["message_id"])
    assert await writer.send(channel, "The blue one", "reply", reply_to=root["message_id"]) == reply
    for stream, wire in zip(streams, (writer, listener), strict=True):
        await wire.until(lambda wire: wire.streams[channel].position == 3)
        assert stream.items[1][1]["reply_to"] == {"id": root["message_id"], "offset": 2}
    assert streams[0].items == streams[1].items
    recovered = await (await connect(pair.a, clinic.clinician)).subscribe(channel, recover=True)
    history = await writer.rpc("message.history", channel_id=channel)
    assert [data for _, data in recovered.items] == list(reversed(history["items"]))
    assert [data for _, data in recovered.items[1:]] == [data for _, data in streams[0].items]
