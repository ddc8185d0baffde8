/** One patient, for staff: names, who is responsible, whether their channels are activated, what other patients see of them. */

import { h } from "../dom.js";
import { choicesOf, NewChannel } from "../new_channel.js";
import { PatientsNotices } from "../notices/of_patient.js";
import { ask } from "../parts/form.js";
import { nameOfPerson, patientName, teamMembers } from "../people.js";
import { toChannel, toPlace } from "../route.js";
import { PatientsGroups } from "../roster/of_patient.js";
import { roleName } from "../words.js";
import { attention, button, buttons, facts, panel, View } from "./view.js";

const KINDS = [
  { kind: "care_team", name: "Care team" },
  { kind: "service_team", name: "Service team" },
];

export class PatientProfile extends View {
  #id = null;
  #patient = null;
  #groups = [];
  #clinician = "";
  #roster;
  #notices;
  #channels = ""; // which of the patient's channels are mine, when last drawn

  constructor(page) {
    super("patient", page);
    this.#roster = new PatientsGroups(page);
    this.#notices = new PatientsNotices(page);
    const arrow = h("span", { "aria-hidden": "true" }, "‹ ");
    this.element.prepend(h("p", { class: "up" }, h("a", { href: toPlace("patients") }, arrow, "All patients")));
  }

  async open(id) {
    if (id !== this.#id) this.#clear(id);
    await Promise.all([this.#fetch(), this.#roster.open(id), this.#notices.open(id)]);
  }

  /** My channels have changed: a worker may have activated one. */
  draw() {
    this.#roster.draw();
    if (this.#patient && this.#mineNow() !== this.#channels) this.#fetch(this.words.textContent);
  }

  #clear(id) {
    this.#id = id;
    this.#patient = null;
    this.title.textContent = "Patient";
    this.say("Loading…");
    this.fill();
  }

  #fetch(done = "") {
    return this.attempt(async () => {
      const id = this.#id;
      const [patient, { patient_groups: groups }] = await Promise.all([this.rpc("patient.get", { patient_id: id }), this.rpc("patient_group.list")]);
      const clinician = await nameOfPerson(this.page.wire, patient.allocation_clinician_id);
      if (id !== this.#id) return;
      [this.#patient, this.#groups, this.#clinician] = [patient, groups, clinician];
      this.#draw();
    }, done);
  }

  #mine() {
    return this.page.channels.sections({ hidden: true }).flatMap(({ channels }) => channels).filter(({ patient }) => patient?.id === this.#id);
  }

  #mineNow() {
    return this.#mine().map(({ id, status, name }) => `${id} ${status} ${name}`).join();
  }

  #draw() {
    this.#channels = this.#mineNow();
    this.title.textContent = patientName(this.#patient);
    this.fill(this.#about(), this.#ofChannels(), this.#shown(), this.#notices.element, this.#roster.element, this.may("patient.archive") && this.#closing());
  }

  #about() {
    const { legal_name: legal, preferred_name: preferred, email, status, needs_reassignment: needs } = this.#patient;
    const group = this.#groups.find(({ id }) => id === this.#patient.patient_group_id)?.name ?? "";
    return panel(
      "Record",
      needs && status === "active" && attention(`${this.#clinician} is archived. This patient needs another allocation clinician.`),
      facts([
        ["Legal name", legal],
        preferred && ["Preferred name", preferred],
        ["Email", email],
        ["Allocation clinician", this.#clinician + (needs ? " (archived)" : "")],
        ["Patient group", group],
        ["Status", status === "active" ? "Active" : "Archived: reads only, cannot write"],
      ]),
      this.may("patient.create") && buttons(button("Change", () => this.#change())),
    );
  }

  #ofChannels() {
    const mine = this.#mine();
    const staff = mine.filter(({ kind }) => kind === "staff");
    const entry = ({ id, name, status }) => h("li", {}, h("a", { href: toChannel(id), dir: "auto" }, name), status === "archived" ? h("span", { class: "tag" }, "Archived") : null);
    return panel(
      "Channels",
      h("p", { class: "quiet" }, "What is written in a channel, and who is in it, is shown to its members only."),
      h("ul", { class: "plain lines" }, ...KINDS.map((one) => this.#channel(one, mine.find(({ kind }) => kind === one.kind)))),
      h("h4", {}, "Staff channels that you are in"),
      staff.length ? h("ul", { class: "plain lines" }, ...staff.map(entry)) : h("p", { class: "quiet" }, "None."),
      buttons(button("New staff channel", () => new NewChannel(this.page, null).staff(this.#patient))),
    );
  }

  /** One of the two channels: only whether it is activated, and what one can do about it. */
  #channel({ kind, name }, mine) {
    const status = this.#patient[kind];
    const words = { none: "Not activated", active: mine ? "Active; you are in it" : "Active; you are not in it", archived: "Archived" }[status];
    const of = h("span", { class: "unseen" }, ` (${name.toLowerCase()})`);
    const act = () => {
      if (mine) return h("a", { class: "button", href: toChannel(mine.id) }, "Open", of);
      if (status === "active") return h("button", { type: "button", onclick: () => this.#askToJoin(kind, name) }, "Ask to join", of);
      if (status === "none" && this.#patient.status === "active") return h("button", { type: "button", onclick: () => this.#activate(kind, name) }, "Activate", of);
      return null;
    };
    return h("li", { "data-kind": kind }, h("p", {}, h("strong", {}, name), h("br"), h("span", { class: "quiet" }, words)), act());
  }

  #shown() {
    const { display_name: shown, preferred_name: preferred, legal_name: legal } = this.#patient;
    return panel(
      "Profile",
      h("p", { class: "quiet" }, "What other patients see in group channels. Patients choose it themselves; real names are never shown to other patients."),
      facts([["Display name", shown ?? "None chosen: other patients see “Group member”"], ["Team members see", shown ? `${preferred ?? legal} (${shown})` : (preferred ?? legal)]]),
      this.may("patient.create") && this.#patient.status === "active" && buttons(button("Change display name", () => this.#rename())),
    );
  }

  #closing() {
    const active = this.#patient.status === "active";
    return panel(
      active ? "Archive" : "Unarchive",
      buttons(active ? button("Archive this patient", () => this.#archive()) : button("Unarchive this patient", () => this.#unarchive())),
    );
  }

  // ---- what one does

  async #change() {
    const team = await this.attempt(() => teamMembers(this.page.wire));
    if (!team) return;
    const patient = this.#patient;
    const clinicians = team.map(({ id, name, role }) => ({ value: id, label: `${name} (${roleName(role)})`, chosen: id === patient.allocation_clinician_id }));
    const options = patient.needs_reassignment ? [{ value: "", label: "Choose another one", chosen: true }, ...clinicians] : clinicians;
    const groups = this.#groups.map(({ id, name }) => ({ value: id, label: name, chosen: id === patient.patient_group_id }));
    const changed = await ask({
      title: "Change the record",
      fields: [
        { name: "legal_name", label: "Legal name", required: true, value: patient.legal_name },
        { name: "preferred_name", label: "Preferred name", value: patient.preferred_name ?? "" },
        { name: "allocation_clinician_id", label: "Allocation clinician", options, required: true },
        { name: "patient_group_id", label: "Patient group", options: groups, required: true },
      ],
      submit: "Save",
      run: ({ preferred_name: preferred = null, ...values }) => this.rpc("patient.update", { patient_id: patient.id, preferred_name: preferred, ...values }),
    });
    if (changed) await this.#fetch("Saved.");
  }

  async #rename() {
    const done = await ask({
      title: "Display name",
      words: "Empty: other patients see “Group member”.",
      fields: [{ name: "display_name", label: "Display name", value: this.#patient.display_name ?? "" }],
      submit: "Save",
      run: ({ display_name: name = null }) => this.rpc("patient.show_as", { patient_id: this.#patient.id, display_name: name }),
    });
    if (done) await this.#fetch("Saved.");
  }

  async #activate(kind, name) {
    const team = await this.attempt(() => teamMembers(this.page.wire));
    if (!team) return;
    const done = await ask({
      title: `Activate the ${name.toLowerCase()} channel`,
      words: "Choose who of the team is in it. They and the patient read everything in it.",
      fields: [{ name: "team_member_ids", label: "Team members", choices: choicesOf(team, [this.page.me.person.id]), required: true }],
      submit: "Activate",
      run: (values) => this.rpc("channel.activate", { patient_id: this.#id, kind, ...values }),
    });
    if (!done) return;
    await this.page.channels.refresh();
    await this.#fetch("The channel is active.");
  }

  async #askToJoin(kind, name) {
    const words = "Its team sees your question in the channel and can add you. The patient does not see it.";
    const ask = () => this.rpc("channel.ask_to_join", { patient_id: this.#id, kind });
    await this.confirm({ title: `Ask to join the ${name.toLowerCase()} channel?`, words, yes: "Ask" }, ask, "The team has been asked.");
  }

  async #archive() {
    const words = "They are signed out. They can sign in again and read, and write no more. Their care team and service team channels are archived, and they leave every group. They are told how else to reach you.";
    const archived = await this.confirm({ title: "Archive this patient?", words, yes: "Archive" }, () => this.rpc("patient.archive", { patient_id: this.#id }));
    if (archived) await this.#fetch("The patient is archived.");
  }

  async #unarchive() {
    const words = "They can write again, and their care team and service team channels open again. They do not come back into groups by themselves.";
    const back = await this.confirm({ title: "Unarchive this patient?", words, yes: "Unarchive" }, () => this.rpc("patient.unarchive", { patient_id: this.#id }));
    if (back) await this.#fetch("The patient is active again.");
  }
}
