import assert from "node:assert/strict";
import { afterEach, beforeEach, mock, test } from "node:test";

import { Wire } from "../../../server/web/static/wire.js";

class FakeSocket {
  static all = [];

  constructor(url) {
    this.url = url;
    this.readyState = 1;
    this.sent = [];
    FakeSocket.all.push(this);
  }

  static get last() {
    return FakeSocket.all.at(-1);
  }

  send(frame) {
    this.sent.push(frame);
  }

  close() {
    this.isClosed = true;
  }

  /** The commands of one frame. */
  frame(at) {
    return this.sent[at].split("\n").map((line) => JSON.parse(line));
  }

  says(...replies) {
    this.onmessage({ data: replies.map((reply) => JSON.stringify(reply)).join("\n") });
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve));
const hello = { client: "c", version: "v", ping: 25, pong: true, subs: { personal: {} } };
let wire;
let states;
let hints;
let tokens;

/** Connects: the socket opens, the first frame goes out, and the server agrees. */
async function connected(greeting = hello) {
  await settled();
  FakeSocket.last.onopen();
  await settled();
  FakeSocket.last.says({ id: FakeSocket.last.frame(0)[0].id, connect: greeting });
}

beforeEach(() => {
  mock.timers.enable({ apis: ["setTimeout", "Date"] });
  FakeSocket.all = [];
  states = [];
  hints = [];
  tokens = 0;
  wire = new Wire({
    url: "ws://here",
    fetchToken: async () => `token ${++tokens}`,
    onState: ({ phase }) => states.push(phase),
    onHint: (data) => hints.push(data),
    Socket: FakeSocket,
  });
});

afterEach(() => {
  wire.stop();
  mock.timers.reset();
});

/** Handlers that write down what they are told. */
function listener() {
  const heard = [];
  const handlers = {
    item: (data) => heard.push(data),
    reload: () => heard.push("reload"),
    live: () => heard.push("live"),
    ended: (code) => heard.push(`ended ${code}`),
  };
  return { heard, handlers };
}

const pub = (offset, data = offset) => ({ push: { channel: "a", pub: { offset, data } } });

test("connect and every subscribe leave in one frame", async () => {
  wire.subscribe("a", listener().handlers, { epoch: "e", offset: 7 });
  wire.subscribe("b", listener().handlers);
  wire.start();
  await connected();
  const [connect, a, b] = FakeSocket.last.frame(0);
  assert.equal(connect.connect.token, "token 1");
  assert.deepEqual(a.subscribe, { channel: "a", recover: true, epoch: "e", offset: 7 });
  assert.deepEqual(b.subscribe, { channel: "b" });
  assert.deepEqual(states, ["connecting", "online"]);
  assert.equal(FakeSocket.last.sent.length, 1);
});

test("a ping is answered, silence beyond ping + 10 s is a dead connection", async () => {
  wire.start();
  await connected();
  FakeSocket.last.says({});
  assert.equal(FakeSocket.last.sent.at(-1), "{}");
  mock.timers.tick(34_000);
  assert.equal(wire.state.phase, "online");
  mock.timers.tick(1_000);
  assert.equal(wire.state.phase, "waiting");
  assert.ok(FakeSocket.last.isClosed);
});

test("publications come in order, once; what comes before the answer to subscribe is in the answer", async () => {
  const { heard, handlers } = listener();
  wire.start();
  await connected();
  wire.subscribe("a", handlers, { epoch: "e", offset: 1 });
  await settled();
  const [{ id }] = FakeSocket.last.frame(1);
  FakeSocket.last.says(
    pub(2),
    {
      id,
      subscribe: {
        epoch: "e",
        offset: 1,
        recovered: true,
        was_recovering: true,
        publications: [
          { offset: 2, data: 2 },
          { offset: 3, data: 3 },
        ],
      },
    },
    pub(4),
    pub(4),
    { push: { channel: "a", pub: { data: "seen" } } },
  );
  assert.deepEqual(heard, [2, 3, "live", 4, "seen"]);
  assert.equal(wire.stats.duplicates, 1);
  assert.equal(wire.stats.recoveries, 0, "the first subscribe is no recovery");
});

test("after a break it goes on from the last position, and counts what it recovered", async () => {
  const { heard, handlers } = listener();
  wire.subscribe("a", handlers, { epoch: "e", offset: 0 });
  wire.start();
  await connected();
  FakeSocket.last.says({ id: FakeSocket.last.frame(0)[1].id, subscribe: { epoch: "e", recovered: true } }, pub(1));
  FakeSocket.last.onclose({ code: 1006, reason: "" });
  assert.equal(wire.state.phase, "waiting");
  mock.timers.tick(1_000);
  await connected();
  const again = FakeSocket.last.frame(0)[1];
  assert.deepEqual(again.subscribe, { channel: "a", recover: true, epoch: "e", offset: 1 });
  FakeSocket.last.says({
    id: again.id,
    subscribe: { epoch: "e", offset: 1, recovered: true, publications: [{ offset: 2, data: 2 }] },
  });
  assert.deepEqual(heard, ["live", 1, 2, "live"]);
  assert.deepEqual(wire.stats, { recoveries: 1, recoveredPublications: 1, gaps: 0, duplicates: 0, reconnects: 1 });
  assert.equal(tokens, 2, "each connect has a fresh token");
});

test("a hole is counted and healed from the last position, nothing behind it is shown before", async () => {
  const { heard, handlers } = listener();
  wire.subscribe("a", handlers);
  wire.start();
  await connected();
  FakeSocket.last.says({ id: FakeSocket.last.frame(0)[1].id, subscribe: { epoch: "e", offset: 3 } }, pub(5), pub(6));
  await settled();
  assert.equal(wire.stats.gaps, 1);
  const [stop, again] = FakeSocket.last.frame(1);
  assert.deepEqual(stop.unsubscribe, { channel: "a" });
  assert.deepEqual(again.subscribe, { channel: "a", recover: true, epoch: "e", offset: 3 });
  const publications = [4, 5, 6].map((offset) => ({ offset, data: offset }));
  FakeSocket.last.says({ id: again.id, subscribe: { epoch: "e", offset: 3, recovered: true, publications } });
  assert.deepEqual(heard, ["live", 4, 5, 6, "live"]);
});

test("recovered: false has the page reload, and listening goes on from the new position", async () => {
  const { heard, handlers } = listener();
  wire.subscribe("a", handlers, { epoch: "old", offset: 40 });
  wire.start();
  await connected();
  FakeSocket.last.says(
    { id: FakeSocket.last.frame(0)[1].id, subscribe: { epoch: "new", offset: 7, was_recovering: true } },
    pub(8),
  );
  assert.deepEqual(heard, ["reload", "live", 8]);
});

test("an unrecoverable position (112) starts over, and reloads only once it listens again", async () => {
  const { heard, handlers } = listener();
  wire.subscribe("a", handlers, { epoch: "e", offset: 1 });
  wire.start();
  await connected();
  FakeSocket.last.says({ id: FakeSocket.last.frame(0)[1].id, error: { code: 112, message: "unrecoverable position" } });
  await settled();
  assert.deepEqual(heard, []);
  const [again] = FakeSocket.last.frame(1);
  assert.deepEqual(again.subscribe, { channel: "a" });
  FakeSocket.last.says({ id: again.id, subscribe: { epoch: "e", offset: 9 } });
  assert.deepEqual(heard, ["reload", "live"]);
});

test("unsubscribe pushes: below 2500 final, from 2500 on taken up again", async () => {
  const { heard, handlers } = listener();
  wire.subscribe("a", handlers, { epoch: "e", offset: 1 });
  wire.start();
  await connected();
  FakeSocket.last.says({ id: FakeSocket.last.frame(0)[1].id, subscribe: { epoch: "e", offset: 1, recovered: true } });
  FakeSocket.last.says({ push: { channel: "a", unsubscribe: { code: 2500, reason: "insufficient state" } } });
  await settled();
  const [again] = FakeSocket.last.frame(1);
  assert.equal(again.subscribe.offset, 1);
  FakeSocket.last.says({ id: again.id, subscribe: { epoch: "e", offset: 1, recovered: true } });
  FakeSocket.last.says({ push: { channel: "a", unsubscribe: { code: 2000, reason: "removed" } } });
  assert.deepEqual(heard, ["live", "live", "ended 2000"]);
});

test("a passing refusal to subscribe is tried again, a final one ends it, another's answer is ignored", async () => {
  const { heard, handlers } = listener();
  wire.subscribe("a", handlers);
  wire.start();
  await connected();
  FakeSocket.last.says({ id: FakeSocket.last.frame(0)[1].id, error: { code: 100, message: "later", temporary: true } });
  await settled();
  const [again] = FakeSocket.last.frame(1);
  FakeSocket.last.says({ id: 999, subscribe: {} }, { id: again.id, error: { code: 102, message: "unknown channel" } });
  assert.deepEqual(heard, ["ended 102"]);
});

for (const [code, phase] of [
  [3000, "waiting"],
  [3499, "waiting"],
  [3500, "stopped"],
  [3999, "stopped"],
  [4000, "waiting"],
  [4500, "stopped"],
  [4999, "stopped"],
  [5000, "waiting"],
  [1000, "waiting"],
  [1006, "waiting"],
  [1008, "waiting"],
  [1009, "stopped"],
]) {
  test(`close code ${code} leads to ${phase}`, async () => {
    wire.start();
    await connected();
    FakeSocket.last.onclose({ code, reason: "" });
    assert.equal(wire.state.phase, phase);
  });
}

for (const [error, phase] of [
  [{ code: 109 }, "waiting"],
  [{ code: 100, temporary: true }, "waiting"],
  [{ code: 103 }, "stopped"],
]) {
  test(`connect refused with ${error.code} leads to ${phase}`, async () => {
    wire.start();
    await settled();
    FakeSocket.last.onopen();
    await settled();
    FakeSocket.last.says({ id: FakeSocket.last.frame(0)[0].id, error: { message: "m", ...error } });
    assert.equal(wire.state.phase, phase);
  });
}

test("waking cuts the wait short; a refused token stops for good", async () => {
  wire.start();
  await connected();
  FakeSocket.last.onclose({ code: 1006, reason: "" });
  wire.wake();
  assert.equal(wire.state.phase, "connecting");
  await connected();
  assert.equal(wire.state.phase, "online");
});

test("rpc: answered, refused, too late, and lost with the connection", async () => {
  await assert.rejects(wire.rpc("me"), { code: 3, temporary: true });
  wire.start();
  await connected();
  const calls = [wire.rpc("one"), wire.rpc("two"), wire.rpc("three", {}, 1000), wire.rpc("four")];
  const ends = Promise.allSettled(calls);
  await settled();
  const [one, two] = FakeSocket.last.frame(1);
  FakeSocket.last.says({ id: one.id, rpc: { data: { a: 1 } } }, { id: two.id, error: { code: 422, message: "wrong" } });
  mock.timers.tick(1000);
  FakeSocket.last.onclose({ code: 1006, reason: "" });
  const [first, second, third, fourth] = await ends;
  assert.deepEqual(first.value, { a: 1 });
  assert.deepEqual([second.reason.code, second.reason.temporary], [422, false]);
  assert.deepEqual([third.reason.code, third.reason.temporary], [2, true]);
  assert.deepEqual([fourth.reason.code, fourth.reason.temporary], [1, true]);
});

test("a socket that is closing is told nothing more, and whoever asked hears that it was lost", async () => {
  wire.start();
  await connected();
  const socket = FakeSocket.last;
  socket.readyState = 2;
  const asked = wire.rpc("one");
  socket.says({});
  await settled();
  assert.equal(socket.sent.length, 1);
  socket.onclose({ code: 1006, reason: "" });
  await assert.rejects(asked, { code: 1, temporary: true });
});

test("the token is refreshed when its time is over", async () => {
  wire.start();
  await connected({ ...hello, ping: 0, expires: true, ttl: 60 });
  mock.timers.tick(60_000);
  await settled();
  const [{ id, refresh }] = FakeSocket.last.frame(1);
  assert.equal(refresh.token, "token 2");
  FakeSocket.last.says({ id, refresh: { expires: true, ttl: 60 } });
  mock.timers.tick(60_000);
  await settled();
  assert.equal(FakeSocket.last.frame(2)[0].refresh.token, "token 3");
});

test("hints come from the personal channel only", async () => {
  wire.start();
  await connected();
  FakeSocket.last.says(
    { push: { channel: "personal", pub: { data: "hint" } } },
    { push: { channel: "strange", pub: { data: "no" } } },
  );
  assert.deepEqual(hints, ["hint"]);
});

test("what is no JSON ends the connection, and it comes back", async () => {
  wire.start();
  await connected();
  FakeSocket.last.onmessage({ data: "{" });
  assert.equal(wire.state.phase, "waiting");
});

test("a channel asked for while connecting is asked for once", async () => {
  wire.start();
  await settled();
  FakeSocket.last.onopen();
  wire.subscribe("a", listener().handlers);
  await settled();
  FakeSocket.last.says({ id: FakeSocket.last.frame(0)[0].id, connect: hello });
  await settled();
  const asked = FakeSocket.last.sent.flatMap((_, at) => FakeSocket.last.frame(at)).filter(({ subscribe }) => subscribe);
  assert.equal(asked.length, 1);
});
