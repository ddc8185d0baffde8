/** The encounters of the organisation, with groups and with patients: a list of them, and a page for each. */

import { h } from "../dom.js";
import { emptyState } from "../parts/empty.js";
import { Asking } from "../roster/asking.js";
import { encounterList } from "../roster/encounter_list.js";
import { EncounterPage } from "../roster/encounter_page.js";
import { documentationOptions } from "../roster/encounter_words.js";
import { Filters } from "../roster/filters.js";
import { ListOrOne } from "../roster/list_or_one.js";
import { tabs } from "../roster/tabs.js";

const ANY = { value: "", label: "Any" };
const SUBJECTS = [ANY, { value: "group", label: "Groups" }, { value: "patient", label: "Patients" }];

export const encounters = {
  name: "encounters",
  under: "groups",
  may: ({ permissions }) => permissions.includes("group.encounter.read"),
  make: (page) => new ListOrOne(new Encounters(page), new EncounterPage(page)),
};

class Encounters {
  #asking;
  #list;
  #filters = new Filters(
    [
      { name: "subject_type", label: "With", options: SUBJECTS },
      { name: "documentation_status", label: "Documentation", options: [ANY, ...documentationOptions()] },
    ],
    () => this.#list.open({ words: "Loading encounters…", anew: true }),
  );
  #title = h("h2", { id: "encounters-title", tabindex: -1 }, "Encounters");
  element = h("section", { id: "encounters", class: "view roster", "aria-labelledby": "encounters-title" });

  constructor(page) {
    this.#asking = new Asking(page.wire);
    this.#list = encounterList({ page, asking: this.#asking, params: () => this.#filters.values, isNamed: true, empty: () => this.#empty() });
    const head = h("header", { class: "head" }, this.#title);
    this.element.append(tabs(page.me, "encounters"), head, this.#filters.element, this.#asking.element, this.#list.element);
  }

  focus() {
    this.#title.focus();
  }

  draw() {
    this.#asking.again();
  }

  open() {
    return this.#list.open({ words: "Loading encounters…" });
  }

  #empty() {
    const isNarrow = Object.keys(this.#filters.values).length > 0;
    return isNarrow
      ? emptyState({ title: "No such encounters", words: "No encounter fits what is chosen above." })
      : emptyState({ title: "No encounters yet", words: "What took place with groups and patients stands here. A group’s page begins one." });
  }
}
