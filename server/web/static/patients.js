/** The patients of the organisation: a list, a new one, and the way into a care-team channel. */

import { byId, h, say } from "./dom.js";
import { ask } from "./forms.js";
import { roleName } from "./surroundings.js";
import { teamMembers } from "./team.js";

const PAGE = 50;

export class Patients {
  #page;
  #toChannel;
  #shown = [];
  #more = false;

  /** @param toChannel called with a channel id to go there */
  constructor(page, toChannel) {
    this.#page = page;
    this.#toChannel = toChannel;
    byId("more-patients").addEventListener("click", () => this.#fetch(this.#shown.at(-1)?.id));
    byId("new-patient").addEventListener("click", () => this.#create());
    byId("new-patient").hidden = !page.me.permissions.includes("patient.create");
  }

  /** The view has come up: what is shown is fetched anew. */
  open() {
    return this.#fetch();
  }

  async #fetch(after) {
    if (!this.#shown.length) say(byId("patients-words"), "Loading patients…");
    try {
      const { patients, more } = await this.#page.wire.rpc("patient.list", { limit: PAGE, ...(after && { after }) });
      this.#shown = after ? [...this.#shown, ...patients] : patients;
      this.#more = more;
      say(byId("patients-words"), this.#shown.length ? "" : "There are no patients yet.");
    } catch (error) {
      if (!error.code) throw error;
      say(byId("patients-words"), error.message);
    }
    this.#draw();
  }

  #draw() {
    byId("patient-list").replaceChildren(...this.#shown.map((patient) => this.#entry(patient)));
    byId("more-patients").hidden = !this.#more;
  }

  #entry(patient) {
    const { id, email, status } = patient;
    const archived = status === "archived" ? h("span", { class: "tag" }, "Archived") : null;
    return h(
      "li",
      { "data-patient-id": id },
      h(
        "div",
        { class: "patient-who" },
        h("p", { class: "patient-name" }, ...names(patient), archived),
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
        h("a", { class: "button", href: `#/channel/${encodeURIComponent(mine)}` }, "Open care team channel", name),
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
    if (result.channel_id && this.#page.channels.get(result.channel_id)) return this.#toChannel(result.channel_id);
    say(byId("patients-words"), result.created ? "The channel is active." : "The channel was active already.");
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
    const patient = await ask({
      title: "New patient",
      fields: [
        { name: "legal_name", label: "Legal name", required: true },
        { name: "preferred_name", label: "Preferred name (if another)" },
        { name: "email", label: "Email", type: "email", required: true },
        { name: "allocation_clinician_id", label: "Allocation clinician", options, required: true },
      ],
      submit: "Create patient",
      run: (values) => this.#page.wire.rpc("patient.create", values),
    });
    if (!patient) return;
    await this.#fetch();
    say(byId("patients-words"), `${patient.preferred_name ?? patient.legal_name} was created.`);
  }

  async #team() {
    try {
      return await teamMembers(this.#page.wire);
    } catch (error) {
      if (!error.code) throw error;
      say(byId("patients-words"), error.message);
      return null;
    }
  }
}

/** Every name a patient goes by, the one to call them by first. */
function names({ legal_name: legal, preferred_name: preferred, display_name: display }) {
  const others = [];
  if (preferred && preferred !== legal) others.push(`legal name ${legal}`);
  if (display && display !== preferred && display !== legal) others.push(`shown as “${display}”`);
  const note = others.length ? h("span", { class: "quiet" }, " (", h("bdi", {}, others.join(", ")), ")") : null;
  return [h("bdi", {}, preferred || legal), note];
}
