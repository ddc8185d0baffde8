/** The guests of the organisation: people in groups who are no patients. Change, retire, take back, link to a patient. */

import { h } from "../dom.js";
import { confirmed } from "../parts/dialog.js";
import { emptyState } from "../parts/empty.js";
import { ask } from "../parts/form.js";
import { Menu } from "../parts/menu.js";
import { activePatients, patientName } from "../people.js";
import { toPlace } from "../route.js";
import { Asking, rpc } from "../roster/asking.js";
import { Filters } from "../roster/filters.js";
import { contactFields, contactOf } from "../roster/guest_form.js";
import { PagedList } from "../roster/paged_list.js";
import { tabs } from "../roster/tabs.js";
import { contactWords } from "../roster/words.js";

const STATES = [
  { value: "true", label: "Active", chosen: true },
  { value: "false", label: "Not active" },
  { value: "", label: "Any" },
];

export const guests = {
  name: "guests",
  under: "groups",
  may: ({ permissions }) => permissions.includes("group.read"),
  make: (page) => new Guests(page),
};

class Guests {
  #page;
  #asking;
  #list;
  #filters = new Filters([{ name: "is_active", label: "Status", options: STATES }], () =>
    this.#list.open({ words: "Loading guests…", anew: true }),
  );
  #title = h("h2", { id: "guests-title", tabindex: -1 }, "Guests");
  element = h("section", { id: "guests", class: "view roster", "aria-labelledby": "guests-title" });

  constructor(page) {
    this.#page = page;
    this.#asking = new Asking(page.wire);
    this.#list = new PagedList({
      asking: this.#asking,
      ask: async (part) => {
        const { is_active: active } = this.#filters.values;
        const { guests: found, more } = await page.wire.rpc("guest.list", { ...(active && { is_active: active === "true" }), ...part });
        return [found, more];
      },
      entry: (guest) => this.#entry(guest),
      empty: () => this.#empty(),
    });
    const button = this.#may("group.create")
      ? h("button", { type: "button", id: "new-guest", class: "primary", onclick: () => this.#create() }, "New guest")
      : "";
    const head = h("header", { class: "head" }, this.#title, button);
    this.element.append(tabs(page.me, "guests"), head, this.#filters.element, this.#asking.element, this.#list.element);
  }

  focus() {
    this.#title.focus();
  }

  draw() {
    this.#asking.again();
  }

  open() {
    return this.#list.open({ words: "Loading guests…" });
  }

  #may(permission) {
    return this.#page.me.permissions.includes(permission);
  }

  #empty() {
    const words = "People who take part in groups without being patients stand here, such as a member’s spouse.";
    if (this.#filters.values.is_active === "false") return emptyState({ title: "No such guests", words: "Nobody fits what is chosen above." });
    const action = this.#may("group.create") ? { words: "New guest", run: () => this.#create() } : null;
    return emptyState({ title: "No guests yet", words, action });
  }

  #entry(guest) {
    const { id, display_name: name, contact, notes, is_active: active, patient_id: patient } = guest;
    const state = patient ? "Became a patient" : active ? null : "Not active";
    const acts = h("div", { class: "acts" });
    if (this.#may("group.update")) this.#menu(acts, guest);
    const linked = patient && this.#may("patient.read") ? h("a", { href: toPlace("patients", patient) }, "The patient") : null;
    return h(
      "li",
      { "data-guest-id": id },
      h(
        "div",
        { class: "who" },
        h("p", { class: "name" }, h("bdi", {}, name), state && h("span", { class: "tag" }, state)),
        h("p", { class: "what" }, h("bdi", {}, contactWords(contact) || "No contact noted"), linked && [" · ", linked]),
        notes && h("p", { class: "noted", dir: "auto" }, notes),
      ),
      acts,
    );
  }

  #menu(place, guest) {
    const { display_name: name, is_active: active, patient_id: patient } = guest;
    const button = h("button", { type: "button", class: "small" }, "Change", h("span", { class: "unseen" }, ` ${name}`));
    const entries = [
      { words: "Edit", run: () => this.#edit(guest) },
      active && { words: "Deactivate", run: () => this.#deactivate(guest) },
      !active && !patient && { words: "Make active again", run: () => this.#reactivate(guest) },
      !patient && this.#may("patient.read") && { words: "Has become a patient", run: () => this.#link(guest) },
    ];
    new Menu(place, button, () => entries.filter(Boolean));
  }

  #fields(guest) {
    const note = { name: "notes", label: "Notes", rows: 3, value: guest?.notes ?? undefined, hint: "For those who may read session notes" };
    return [
      { name: "display_name", label: "Name", required: true, value: guest?.display_name, hint: "How to address them, such as “Maria’s mother”" },
      ...contactFields(guest?.contact),
      ...(this.#may("group.encounter.note.read") ? [note] : []),
    ];
  }

  async #create() {
    const run = ({ phone, email, ...values }) => rpc(this.#page.wire, "guest.create", { contact: contactOf({ phone, email }), ...values });
    const made = await ask({ title: "New guest", fields: this.#fields(), submit: "Create guest", run });
    if (made) await this.#done(`${made.display_name} was created.`);
  }

  async #edit(guest) {
    const noted = this.#may("group.encounter.note.read");
    const run = ({ phone, email, notes = null, ...values }) =>
      rpc(this.#page.wire, "guest.update", {
        guest_id: guest.id,
        contact: contactOf({ phone, email }, guest.contact),
        ...values,
        ...(noted && { notes }),
      });
    if (await ask({ title: "Edit this guest", fields: this.#fields(guest), submit: "Save", run })) await this.#done("Saved.");
  }

  async #deactivate({ id, display_name: name }) {
    const words = "They leave the groups that they are in, and can be added to none. What was written stays, and they can be made active again.";
    if (!(await confirmed({ title: `Deactivate ${name}?`, words, yes: "Deactivate" }))) return;
    if (await this.#asking.run("guest.deactivate", { guest_id: id })) await this.#done(`${name} is not active any more.`);
  }

  async #reactivate({ id, display_name: name }) {
    if (await this.#asking.run("guest.reactivate", { guest_id: id })) await this.#done(`${name} is active again. Add them to their groups anew.`);
  }

  async #link({ id, display_name: name }) {
    const patients = await this.#asking.attempt(() => activePatients(this.#page.wire));
    if (!patients) return;
    const options = patients.map((patient) => ({ value: patient.id, label: patientName(patient) }));
    const done = await ask({
      title: `${name} has become a patient`,
      words: "The patient takes over the guest’s places in groups, and what was written about the guest becomes part of the patient’s history. This cannot be undone.",
      fields: [{ name: "patient_id", label: "Patient", required: true, options: [{ value: "", label: "Choose a patient" }, ...options] }],
      submit: "Link",
      run: (values) => rpc(this.#page.wire, "guest.link", { guest_id: id, ...values }),
    });
    if (done) await this.#done(`${name} is linked to the patient.`);
  }

  async #done(words) {
    await this.open();
    this.#asking.say(words);
    if (document.activeElement === document.body) this.#title.focus();
  }
}
