/** "New" above the list of channels: a direct message, a staff channel about a patient, a group. */

import { h } from "./dom.js";
import { ask } from "./parts/form.js";
import { Menu } from "./parts/menu.js";
import { activePatients, patientName, teamMembers } from "./people.js";
import { toChannel } from "./route.js";
import { roleName } from "./words.js";

export class NewChannel {
  #page;

  /** @param place takes the button; without one there is none */
  constructor(page, place) {
    this.#page = page;
    if (!place) return;
    const button = h("button", { type: "button", id: "new-button", class: "small" }, "New");
    new Menu(place, button, () => this.#entries());
  }

  #entries() {
    const may = (permission) => this.#page.me.permissions.includes(permission);
    return [
      { words: "Direct message", run: () => this.#direct() },
      may("patient.read") && { words: "Staff channel about a patient", run: () => this.staff() },
      may("messaging.manage") && { words: "Group channel", run: () => this.#group(may("patient.read")) },
    ].filter(Boolean);
  }

  /** A staff channel; about this patient, when one is given. */
  async staff(about) {
    const [team, patients] = await Promise.all([this.#colleagues(), about ? [about] : activePatients(this.#page.wire)]);
    const options = patients.map((patient) => ({ value: patient.id, label: patientName(patient) }));
    await this.#open({
      title: "New staff channel",
      words: "For team members only. The patient does not see it and is not told that it exists.",
      fields: [
        { name: "patient_id", label: "About", options: about ? options : [{ value: "", label: "Choose a patient" }, ...options], required: true },
        { name: "name", label: "Name", required: true, hint: "What it is for, such as “Discharge planning”" },
        { name: "person_ids", label: "Who else is in it", choices: choicesOf(team) },
      ],
      kind: "staff",
    });
  }

  async #direct() {
    const team = await this.#colleagues();
    await this.#open({
      title: "New direct message",
      words: "Only the people you choose see it, and nobody can be added later. The same people always have the same one.",
      fields: [{ name: "person_ids", label: "With", choices: choicesOf(team), required: true }],
      kind: "direct",
    });
  }

  async #group(withPatients) {
    const [team, patients] = await Promise.all([this.#colleagues(), withPatients ? activePatients(this.#page.wire) : []]);
    const people = patients.map((patient) => ({ value: patient.id, label: patientName(patient) }));
    await this.#open({
      title: "New group channel",
      words: "Patients in it see each other’s display names, never real names, and read everything that is written after they joined.",
      fields: [
        { name: "name", label: "Name", required: true, hint: "Patients see it. Name no illness and nobody." },
        { name: "patients", label: "Patients", choices: people },
        { name: "team", label: "Team members beside you", choices: choicesOf(team) },
      ],
      kind: "group",
    });
  }

  async #colleagues() {
    const me = this.#page.me.person.id;
    return (await teamMembers(this.#page.wire)).filter(({ id }) => id !== me);
  }

  async #open({ kind, ...form }) {
    const { wire, channels } = this.#page;
    const run = ({ patients = [], team = [], person_ids: people = [], ...values }) =>
      wire.rpc("channel.open", { kind, person_ids: [...people, ...patients, ...team], ...values });
    const opened = await ask({ ...form, submit: kind === "direct" ? "Open" : "Create", run });
    if (!opened) return;
    await channels.refresh();
    location.hash = toChannel(opened.channel_id);
  }
}

/** Team members as choices of a field. */
export function choicesOf(team, chosen = []) {
  return team.map(({ id, name, role }) => ({ value: id, label: `${name} (${roleName(role)})`, chosen: chosen.includes(id) }));
}
