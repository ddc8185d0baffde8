import assert from "node:assert/strict";
import { test } from "node:test";

import { WireError } from "../../../server/web/static/calls.js";
import { Conversation } from "../../../server/web/static/conversation.js";

const message = (offset, more = {}) => ({
  type: "message",
  id: `m${offset}`,
  offset,
  revision: 1,
  author: "other",
  at: "",
  text: `${offset}`,
  ...more,
});
const settled = () => new Promise((resolve) => setImmediate(resolve));

/** A conversation with a wire made by the test: `pages` answers histories in turn, `handlers` is what it subscribed with. */
function conversation(pages) {
  const asked = [];
  const arrived = [];
  const wire = {
    online: true,
    rpc: async (method, params) => {
      asked.push([method, params]);
      const answer = pages.shift();
      if (answer instanceof Error) throw answer;
      return answer ?? new Promise(() => {});
    },
    subscribe: (channel, handlers, position) => Object.assign(wire, { handlers, position }),
    unsubscribe: () => ({ epoch: "e", offset: 99 }),
  };
  const on = {
    changed: () => {},
    arrived: (data, isNew) => arrived.push([data.id ?? data.type, isNew]),
    stored: () => {},
    failed: () => {},
    ended: () => {},
  };
  const made = new Conversation({ id: "c", me: "me", wire, on });
  return { made, wire, asked, arrived };
}

const page = (offset, items, more = false) => ({ epoch: "e", offset, items, more });
const offsets = ({ items }) => items.map(({ offset }) => offset);

test("history, then listening from exactly where it was read", async () => {
  const { made, wire } = conversation([page(12, [message(11), message(10)], true)]);
  made.open();
  await settled();
  assert.deepEqual(wire.position, { epoch: "e", offset: 12 });
  wire.handlers.item(message(13));
  assert.deepEqual(offsets(made), [10, 11, 13]);
});

test("a newer revision replaces, an older one does not come back", async () => {
  const { made, wire } = conversation([page(3, [message(2, { revision: 2, text: "new" })])]);
  made.open();
  await settled();
  wire.handlers.item(message(2, { text: "old" }));
  assert.equal(made.items[0].text, "new");
  wire.handlers.item(message(2, { revision: 3, deleted: true, text: undefined }));
  assert.equal(made.items[0].deleted, true);
  assert.equal(made.items.length, 1);
});

test("a change to what history has not shown yet is left to the page that brings it", async () => {
  const { made, wire, arrived } = conversation([page(60, [message(60), message(59)], true)]);
  made.open();
  await settled();
  wire.handlers.item(message(5, { revision: 2 }));
  assert.deepEqual(offsets(made), [59, 60]);
  assert.deepEqual(arrived, [["m5", false]]);
});

test("older history is asked for before the oldest item, once at a time", async () => {
  const { made, asked } = conversation([page(60, [message(60)], true), page(60, [message(59), message(58)], false)]);
  made.open();
  await settled();
  made.loadOlder();
  made.loadOlder();
  await settled();
  assert.deepEqual(
    asked.map(([, { before }]) => before),
    [undefined, 60],
  );
  assert.deepEqual(offsets(made), [58, 59, 60]);
  assert.equal(made.more, false);
});

test("after a break in the log the fresh page replaces what was shown, and what came live meanwhile stays", async () => {
  const { made, wire } = conversation([page(2, [message(2), message(1)]), page(9, [message(9), message(8)], true)]);
  made.open();
  await settled();
  wire.handlers.reload();
  wire.handlers.item(message(10));
  assert.deepEqual(offsets(made), [1, 2, 10], "nothing vanishes before the fresh page is there");
  await settled();
  assert.deepEqual(offsets(made), [8, 9, 10]);
});

test("what could not be loaded is tried again at the next connect", async () => {
  const { made } = conversation([new WireError(1, "lost", true), page(1, [message(1)])]);
  made.open();
  await settled();
  assert.equal(made.phase, "loading");
  made.connected();
  await settled();
  assert.equal(made.phase, "ready");
});

test("a channel that is not mine ends it", async () => {
  const { made } = conversation([new WireError(404, "There is no such channel.", false)]);
  made.open();
  await settled();
  assert.equal(made.phase, "ended");
});

test("an answer ahead of the log stands in until the log brings the message, and is no reading", async () => {
  const { made, wire } = conversation([page(4, [message(4)]), { message_id: "m6", offset: 6, at: "now" }]);
  made.open();
  await settled();
  const { clientId } = made.send("mine");
  await settled();
  assert.deepEqual(offsets(made), [4, 6]);
  assert.equal(made.readable, 4);
  assert.equal(made.keyOf(made.items[1]), clientId);
  wire.handlers.item(message(5));
  wire.handlers.item(message(6, { author: "me", text: "mine" }));
  assert.deepEqual(offsets(made), [4, 5, 6]);
  assert.equal(made.readable, 6);
  assert.equal(made.outbox.unsent, 0);
});

test("coming back goes on from where it was left", async () => {
  const { made, wire } = conversation([page(4, [message(4)])]);
  made.open();
  await settled();
  made.close();
  made.open();
  assert.deepEqual(wire.position, { epoch: "e", offset: 99 });
});

test("trimming keeps the newest, and the rest can be fetched again", async () => {
  const { made } = conversation([
    page(
      5,
      [5, 4, 3, 2, 1].map((offset) => message(offset)),
    ),
  ]);
  made.open();
  await settled();
  made.trim(2);
  assert.deepEqual(offsets(made), [4, 5]);
  assert.equal(made.more, true);
});
