/** What encounters, their notes and their documentation are called. */

import { dateOf, timeOf } from "../time.js";

const TYPES = {
  "group-therapy": "Group therapy",
  "support-group": "Support group",
  "education-session": "Education session",
  "family-therapy": "Family therapy",
  consultation: "Consultation",
};
const OF_GROUP = { therapy: "group-therapy", support: "support-group", education: "education-session" };
const NOTES = { session_note: "Session note", observation: "Observation", plan: "Plan", addendum: "Addendum" };
export const DOCUMENTATION = { not_started: "Not started", in_progress: "In progress", complete: "Complete" };

const named = (names, word) => names[word] ?? sentence(word);

export const encounterType = (word) => named(TYPES, word);
export const noteType = (word) => named(NOTES, word);

/** "group_work-2" → "Group work 2": other programs name types of their own. */
function sentence(word) {
  const words = word.replaceAll(/[-_]+/g, " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export const whenWords = (at) => `${dateOf(at)}, ${timeOf(at)}`;

/** Options of a <select>; a type that this page does not know is offered where it is the present one. */
export function encounterTypes(chosen) {
  const known = chosen && !TYPES[chosen] ? { ...TYPES, [chosen]: sentence(chosen) } : TYPES;
  return optionsOf(known, chosen);
}

/** The type that an encounter of such a group usually has. */
export const usualType = ({ type }) => OF_GROUP[type];

export const documentationOptions = (chosen) => optionsOf(DOCUMENTATION, chosen);

/** What can still be written: once it is finalised, addenda alone. */
export function noteTypes(isFinal) {
  return isFinal ? optionsOf({ addendum: NOTES.addendum }) : optionsOf(NOTES);
}

function optionsOf(names, chosen) {
  return Object.entries(names).map(([value, label]) => ({ value, label, chosen: value === chosen }));
}

/** A moment as <input type=datetime-local> has it, in the reader's own time; and back. */
export function toField(at) {
  const when = new Date(at);
  return new Date(when.getTime() - when.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

export const fromField = (value) => new Date(value).toISOString();
