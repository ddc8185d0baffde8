/** One line of a roster: who it is, since when or until when, and what one can do. */

import { h, unseen } from "../dom.js";
import { Menu } from "../parts/menu.js";
import { toPlace } from "../route.js";
import { dateOf } from "../time.js";

/** Who a row is about: the same for every time that somebody is or was in the group. */
export function keyOf({ member_type: type, patient_id: patient, guest_id: guest }) {
  return `${type} ${patient ?? guest}`;
}

/** @param member with `may: {remove, again, note, profile}`; `acts` `{remove, again, note}` take the member */
export function memberEntry(member, acts) {
  const { id, notes } = member;
  return h(
    "li",
    { "data-group-member-id": id },
    h("div", { class: "who" }, nameLine(member), h("p", { class: "what" }, spanWords(member)), notes && h("p", { class: "noted", dir: "auto" }, notes)),
    actsOf(member, acts),
  );
}

function actsOf(member, acts) {
  const { may, notes, name } = member;
  const place = h("div", { class: "acts" });
  const button = (words, act) => h("button", { type: "button", class: "small", onclick: act }, words, unseen(` ${name}`));
  const entries = [
    may.note && { words: notes ? "Edit note" : "Add note", run: () => acts.note(member) },
    may.remove && { words: "Remove from the group", run: () => acts.remove(member) },
  ].filter(Boolean);
  if (may.again) place.append(button("Add again", () => acts.again(member)));
  else if (entries.length) new Menu(place, button("Change"), () => entries);
  return place;
}

function nameLine({ member_type: type, patient_id: patient, name, display_name: shown, may }) {
  const called = h("bdi", {}, name);
  const note = shown && shown !== name ? h("span", { class: "quiet" }, " (shown as “", h("bdi", {}, shown), "”)") : null;
  return h(
    "p",
    { class: "name" },
    patient && may.profile ? h("a", { href: toPlace("patients", patient) }, called) : called,
    note,
    type === "guest" && h("span", { class: "tag" }, "Guest"),
  );
}

function spanWords({ status, joined_at: joined, left_at: left, in_channel: inChannel }) {
  if (status === "left") return `From ${dateOf(joined)} to ${dateOf(left)}`;
  return `Since ${dateOf(joined)}${inChannel ? " · in the group’s channel" : ""}`;
}
