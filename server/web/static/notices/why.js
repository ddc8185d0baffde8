/** Who was told of one message, by what, and why or why not: for staff, one explained outcome per member, way and cause. A dialog. */

import { h } from "../dom.js";
import { showDialog } from "../parts/dialog.js";
import { momentWords } from "./words.js";

const WORDS = "For everyone who is or was in the channel: what came of each way to tell them, and why.";
const MEDIA = { push: "Push", email: "Email" };
const PAGE = 200;

/** Shows it. `nameOf(membership id)` → a name. */
export async function showWhy(wire, { channel, message, nameOf }) {
  const place = h("div", {}, h("p", { role: "status" }, "One moment…"));
  const buttons = (close) => h("p", { class: "buttons" }, h("button", { type: "button", class: "primary", onclick: () => close() }, "Close"));
  const closed = showDialog({ title: "Who was told, and why", words: WORDS, content: (close) => [place, buttons(close)] });
  try {
    const members = await everyone(wire, { channel_id: channel, message_id: message });
    place.replaceChildren(h("ul", { class: "why" }, ...members.map((member) => ofMember(nameOf(member.member_id), member))));
  } catch (error) {
    if (!error.code) throw error;
    place.replaceChildren(h("p", { class: "failure", role: "alert" }, error.message));
  }
  return closed;
}

async function everyone(wire, params) {
  const found = [];
  for (let more = true; more; ) {
    const { members } = await wire.rpc("notice.why", { ...params, skip: found.length, limit: PAGE });
    found.push(...members);
    more = members.length === PAGE;
  }
  return found;
}

/** Hardly any message stands unattended: of that, only what stands in the ledger is told. */
function ofMember(name, { left, outcomes }) {
  const told = outcomes.filter(({ cause, status }) => cause === "new" || status !== "none");
  return h("li", {}, h("h3", {}, h("bdi", {}, name), left ? " (not in the channel any more)" : ""), h("dl", { class: "facts" }, ...told.map(outcome)));
}

function outcome({ medium, cause, explained, at, due_at: due }) {
  const what = MEDIA[medium] + (cause === "unattended" ? ", because nobody of the team had read it" : "");
  const moment = at ? momentWords(at) : new Date(due ?? 0) > new Date() ? `Not before ${momentWords(due)}` : "";
  return h("div", {}, h("dt", {}, what), h("dd", {}, explained, moment ? h("span", { class: "changed quiet" }, moment) : null));
}
