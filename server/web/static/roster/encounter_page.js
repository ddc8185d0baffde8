/** One encounter: what it was, who took part, its notes, who has answered which form; documented until it is finalised. */

import { h, say } from "../dom.js";
import { confirmed } from "../parts/dialog.js";
import { nameOfPerson, teamMembers } from "../people.js";
import { toPlace } from "../route.js";
import { listed } from "../words.js";
import { Asking, rpc } from "./asking.js";
import { Attendees } from "./attendees.js";
import { askForEncounter, askForPractitioners } from "./encounter_form.js";
import { DOCUMENTATION, encounterType, whenWords } from "./encounter_words.js";
import { Forms } from "./forms.js";
import { Notes } from "./notes.js";

export class EncounterPage {
  #page;
  #asking;
  #encounter = null;
  #parts;
  #title = h("h2", { id: "encounter-title", tabindex: -1 });
  #back = h("a", { class: "back-link", href: toPlace("encounters") });
  #buttons = h("div", { class: "buttons-beside" });
  #facts = h("dl", { class: "facts" });
  #rest = h("div", { hidden: true });
  element = h("section", { id: "encounter", class: "view roster", "aria-labelledby": "encounter-title" });

  constructor(page) {
    this.#page = page;
    this.#asking = new Asking(page.wire);
    const changed = (words) => this.#done(words);
    this.#parts = [new Attendees(page), new Notes({ page, changed }), new Forms({ page, asking: this.#asking, changed })];
    const head = h("header", { class: "head" }, this.#title, this.#buttons);
    this.#rest.append(this.#facts, ...this.#parts.map(({ element }) => element));
    this.element.append(h("p", {}, this.#back), head, this.#asking.element, this.#rest);
  }

  focus() {
    this.#title.focus();
  }

  draw() {
    this.#asking.again();
  }

  open(id) {
    if (this.#encounter?.id !== id) {
      this.#encounter = null;
      this.#rest.hidden = true;
      this.#buttons.replaceChildren();
      this.#back.replaceChildren(...backTo("All encounters"));
      this.#back.href = toPlace("encounters");
      say(this.#title, "Encounter");
    }
    return this.#fetch(id, "Loading the encounter…");
  }

  get #mayChange() {
    return this.#page.me.permissions.includes("group.encounter.create");
  }

  async #ask(id) {
    const { wire } = this.#page;
    const params = { encounter_id: id };
    const [encounter, { participants }, ...rest] = await Promise.all([
      wire.rpc("encounter.get", params),
      wire.rpc("encounter.participants", params),
      ...this.#parts.map((part) => part.ask?.(id)),
    ]);
    const names = await Promise.all(encounter.practitioner_ids.map((person) => nameOfPerson(wire, person)));
    const finalizedBy = encounter.finalized_by && (await nameOfPerson(wire, encounter.finalized_by));
    return { encounter, participants, rest, names, finalizedBy };
  }

  #fetch(id = this.#encounter.id, words = null) {
    return this.#asking.fetch(this.#encounter ? null : words, () => this.#ask(id), (found) => {
      this.#encounter = found.encounter;
      this.#rest.hidden = false;
      this.#draw(found);
      this.#parts.forEach((part, at) => part.show(found, found.rest[at]));
    });
  }

  #draw({ encounter, names, finalizedBy }) {
    const { encounter_date: at, finalized_at: final, group_id: group, name } = encounter;
    this.#title.replaceChildren(whenWords(at), final ? h("span", { class: "tag" }, "Finalised") : "");
    if (group) {
      this.#back.href = toPlace("groups", group);
      this.#back.replaceChildren(...backTo(h("bdi", {}, name)));
    }
    this.#facts.replaceChildren(...this.#factsOf(encounter, names, finalizedBy));
    const button = (words, run, kind = "small") => h("button", { type: "button", class: kind, onclick: run }, words);
    const open = this.#mayChange && !final;
    this.#buttons.replaceChildren(
      ...(open ? [button("Edit", () => this.#edit()), button("Practitioners", () => this.#assign()), button("Finalise", () => this.#finalize(), "primary")] : []),
    );
  }

  #factsOf(encounter, names, finalizedBy) {
    const { type, chief_complaint: topic, documentation_status: state, finalized_at: final } = encounter;
    const fact = (term, words, kind) => h("div", { class: kind }, h("dt", {}, term), h("dd", { dir: "auto" }, words));
    return [
      fact(encounter.group_id ? "Group" : "Patient", this.#subject(encounter)),
      fact("Type", encounterType(type)),
      fact("Practitioners", names.length ? listed(names, 20) : "Nobody"),
      final ? fact("Finalised", `${whenWords(final)}, by ${finalizedBy}`) : fact("Documentation", DOCUMENTATION[state]),
      ...(topic ? [fact("Topic", topic, "all-across")] : []),
    ];
  }

  #subject({ group_id: group, patient_id: patient, name }) {
    const { permissions } = this.#page.me;
    const href = group ? permissions.includes("group.read") && toPlace("groups", group) : permissions.includes("patient.read") && toPlace("patients", patient);
    return href ? h("a", { href }, h("bdi", {}, name)) : h("bdi", {}, name);
  }

  async #edit() {
    const done = await askForEncounter({
      title: "Edit this encounter",
      submit: "Save",
      encounter: this.#encounter,
      run: (values) => rpc(this.#page.wire, "encounter.update", { encounter_id: this.#encounter.id, ...values }),
    });
    if (done) await this.#done("Saved.");
  }

  async #assign() {
    const team = await this.#asking.attempt(() => teamMembers(this.#page.wire));
    if (!team) return;
    const done = await askForPractitioners({
      team,
      chosen: this.#encounter.practitioner_ids,
      run: (people) => rpc(this.#page.wire, "encounter.practitioners", { encounter_id: this.#encounter.id, practitioner_ids: people }),
    });
    if (done) await this.#done("Saved.");
  }

  async #finalize() {
    const words = "Its documentation is complete then. Nothing of it can be changed any more, and only addenda can be added to its notes. This cannot be undone.";
    if (!(await confirmed({ title: "Finalise this encounter?", words, yes: "Finalise" }))) return;
    if (await this.#asking.run("encounter.finalize", { encounter_id: this.#encounter.id })) await this.#done("The encounter is finalised.");
  }

  /** Something was done (`words`), or refused where it stands (null). */
  async #done(words) {
    await this.#fetch();
    if (words) this.#asking.say(words);
    if (document.activeElement === document.body) this.#title.focus();
  }
}

const backTo = (words) => [h("span", { "aria-hidden": "true" }, "‹ "), words];
