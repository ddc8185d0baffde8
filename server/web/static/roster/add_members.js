/** The ways into a group: a patient, a guest, a new guest, many at once. Each is a dialog in which a refusal stands, too. */

import { allPages } from "../paged.js";
import { ask } from "../parts/form.js";
import { activePatients, patientName } from "../people.js";
import { rpc } from "./asking.js";
import { addMany } from "./batch.js";
import { contactFields, contactOf } from "./guest_form.js";
import { keyOf } from "./member_entry.js";
import { contactWords, freeWords } from "./words.js";

export class AddMembers {
  #page;
  #asking;
  #members;
  #done;
  group;

  /** @param members `() → the active ones`; `done(words)` is called when somebody was added */
  constructor({ page, asking, members, done }) {
    this.#page = page;
    this.#asking = asking;
    this.#members = members;
    this.#done = done;
  }

  /** Entries for Menu. */
  entries() {
    const may = (permission) => this.#page.me.permissions.includes(permission);
    return [
      may("patient.read") && { words: "A patient", run: () => this.#patient() },
      { words: "A guest", run: () => this.#guest() },
      may("group.create") && { words: "A new guest", run: () => this.#newGuest() },
      { words: "Many at once", run: () => this.#many() },
    ].filter(Boolean);
  }

  async #patient() {
    const options = await this.#free("patient");
    if (options) await this.#one({ title: "Add a patient", name: "patient_id", label: "Patient", type: "patient", options });
  }

  async #guest() {
    const options = await this.#free("guest");
    if (options) await this.#one({ title: "Add a guest", name: "guest_id", label: "Guest", type: "guest", options });
  }

  async #one({ title, name, label, type, options }) {
    if (options.length === 0) return this.#asking.say(`Every active ${type} is in this group already.`);
    const added = await ask({
      title,
      words: freeWords(this.group),
      fields: [{ name, label, required: true, options: [{ value: "", label: `Choose a ${type}` }, ...options] }, ...this.#noteField()],
      submit: "Add",
      run: (values) => this.#add({ member_type: type, ...values }),
    });
    if (added) await this.#done(`${added.name} was added.`);
  }

  async #newGuest() {
    let guest = null; // made by a first try that got no further
    const run = async ({ display_name, notes, ...contact }) => {
      guest ??= await rpc(this.#page.wire, "guest.create", { display_name, contact: contactOf(contact) });
      return this.#add({ member_type: "guest", guest_id: guest.id, ...(notes && { notes }) }, guest);
    };
    const added = await ask({
      title: "Add a new guest",
      words: `A guest is somebody who is no patient of the clinic, such as a member’s spouse. ${freeWords(this.group)}`,
      fields: [
        { name: "display_name", label: "Name", required: true, hint: "How to address them, such as “Maria’s mother”" },
        ...contactFields(),
        ...this.#noteField(),
      ],
      submit: "Add",
      run,
    });
    if (added) await this.#done(`${added.name} was added.`);
    else if (guest) this.#asking.say(`${guest.display_name} stands under Guests now, and is not in this group.`);
  }

  async #many() {
    const people = await this.#asking.attempt(async () => {
      const may = this.#page.me.permissions.includes("patient.read");
      const [patients, guests] = await Promise.all([may ? this.#all("patient") : [], this.#all("guest")]);
      return [...patients, ...guests];
    });
    if (!people) return;
    const there = new Set(this.#members().map(keyOf));
    const words = await addMany({ page: this.#page, group: this.group, people: people.filter(({ value }) => !there.has(value)) });
    if (words) await this.#done(words);
  }

  #add(member, guest) {
    return rpc(this.#page.wire, "group_member.add", { group_id: this.group.id, ...member }).catch((error) => {
      if (guest && error.code) error.message = `${guest.display_name} stands under Guests now, but was not added to this group: ${error.message}`;
      throw error;
    });
  }

  #noteField() {
    const may = this.#page.me.permissions.includes("group.encounter.note.read");
    return may ? [{ name: "notes", label: "Note", rows: 2, hint: "About their place in this group, for those who read session notes" }] : [];
  }

  /** Who can be added: active, and not in the group. */
  async #free(type) {
    const all = await this.#asking.attempt(() => this.#all(type));
    const there = new Set(this.#members().map(keyOf));
    return all && all.filter(({ value }) => !there.has(value)).map(({ value, label, note }) => ({ value: value.split(" ")[1], label: note ? `${label} (${note})` : label }));
  }

  /** All who are active, as choices; a value is the key of a member. */
  async #all(type) {
    if (type === "guest") {
      const guests = await allPages(this.#page.wire, "guest.list", "guests", { is_active: true });
      return guests.map(({ id, display_name: label, contact }) => ({ value: `guest ${id}`, label, note: contactWords(contact) || "guest" }));
    }
    const patients = await activePatients(this.#page.wire);
    return patients.map((patient) => ({ value: `patient ${patient.id}`, label: patientName(patient) }));
  }
}
