/** Which channels begin by themselves when a patient is created, and who is in them; and the same for patients there are already. */

import { h } from "../dom.js";
import { choicesOf } from "../new_channel.js";
import { showDialog } from "../parts/dialog.js";
import { ask } from "../parts/form.js";
import { nameOfPerson, teamMembers } from "../people.js";
import { plural } from "../words.js";
import { attention, buttons, facts, panel, View } from "./view.js";

const NAMES = { care_team: "Care team", service_team: "Service team" };
const AUTOMATIC = "Activate it when a patient is created";
const CLINICIAN = "Add the patient’s allocation clinician";

export class ActivationRules extends View {
  #names = new Map();

  constructor(page) {
    super("activation-rules", page);
    this.title.textContent = "Message Centre Activation Rules";
  }

  open() {
    return this.#fetch();
  }

  #fetch(done = "") {
    return this.attempt(async () => {
      const { rules } = await this.rpc("activation_rule.list");
      for (const id of rules.flatMap(({ team_member_ids: ids }) => ids)) this.#names.set(id, await nameOfPerson(this.page.wire, id));
      this.fill(
        h("p", { class: "quiet" }, "A rule counts for patients who are created from now on. For patients there are already, apply it once by hand."),
        ...rules.map((rule) => this.#rule(rule)),
      );
    }, done);
  }

  #rule(rule) {
    const { kind, automatic, include_allocation_clinician: clinician, team_member_ids: ids, needs_attention: needs } = rule;
    const who = ids.map((id) => this.#names.get(id));
    const of = h("span", { class: "unseen" }, ` (${NAMES[kind].toLowerCase()})`);
    const act = (words, run) => h("button", { type: "button", onclick: run }, words, of.cloneNode(true));
    return panel(
      NAMES[kind],
      needs && attention("Needs attention: nobody whom this rule names is active any more. New patients’ channels go to whoever is next in line."),
      facts([
        ["When a patient is created", automatic ? "The channel is activated" : "Nothing happens: the channel is activated by hand"],
        ["Who is added", [...who, clinician ? "the patient’s allocation clinician" : null].filter(Boolean).join(", ") || "Nobody is named"],
      ]),
      buttons(act("Change", () => this.#change(rule)), act("Apply to existing patients", () => this.#backfill(kind))),
    );
  }

  async #change({ kind, automatic, include_allocation_clinician: clinician, team_member_ids: ids }) {
    const team = await this.attempt(() => teamMembers(this.page.wire));
    if (!team) return;
    const how = [
      { value: "automatic", label: AUTOMATIC, chosen: automatic },
      { value: "clinician", label: CLINICIAN, chosen: clinician },
    ];
    const done = await ask({
      title: `${NAMES[kind]}: activation rule`,
      fields: [
        { name: "how", label: "What happens", choices: how },
        { name: "team_member_ids", label: "Which team members are added", choices: choicesOf(team, ids) },
      ],
      submit: "Save",
      run: ({ how: chosen = [], team_member_ids: people = [] }) =>
        this.rpc("activation_rule.set", {
          kind,
          automatic: chosen.includes("automatic"),
          include_allocation_clinician: chosen.includes("clinician"),
          team_member_ids: people,
        }),
    });
    if (done) await this.#fetch("Saved.");
  }

  /** First whom it would touch, and only then the thing itself. */
  async #backfill(kind) {
    const dry = await this.attempt(() => this.rpc("activation_rule.backfill", { kind, dry_run: true }));
    if (!dry) return;
    const { patients, total } = dry;
    const unnamed = total - patients.length;
    const title = `${NAMES[kind]}: apply to existing patients`;
    const close = (done) => h("button", { type: "button", onclick: () => done(false) }, total ? "Cancel" : "Close");
    const yes = (done) => h("button", { type: "button", class: "primary", onclick: () => done(true) }, `Activate for ${plural(total, "patient")}`);
    const list = h("ul", { class: "dry-run", tabindex: 0, "aria-label": "Patients" }, ...patients.map(({ name }) => h("li", { dir: "auto" }, name)), unnamed && patients.length ? h("li", {}, `and ${unnamed} more`) : null);
    const words = total
      ? `${plural(total, "active patient")} without such a channel. Each gets one, with whom the rule names.`
      : "Every active patient has this channel already. There is nothing to do.";
    const content = (done) => [patients.length ? list : null, h("p", { class: "buttons" }, close(done), total ? yes(done) : null)].filter(Boolean);
    if (!(await showDialog({ title, words, content }))) return;
    const run = () => this.rpc("activation_rule.backfill", { kind, dry_run: false });
    await this.attempt(run, `Begun for ${plural(total, "patient")}. It goes on by itself.`);
  }
}
