/** Patient groups: the team behind each, and the crisis services that their patients are told of. */

import { h } from "../dom.js";
import { choicesOf } from "../new_channel.js";
import { ask } from "../parts/form.js";
import { nameOfPerson, teamMembers } from "../people.js";
import { listed } from "../words.js";
import { button, buttons, facts, panel, View } from "./view.js";

export class PatientGroups extends View {
  constructor(page) {
    super("patient-groups", page);
    this.title.textContent = "Patient groups";
    this.head.append(button("New patient group", () => this.#edit(), { class: "primary" }));
  }

  open() {
    return this.#fetch();
  }

  #fetch(done = "") {
    return this.attempt(async () => {
      const { patient_groups: groups } = await this.rpc("patient_group.list");
      this.fill(...(await Promise.all(groups.map((group) => this.#group(group)))));
    }, done);
  }

  async #group(group) {
    const { name, is_default: isDefault, crisis_services: crisis, team_member_ids: ids } = group;
    const names = await Promise.all(ids.map((id) => nameOfPerson(this.page.wire, id)));
    return panel(
      name,
      isDefault && h("p", { class: "quiet" }, "New patients are in this one unless another is chosen."),
      facts([
        ["Team members, who step in when a patient’s channel would have nobody", listed(names, 20) || "None"],
        ["Crisis services, told where a channel is closed", crisis || "None"],
      ]),
      buttons(h("button", { type: "button", onclick: () => this.#edit(group) }, "Change", h("span", { class: "unseen" }, ` ${name}`))),
    );
  }

  async #edit(group = { name: "", crisis_services: "", team_member_ids: [] }) {
    const team = await this.attempt(() => teamMembers(this.page.wire));
    if (!team) return;
    const params = group.id ? { patient_group_id: group.id } : {};
    const done = await ask({
      title: group.id ? "Change a patient group" : "New patient group",
      fields: [
        { name: "name", label: "Name", required: true, value: group.name },
        { name: "crisis_services", label: "Crisis services", rows: 3, value: group.crisis_services },
        { name: "team_member_ids", label: "Team members", choices: choicesOf(team, group.team_member_ids) },
      ],
      submit: "Save",
      run: ({ crisis_services: crisis = "", team_member_ids: ids = [], ...values }) =>
        this.rpc(group.id ? "patient_group.update" : "patient_group.create", { ...params, ...values, crisis_services: crisis, team_member_ids: ids }),
    });
    if (done) await this.#fetch("Saved.");
  }
}
