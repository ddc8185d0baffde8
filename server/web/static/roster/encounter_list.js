/** Encounters, the latest first: those of one group, of one patient, or of the whole organisation. */

import { h } from "../dom.js";
import { toPlace } from "../route.js";
import { DOCUMENTATION, encounterType, whenWords } from "./encounter_words.js";
import { PagedList } from "./paged_list.js";

/**
 * A list of them.
 * @param params `() → which`, as encounter.list takes them; `isNamed`: each says with whom it was; `empty()` see PagedList
 */
export function encounterList({ page, asking, params, isNamed, empty }) {
  return new PagedList({
    asking,
    ask: async (part) => {
      const { encounters, more } = await page.wire.rpc("encounter.list", { ...params(), ...part });
      return [encounters, more];
    },
    entry: (encounter) => entryOf(encounter, isNamed),
    empty,
  });
}

function entryOf({ id, name, subject_type: subject, encounter_date: at, type, documentation_status: state, finalized_at: final }, isNamed) {
  const about = subject === "group" ? "Group" : "Patient";
  return h(
    "li",
    { "data-encounter-id": id },
    h(
      "div",
      { class: "who" },
      h("p", { class: "name" }, h("a", { href: toPlace("encounters", id) }, whenWords(at))),
      h("p", { class: "what" }, isNamed && [`${about}: `, h("bdi", {}, name), " · "], encounterType(type)),
    ),
    h("p", { class: "count" }, final ? "Finalised" : `Documentation: ${DOCUMENTATION[state].toLowerCase()}`),
  );
}
