// An application on centrifuge for JavaScript: app.mjs URL json|protobuf CHANNEL TOKEN_FILE. For the tests to talk to: see app.py.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { Centrifuge as Json } from "centrifuge";
import { Centrifuge as Protobuf } from "centrifuge/build/protobuf";

const [url, codec, channel, tokenFile] = process.argv.slice(2);
const protobuf = codec === "protobuf";
const say = (...words) => console.log(...words);
const packed = (data) => (protobuf ? new TextEncoder().encode(JSON.stringify(data)) : data);
const opened = (data) => (protobuf ? JSON.parse(new TextDecoder().decode(data)) : data);

async function getToken() {
  say("token");
  return readFileSync(tokenFile, "utf8");
}

const client = new (protobuf ? Protobuf : Json)(url, { getToken, minReconnectDelay: 50, maxReconnectDelay: 300 });
client.on("connecting", () => say("connecting"));
client.on("disconnected", ({ code }) => say("disconnected", code));
client.on("publication", ({ data }) => opened(data).type === "channel" && say("hint"));

const subscription = client.newSubscription(channel);
subscription.on("subscribed", ({ recovered }) => say("subscribed", recovered ? "recovered" : "anew"));
subscription.on("unsubscribed", ({ code }) => say("unsubscribed", code));
subscription.on("publication", (pub) => {
  const data = opened(pub.data);
  if (pub.offset) say("pub", String(pub.offset), data.text ?? data.type);
});
subscription.subscribe();
client.connect();

async function send(id) {
  const params = packed({ channel_id: channel, client_id: id, text: id });
  for (;;) {
    try {
      const answer = opened((await client.rpc("message.send", params)).data);
      return say("sent", answer.offset, id);
    } catch (error) {
      if (error.code >= 400) return say("refused", error.code);
      say("again");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

const sending = [];
for await (const line of createInterface({ input: process.stdin })) sending.push(send(line.split(" ")[1]));
await Promise.all(sending);
client.disconnect();
