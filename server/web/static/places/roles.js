/** Roles: what each may do. */

import { h } from "../dom.js";
import { ask } from "../parts/form.js";
import { roleName } from "../words.js";
import { buttons, panel, View } from "./view.js";

const NAMES = {
  "patient.read": "See patients’ records",
  "patient.create": "Create and change patients",
  "patient.archive": "Archive patients",
  "team.manage": "Manage the team and roles",
  "settings.manage": "Change settings",
  "audit.read": "Read the access log",
  "messaging.manage": "Messaging Management",
  "group.create": "Create groups and guests",
  "group.read": "See groups",
  "group.update": "Change groups",
  "group.delete": "Archive groups",
  "group.member.add": "Add members to groups",
  "group.member.remove": "Remove members from groups",
  "group.encounter.create": "Start group sessions",
  "group.encounter.read": "See group encounters",
  "group.encounter.note.create": "Write session notes",
  "group.encounter.note.read": "Read session notes",
  "session.manage": "Start sessions",
  "session.manage_all": "Manage everybody’s sessions",
  "session.review": "Review sessions",
  "session.requires_review": "Their sessions are signed by a reviewer",
  "template.manage": "Manage templates",
};

/** What a permission lets one do. */
export const permissionName = (permission) => NAMES[permission] ?? permission;

export class Roles extends View {
  #vocabulary = [];

  constructor(page) {
    super("roles", page);
    this.title.textContent = "Roles";
  }

  open() {
    return this.#fetch();
  }

  #fetch(done = "") {
    return this.attempt(async () => {
      const { roles, vocabulary } = await this.rpc("role.list");
      this.#vocabulary = vocabulary;
      this.fill(h("p", { class: "quiet" }, "What a role may do counts with everybody’s next click. You can give only what you hold yourself."), ...roles.map((role) => this.#role(role)));
    }, done);
  }

  #role(role) {
    const { name, permissions } = role;
    return panel(
      roleName(name),
      h("p", { class: "permissions" }, permissions.map(permissionName).join(" · ") || "Nothing beside messaging."),
      buttons(h("button", { type: "button", onclick: () => this.#change(role) }, "Change", h("span", { class: "unseen" }, ` ${roleName(name)}`))),
    );
  }

  async #change({ name, permissions }) {
    const choices = this.#vocabulary.map((one) => ({ value: one, label: permissionName(one), chosen: permissions.includes(one) }));
    const done = await ask({
      title: `What the role ${roleName(name)} may do`,
      fields: [{ name: "permissions", label: "Permissions", choices }],
      submit: "Save",
      run: ({ permissions: chosen = [] }) => this.rpc("role.update", { name, permissions: chosen }),
    });
    if (done) await this.#fetch("Saved.");
  }
}
