/** The team: who is in it and in which role, new ones, and the way out, with what it would change. */

import { h } from "../dom.js";
import { ask } from "../parts/form.js";
import { nameOfPerson } from "../people.js";
import { momentOf } from "../time.js";
import { plural, roleName } from "../words.js";
import { archiveTeamMember } from "./archiving.js";
import { permissionName } from "./roles.js";
import { button, buttons, panel, View } from "./view.js";

const AGAIN = 1000; // ms between two looks at a request that is being carried out
const SHOWN = 10;

export const team = {
  name: "team",
  label: "Team",
  may: ({ permissions }) => permissions.includes("team.manage"),
  make: (page) => new Team(page),
};

class Team extends View {
  #members = [];
  #requests = [];
  #roles = [];
  #names = new Map();
  #timer = null;

  constructor(page) {
    super("team", page);
    this.title.textContent = "Team";
    this.head.append(button("New team member", () => this.#create(), { class: "primary", id: "new-team-member" }));
  }

  open() {
    if (!this.#members.length) this.say("Loading the team…");
    return this.#fetch();
  }

  draw() {}

  #fetch(done = "") {
    return this.attempt(async () => {
      const [members, { archivings }, { roles, vocabulary }] = await Promise.all([this.#everyone(), this.rpc("team_member.archivings", { limit: SHOWN }), this.rpc("role.list")]);
      [this.#members, this.#requests, this.#roles] = [members, archivings, roles];
      this.vocabulary = vocabulary;
      for (const { requested_by: person } of archivings) if (person) this.#names.set(person, await nameOfPerson(this.page.wire, person));
      this.#draw();
    }, done);
  }

  async #everyone() {
    const found = [];
    for (let after, more = true; more; after = found.at(-1).id) {
      const page = await this.rpc("team_member.list", { limit: 200, ...(after && { after }) });
      found.push(...page.team_members);
      more = page.more && page.team_members.length > 0;
    }
    return found;
  }

  #draw() {
    const active = this.#members.filter(({ status }) => status === "active");
    const archived = this.#members.filter(({ status }) => status !== "active");
    this.fill(
      this.#requests.length > 0 && panel("Archiving", h("ul", { class: "plain lines", id: "archivings" }, ...this.#requests.map((one) => this.#request(one)))),
      panel(plural(active.length, "team member"), h("ul", { class: "plain lines" }, ...active.map((one) => this.#entry(one)))),
      archived.length > 0 && panel("Archived", h("ul", { class: "plain lines" }, ...archived.map((one) => this.#entry(one)))),
    );
    this.#lookAgain();
  }

  /** While a request is being carried out, its outcome is asked for: nothing is pushed to this page about it. */
  #lookAgain() {
    clearTimeout(this.#timer);
    const pending = this.#requests.some(({ status }) => status === "pending");
    if (pending) this.#timer = setTimeout(() => !this.element.hidden && this.#fetch(this.words.textContent), AGAIN);
  }

  #entry(member) {
    const { id, name, role, email, status, archiving, extra_permissions: extra } = member;
    const of = h("span", { class: "unseen" }, ` ${name}`);
    const act = (words, run) => h("button", { type: "button", class: "small", onclick: run }, words, of.cloneNode(true));
    return h(
      "li",
      { "data-person-id": id },
      h(
        "div",
        { class: "patient-who" },
        h("p", { class: "patient-name" }, h("bdi", {}, name), archiving ? h("span", { class: "tag" }, "Being archived") : null),
        h("p", { class: "patient-email" }, [roleName(role), email].join(" · ")),
        extra.length ? h("p", { class: "patient-email" }, `Also may: ${extra.map(permissionName).join(", ")}`) : null,
      ),
      h(
        "div",
        { class: "row" },
        status === "active" && !archiving ? [act("Change", () => this.#change(member)), act("Archive", () => this.#archive(member))].map((one) => one) : "",
        status === "archived" ? act("Unarchive", () => this.#unarchive(member)) : "",
      ),
    );
  }

  #request({ team_member_id: person, status, why, requested_at: at, requested_by: by }) {
    const name = this.#members.find(({ id }) => id === person)?.name ?? "A team member";
    const words = {
      pending: `${name} is being archived. They are signed out already.`,
      done: `${name} is archived. Their channels are in other hands.`,
      refused: `${name} was not archived and can sign in again.`,
    }[status];
    const asked = `Asked for by ${this.#names.get(by) ?? "an operator"}, ${momentOf(at)}`;
    return h(
      "li",
      { "data-status": status },
      h("div", {}, h("p", {}, words), why ? h("p", { class: "failure" }, why) : null, h("p", { class: "patient-email" }, asked)),
    );
  }

  // ---- what one does

  async #create() {
    const options = this.#roles.map(({ name }) => ({ value: name, label: roleName(name), chosen: name === "NURSE" }));
    const made = await ask({
      title: "New team member",
      words: "They sign in the way your clinic signs in, by this email address.",
      fields: [
        { name: "name", label: "Name", required: true },
        { name: "email", label: "Email", type: "email", required: true },
        { name: "role", label: "Role", options, required: true },
      ],
      submit: "Create team member",
      run: (values) => this.rpc("team_member.create", values),
    });
    if (made) await this.#fetch(`${made.name} was created.`);
  }

  async #change({ id, name, role, extra_permissions: extra }) {
    const options = this.#roles.map((one) => ({ value: one.name, label: roleName(one.name), chosen: one.name === role }));
    const choices = this.vocabulary.map((one) => ({ value: one, label: permissionName(one), chosen: extra.includes(one) }));
    const changed = await ask({
      title: "Change a team member",
      fields: [
        { name: "name", label: "Name", required: true, value: name },
        { name: "role", label: "Role", options, required: true },
        { name: "extra_permissions", label: "May also, beside what the role may", choices },
      ],
      submit: "Save",
      run: ({ extra_permissions: chosen = [], ...values }) => this.rpc("team_member.update", { team_member_id: id, ...values, ...(differ(chosen, extra) && { extra_permissions: chosen }) }),
    });
    if (changed) await this.#fetch("Saved.");
  }

  async #archive(member) {
    const colleagues = this.#members.filter(({ id, status, archiving }) => id !== member.id && status === "active" && !archiving);
    if (await archiveTeamMember(this.page, member, colleagues)) await this.#fetch(`${member.name} is being archived.`);
  }

  async #unarchive({ id, name }) {
    const words = "They can sign in again. Channels, patients and groups are not given back by themselves.";
    const back = await this.confirm({ title: `Unarchive ${name}?`, words, yes: "Unarchive" }, () => this.rpc("team_member.unarchive", { team_member_id: id }));
    if (back) await this.#fetch(`${name} is active again.`);
  }
}

const differ = (one, other) => [...one].sort().join() !== [...other].sort().join();
