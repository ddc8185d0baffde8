import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { WireError } from "../../../server/web/static/calls.js";
import { Outbox } from "../../../server/web/static/outbox.js";

/** An outbox whose sends wait in `sends` until the test answers them. */
function outbox() {
  const sends = [];
  const stored = [];
  const failed = [];
  const send = (message) => new Promise((resolve, reject) => sends.push({ message, resolve, reject }));
  const made = new Outbox({
    send,
    stored: (entry, { message_id: id }) => stored.push([entry.clientId, id]),
    failed: (entry) => failed.push(entry.text),
    changed: () => {},
  });
  return { made, sends, stored, failed };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));
const texts = (box) => box.shown.map(({ text, state }) => `${text} ${state}`);

test("messages go one at a time, in order", async () => {
  const { made, sends } = outbox();
  made.add("one", 0);
  made.add("two", 0);
  assert.equal(sends.length, 1);
  sends[0].resolve({ message_id: "m1", offset: 1 });
  await settled();
  assert.equal(sends.length, 2);
  assert.equal(sends[1].message.text, "two");
  assert.deepEqual(texts(made), ["two pending"]);
  assert.equal(made.unsent, 1);
});

test("a passing failure is tried again under the same client_id; the next connect does not wait", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { made, sends } = outbox();
  const { clientId } = made.add("one", 0);
  sends[0].reject(new WireError(1, "lost", true));
  await settled();
  assert.equal(sends.length, 1);
  made.pump();
  assert.equal(sends.length, 2);
  assert.equal(sends[1].message.client_id, clientId);
  sends[1].reject(new WireError(111, "busy", true));
  await settled();
  mock.timers.tick(10_000);
  await settled();
  assert.equal(sends.length, 3);
  mock.timers.reset();
});

test("a final failure is shown, lets the next one go, and can be taken back", async () => {
  const { made, sends, failed } = outbox();
  const { clientId } = made.add("one", 0);
  made.add("two", 0);
  sends[0].reject(new WireError(403, "no", false));
  await settled();
  assert.deepEqual(failed, ["one"]);
  assert.deepEqual(texts(made), ["one failed", "two pending"]);
  assert.equal(sends.length, 2);
  assert.equal(made.withdraw(clientId), "one");
  assert.deepEqual(texts(made), ["two pending"]);
});

test("an event that overtakes the answer stands for the oldest pending of the same text", async () => {
  const { made, sends, stored } = outbox();
  const first = made.add("ok", 4);
  const second = made.add("ok", 4);
  made.claim({ id: "m5", text: "ok", offset: 5 });
  assert.deepEqual(made.shown, [second]);
  assert.equal(made.clientIdOf("m5"), first.clientId);
  sends[0].resolve({ message_id: "m5", offset: 5 });
  await settled();
  assert.deepEqual(stored, [[first.clientId, "m5"]]);
  assert.deepEqual(made.shown, [second]);
});

test("when the guess was wrong, the answer puts it right", async () => {
  const { made, sends } = outbox();
  const mine = made.add("ok", 4);
  made.claim({ id: "from-my-other-window", text: "ok", offset: 5 });
  assert.deepEqual(made.shown, []);
  sends[0].resolve({ message_id: "m6", offset: 6 });
  await settled();
  assert.equal(made.clientIdOf("m6"), mine.clientId);
  assert.equal(made.clientIdOf("from-my-other-window"), null);
});

test("equal texts matched crosswise change places", async () => {
  const { made, sends } = outbox();
  const first = made.add("ok", 0);
  const second = made.add("ok", 0);
  made.claim({ id: "m1", text: "ok", offset: 1 });
  made.claim({ id: "m2", text: "ok", offset: 2 });
  sends[0].resolve({ message_id: "m2", offset: 2 });
  await settled();
  assert.equal(made.clientIdOf("m2"), first.clientId);
  assert.equal(made.clientIdOf("m1"), second.clientId);
  assert.equal(made.unsent, 1);
});

test("an older message of the same text is not taken for the new one", () => {
  const { made } = outbox();
  const entry = made.add("ok", 10);
  made.claim({ id: "old", text: "ok", offset: 3 });
  assert.deepEqual(made.shown, [entry]);
});

test("client ids are printable, short and never the same", () => {
  const { made } = outbox();
  const ids = Array.from({ length: 100 }, (_, at) => made.add(`${at}`, 0).clientId);
  assert.equal(new Set(ids).size, 100);
  for (const id of ids) assert.match(id, /^[0-9a-f]{32}$/);
});
