/** What a channel is, in sentences: who reads it, and what patients see of it. Pure. */

import { KIND_NAMES, roleName } from "./words.js";

const SEEN_BY_PATIENT = {
  care_team:
    "The patient sees this channel as “Your care team”: the names of everyone in it, who joins and leaves, and that their team " +
    "has read a message, but not who has. They do not see roles.",
  service_team:
    "The patient sees this channel as “Your service team”: the names of everyone in it, who joins and leaves, and that their " +
    "team has read a message, but not who has. They do not see roles.",
  staff: "The patient does not see this channel and is not told that it exists.",
  group:
    "The patients in it see each other’s display names, never real names, and the names of the team. Each of them sees what was " +
    "written after they joined.",
  direct: "Nobody but its members sees this conversation. It cannot be joined.",
};

/** `[{term, words}]` about a channel, for staff. */
export function factsForStaff({ kind, patient, status }) {
  const shown = patient?.display_name && patient.display_name !== patient.name ? `, shown as “${patient.display_name}”` : "";
  return [
    { term: "Kind", words: KIND_NAMES[kind] + (status === "archived" ? ", archived" : "") },
    patient && { term: "Patient", words: patient.name + shown },
    { term: "What patients see", words: SEEN_BY_PATIENT[kind] },
  ].filter(Boolean);
}

/** The same, for patients. */
export function factsForPatient({ kind }) {
  const readers =
    kind === "group"
      ? "Everyone listed here reads what you write. The other patients know you by your display name only."
      : "The people listed here read what you write, and nobody else does without joining. You are told who joins.";
  return [
    { term: "Who reads this", words: readers },
    { term: "How it is kept", words: "The conversation is part of your clinic’s records and is stored encrypted." },
    { term: "In an emergency", words: "Do not wait for an answer here: call your local emergency number." },
  ];
}

/** What a member is here, in a few words. */
export function roleOf(member, audience) {
  if (member.kind === "patient") return audience === "patient" && !member.me ? "Group member" : "Patient";
  return member.role ? roleName(member.role) : "Team member";
}
