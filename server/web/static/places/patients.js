/** The patients of the organisation: a list, a new one, and the way into a care-team channel. */

import { h, say } from "../dom.js";
import { emptyState, skeleton } from "../parts/empty.js";
import { ask } from "../parts/form.js";
import { KeyedList } from "../parts/keyed.js";
import { toChannel, toPlace } from "../route.js";
import { teamMembers } from "../people.js";
import { roleName } from "../words.js";
import { PatientProfile } from "./patient.js";

const PAGE = 50;

export const patients = {
  name: "patients",
  label: "Patients",
  may: ({ permissions }) => permissions.includes("patient.read"),
  make: (page) => new Place(page),
};

/** The list, or one patient where the address names one. */
class Place {
  #list;
  #profile;
  #shown;
  element = h("div", { class: "with-profile" });

  constructor(page) {
    this.#list = new Patients(page);
    this.#profile = new PatientProfile(page);
    this.element.append(this.#list.element, this.#profile.element);
  }

  open(id) {
    this.#shown = id ? this.#profile : this.#list;
    for (const view of [this.#list, this.#profile]) view.element.hidden = view !== this.#shown;
    return this.#shown.open(id);
  }

  draw() {
    this.#shown?.draw();
  }

  focus() {
    this.#shown.focus();
  }
}

class Patients {
  #page;
  #shown = null; // null: not fetched yet
  #more = false;
  #title = h("h2", { id: "patients-title", tabindex: -1 }, "Patients");
  #new = h("button", { type: "button", id: "new-patient", class: "primary", onclick: () => this.#create() }, "New patient");
  #words = h("p", { id: "patients-words", role: "status" });
  #list = h("ul", { id: "patient-list", class: "plain" });
  #nothing = h("div");
  #entries = new KeyedList({
    root: this.#list,
    look: (patient) => JSON.stringify([patient, this.#mine(patient.id)]),
    make: (patient) => this.#entry(patient),
  });
  #next = h("button", { type: "button", id: "more-patients", hidden: true }, "Show more");
  element = h("section", { id: "patients", class: "view", "aria-labelledby": "patients-title" });

  constructor(page) {
    this.#page = page;
    this.#next.addEventListener("click", () => this.#fetch(this.#shown.at(-1)?.id));
    this.#new.hidden = !this.#mayCreate;
    const head = h("header", { class: "head" }, this.#title, this.#new);
    this.element.append(head, this.#words, this.#list, this.#nothing, this.#next);
  }

  get #mayCreate() {
    return this.#page.me.permissions.includes("patient.create");
  }

  focus() {
    this.#title.focus();
  }

  /** My channels have changed: what one can do with a patient may have too. */
  draw() {
    if (this.#shown) this.#draw();
  }

  /** The view has come up: what is shown is fetched anew. */
  open() {
    return this.#fetch();
  }

  async #fetch(after) {
    if (!this.#shown) {
      say(this.#words, "Loading patients…");
      this.#list.replaceChildren(...skeleton());
    }
    try {
      const { patients, more } = await this.#page.wire.rpc("patient.list", { limit: PAGE, ...(after && { after }) });
      this.#shown = after ? [...this.#shown, ...patients] : patients;
      this.#more = more;
      say(this.#words, "");
    } catch (error) {
      if (!error.code) throw error;
      say(this.#words, error.message);
    }
    this.#draw();
  }

  #draw() {
    this.#entries.draw(this.#shown ?? []);
    this.#nothing.replaceChildren(...(this.#shown?.length === 0 ? [this.#empty()] : []));
    this.#next.hidden = !this.#more;
  }

  #empty() {
    const action = this.#mayCreate ? { words: "New patient", run: () => this.#create() } : null;
    return emptyState({ title: "No patients yet", words: "Patients of your clinic stand here.", action });
  }

  #entry(patient) {
    const { id, email, status } = patient;
    const isNeeding = status === "active" && patient.needs_reassignment;
    const needs = isNeeding ? h("span", { class: "tag" }, "Needs an allocation clinician") : null;
    const archived = status === "archived" ? h("span", { class: "tag" }, "Archived") : null;
    return h(
      "li",
      { "data-patient-id": id },
      h(
        "div",
        { class: "patient-who" },
        h("p", { class: "patient-name" }, ...names(patient), archived, needs),
        h("p", { class: "patient-email" }, email),
      ),
      h("div", { class: "patient-channel" }, ...this.#channel(patient)),
    );
  }

  /** What one can do: open it, know that it is there, or start it. */
  #channel(patient) {
    const mine = this.#mine(patient.id);
    const name = h("span", { class: "unseen" }, ` of ${patient.preferred_name ?? patient.legal_name}`);
    if (mine)
      return [
        h("a", { class: "button", href: toChannel(mine) }, "Open care team channel", name),
      ];
    if (patient.care_team === "archived") return [h("p", { class: "quiet" }, "Care team channel archived")];
    if (patient.care_team === "active")
      return [h("p", { class: "quiet" }, "Care team channel active; you are not in it")];
    if (patient.status === "archived") return [];
    const activate = () => this.#activate(patient);
    return [h("button", { type: "button", onclick: activate }, "Activate care team channel", name)];
  }

  /** The id of the patient's care-team channel, when I am in it. */
  #mine(patientId) {
    const all = this.#page.channels.sections().flatMap(({ channels }) => channels);
    return all.find(({ kind, patient }) => kind === "care_team" && patient?.id === patientId)?.id;
  }

  async #activate(patient) {
    const team = await this.#team();
    if (!team) return;
    const me = this.#page.me.person.id;
    const choices = team.map(({ id, name, role }) => ({
      value: id,
      label: `${name} (${roleName(role)})`,
      chosen: id === me,
    }));
    const result = await ask({
      title: `Care team channel of ${patient.preferred_name ?? patient.legal_name}`,
      words: "Choose who of the team is in it. They and the patient read everything in it.",
      fields: [{ name: "team_member_ids", label: "Team members", choices, required: true }],
      submit: "Activate",
      run: (values) => this.#page.wire.rpc("channel.activate", { patient_id: patient.id, ...values }),
    });
    if (!result) return;
    await this.#page.channels.refresh();
    await this.#fetch();
    if (result.channel_id && this.#page.channels.get(result.channel_id)) return (location.hash = toChannel(result.channel_id));
    say(this.#words, result.created ? "The channel is active." : "The channel was active already.");
  }

  async #create() {
    const team = await this.#team();
    if (!team) return;
    const me = this.#page.me.person.id;
    const options = team.map(({ id, name, role }) => ({
      value: id,
      label: `${name} (${roleName(role)})`,
      chosen: id === me,
    }));
    const groups = (await this.#groups()).map(({ id, name, is_default: chosen }) => ({ value: id, label: name, chosen }));
    const patient = await ask({
      title: "New patient",
      fields: [
        { name: "legal_name", label: "Legal name", required: true },
        { name: "preferred_name", label: "Preferred name (if another)" },
        { name: "email", label: "Email", type: "email", required: true },
        { name: "allocation_clinician_id", label: "Allocation clinician", options, required: true },
        ...(groups.length > 1 ? [{ name: "patient_group_id", label: "Patient group", options: groups, required: true }] : []),
      ],
      submit: "Create patient",
      run: (values) => this.#page.wire.rpc("patient.create", values),
    });
    if (!patient) return;
    await this.#fetch();
    say(this.#words, `${patient.preferred_name ?? patient.legal_name} was created.`);
  }

  /** Without them, a new patient is in the default group. */
  async #groups() {
    try {
      return (await this.#page.wire.rpc("patient_group.list")).patient_groups;
    } catch (error) {
      if (!error.code) throw error;
      return [];
    }
  }

  async #team() {
    try {
      return await teamMembers(this.#page.wire);
    } catch (error) {
      if (!error.code) throw error;
      say(this.#words, error.message);
      return null;
    }
  }
}

/** Every name a patient goes by, the one to call them by first. */
function names({ id, legal_name: legal, preferred_name: preferred, display_name: display }) {
  const others = [];
  if (preferred && preferred !== legal) others.push(`legal name ${legal}`);
  if (display && display !== preferred && display !== legal) others.push(`shown as “${display}”`);
  const note = others.length ? h("span", { class: "quiet" }, " (", h("bdi", {}, others.join(", ")), ")") : null;
  return [h("a", { href: toPlace("patients", id) }, h("bdi", {}, preferred || legal)), note];
}
