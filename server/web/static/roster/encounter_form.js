/** What one says of an encounter: when, of what type, about what; how far its documentation is; whom it is assigned to. */

import { choicesOf } from "../new_channel.js";
import { ask } from "../parts/form.js";
import { documentationOptions, encounterTypes, fromField, toField } from "./encounter_words.js";

/** Resolves to what `run(values)` answered, or to null. @param encounter as it is, for a change; `type` the usual one, for a new one */
export function askForEncounter({ title, submit, encounter, type, words, run }) {
  const fields = [
    { name: "encounter_date", label: "When", type: "datetime-local", required: true, value: toField(encounter?.encounter_date ?? Date.now()) },
    { name: "type", label: "Type", required: true, options: encounterTypes(encounter?.type ?? type) },
    { name: "chief_complaint", label: "Topic", rows: 2, value: encounter?.chief_complaint ?? undefined, hint: "What it is about" },
  ];
  const state = { name: "documentation_status", label: "Documentation", required: true, options: documentationOptions(encounter?.documentation_status) };
  return ask({
    title,
    words,
    fields: encounter ? [...fields, state] : fields,
    submit,
    run: ({ encounter_date: at, chief_complaint: topic = null, ...values }) => {
      const moved = !encounter || at !== toField(encounter.encounter_date);
      return run({ ...values, chief_complaint: topic, ...(moved && { encounter_date: fromField(at) }) });
    },
  });
}

/** Asks whom an encounter is assigned to. */
export function askForPractitioners({ team, chosen, run }) {
  return ask({
    title: "Practitioners of this encounter",
    fields: [{ name: "practitioner_ids", label: "Assigned to", choices: choicesOf(team, chosen) }],
    submit: "Save",
    run: ({ practitioner_ids: people = [] }) => run(people),
  });
}
