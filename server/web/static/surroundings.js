/** What a row needs to know beyond its item: names, who has seen it, what it answers. */

import { nameOf } from "./directory.js";
import { listed, roleName } from "./words.js";

const QUOTE = 80;

/** The name above a message; staff also see what the person is here. */
function labelOf(member, audience) {
  if (!member) return "Someone";
  const name = nameOf(member);
  if (audience !== "staff") return name;
  const what = member.kind === "patient" ? "Patient" : member.role && roleName(member.role);
  return what ? `${name} · ${what}` : name;
}

/** Everything `lookOf` and `drawRow` ask for, for one drawing of one conversation. */
export function around({ conversation, directory, audience, channel, closed, act, people }) {
  const seen = lastSeen(conversation, directory, audience);
  return {
    closed,
    act,
    nameOf: (id) => directory.name(id),
    pictureOf: (id) => people.pictureOf(directory.get(id)),
    isMe: people.isMe,
    personName: (id) => directory.person(id) ?? people.name(id),
    may: people.may,
    mayAdd: ({ type, person }) => type === "asked" && channel?.status === "active" && !directory.active.some((one) => one.person_id === person),
    labelOf: (id) => labelOf(directory.get(id), audience),
    seenBy: ({ item }) => (item.id === seen?.id ? seen.words : ""),
    quoteOf: ({ reply_to: root }) => quote(conversation.items, root.id),
  };
}

/** The newest own message that someone has seen, and who: said once, below that one. */
function lastSeen({ items, me }, directory, audience) {
  const own = (item) => item.author === me && item.type === "message" && !item.deleted;
  if (audience === "patient") {
    const item = items.findLast((one) => own(one) && one.offset <= directory.seenOffset);
    return item && { id: item.id, words: "Seen by your team" };
  }
  const others = directory.active.filter((member) => !member.me);
  const furthest = Math.max(0, ...others.map((member) => member.read_offset ?? 0));
  const item = items.findLast((one) => own(one) && one.offset <= furthest);
  if (!item) return null;
  const readers = others.filter((member) => (member.read_offset ?? 0) >= item.offset);
  return { id: item.id, words: `Seen by ${listed(readers.map(nameOf), 4)}` };
}

function quote(items, id) {
  const root = items.find((item) => item.id === id);
  if (!root?.text) return "an earlier message";
  const line = root.text.split("\n")[0];
  return line.length > QUOTE ? `${line.slice(0, QUOTE)}…` : line;
}
