/** The sentences of the roster: what groups, members and guests are called, and refusals in the words of the page. */

import { plural } from "../words.js";

export const TYPES = { therapy: "Therapy", support: "Support", education: "Education" };

/** Options of a <select> for the kind of group; `chosen` the one that is. */
export function typeOptions(chosen) {
  return Object.entries(TYPES).map(([value, label]) => ({ value, label, chosen: value === chosen }));
}

/** "9 of 12 places taken", or how many there are where any number may be. */
export function capacityWords({ active_members: active, max_participants: most }) {
  return most === null ? plural(active, "member") : `${active} of ${most} places taken`;
}

/** "9 of 12", or "9". */
export function capacityBriefly({ active_members: active, max_participants: most }) {
  return most === null ? String(active) : `${active} of ${most}`;
}

export function isFull({ active_members: active, max_participants: most }) {
  return most !== null && active >= most;
}

/** "3 places are free" */
export function freeWords({ active_members: active, max_participants: most }) {
  if (most === null) return "";
  const free = Math.max(most - active, 0);
  if (free === 0) return "No place is free.";
  return free === 1 ? "1 place is free." : `${free} places are free.`;
}

/** How a guest can be reached, in one line. */
export function contactWords(contact) {
  return Object.values(contact)
    .filter((value) => typeof value === "string" || typeof value === "number")
    .join(" · ");
}

const FIELDS = { max_participants: "the number of places", facilitator_id: "the facilitator" };

/** A refusal names fields as programs know them; people know them by what the page calls them. */
export function plainly(message) {
  const begins = Object.keys(FIELDS).find((field) => message.startsWith(`${field}: `));
  if (begins) return message; // the form puts it beside its field
  return Object.entries(FIELDS).reduce((words, [field, name]) => words.replaceAll(field, name), message);
}
