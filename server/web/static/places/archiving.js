/** Archiving a team member: the dialog that says beforehand what it would change, and why it may be refused. */

import { h } from "../dom.js";
import { showDialog } from "../parts/dialog.js";
import { nameOfPerson, patientName } from "../people.js";
import { channelTitle, listed, plural, roleName } from "../words.js";

/** Resolves to true when it was asked for. */
export async function archiveTeamMember(page, member, colleagues) {
  const content = (close) => [new Archiving(page, member, colleagues, close).form];
  const words = `${member.name} is signed out at once. Then their channels are handed over, all of them or none.`;
  return (await showDialog({ title: `Archive ${member.name}?`, words, content })) === true;
}

class Archiving {
  #page;
  #member;
  #preview = null;
  #turn = 0; // rises with each look, so that an older answer is ignored
  #successor;
  #told = h("div", { class: "preview", role: "status" });
  #note = h("p", { class: "failure", role: "alert" });
  #send = h("button", { type: "submit", class: "primary" }, "Archive");

  constructor(page, member, colleagues, close) {
    this.#page = page;
    this.#member = member;
    const options = colleagues.map(({ id, name, role }) => h("option", { value: id }, `${name} (${roleName(role)})`));
    this.#successor = h("select", { id: "successor" }, h("option", { value: "" }, "Nobody"), ...options);
    this.#successor.addEventListener("change", () => this.#look());
    const cancel = h("button", { type: "button", onclick: () => close() }, "Cancel");
    this.form = h(
      "form",
      { class: "form" },
      h("div", { class: "field" }, h("label", { for: "successor" }, "Who takes over patients and groups"), this.#successor),
      this.#told,
      this.#note,
      h("p", { class: "buttons" }, cancel, this.#send),
    );
    this.form.addEventListener("submit", (event) => this.#submit(event, close));
    this.#look();
  }

  get #params() {
    return { team_member_id: this.#member.id, ...(this.#successor.value && { successor_id: this.#successor.value }) };
  }

  async #look() {
    const turn = ++this.#turn;
    this.#ready(null);
    this.#told.replaceChildren("Looking at what would change…");
    this.#note.textContent = "";
    try {
      const preview = await this.#page.wire.rpc("team_member.archive_preview", this.#params);
      const lines = await this.#lines(preview);
      if (turn !== this.#turn) return;
      this.#told.replaceChildren(...lines);
      this.#ready(preview);
    } catch (error) {
      if (!error.code) throw error;
      if (turn !== this.#turn) return;
      this.#told.replaceChildren();
      this.#note.textContent = error.message;
    }
  }

  #ready(preview) {
    this.#preview = preview;
    this.#send.setAttribute("aria-disabled", String(!preview || preview.unstaffed.length > 0));
  }

  async #submit(event, close) {
    event.preventDefault();
    if (this.#send.getAttribute("aria-disabled") === "true") return;
    this.#send.setAttribute("aria-disabled", "true");
    try {
      await this.#page.wire.rpc("team_member.archive", { ...this.#params, preview: this.#preview.preview });
      close(true);
    } catch (error) {
      if (!error.code) throw error;
      const { message } = error;
      await this.#look(); // the situation may have moved: what stands here is new then
      this.#note.textContent = message;
    }
  }

  /** What would change, in sentences. */
  async #lines({ leaves, handovers, unstaffed, patients, groups, successor_id: successor }) {
    const { name } = this.#member;
    const heir = successor && (await nameOfPerson(this.#page.wire, successor));
    const lines = [leaves.length ? `${name} leaves ${plural(leaves.length, "channel")}.` : `${name} is in no channel.`, ...(await this.#handovers(handovers))];
    if (patients.length) lines.push(await this.#patients(patients, heir));
    if (groups.length) lines.push(heir ? `${heir} becomes facilitator of ${plural(groups.length, "group")}.` : `${plural(groups.length, "group")} will have no facilitator.`);
    const found = [h("ul", {}, ...lines.map((words) => h("li", { dir: "auto" }, words)))];
    if (unstaffed.length) found.unshift(this.#unstaffed(unstaffed));
    return found;
  }

  async #handovers(handovers) {
    const counts = new Map(); // who → how many channels
    for (const { team_member_ids: ids } of handovers) {
      const names = await Promise.all(ids.map((id) => nameOfPerson(this.#page.wire, id)));
      counts.set(listed(names), (counts.get(listed(names)) ?? 0) + 1);
    }
    return [...counts].map(([who, count]) => `${who} takes over ${plural(count, "channel")} that would have nobody of the team, with what is unread.`);
  }

  async #patients(ids, heir) {
    const few = this.#page.me.permissions.includes("patient.read") ? ids.slice(0, 5) : [];
    const names = await Promise.all(few.map(async (id) => patientName(await this.#page.wire.rpc("patient.get", { patient_id: id }))));
    if (names.length && ids.length > names.length) names.push(`${ids.length - names.length} more`);
    const who = names.length ? `: ${listed(names, 6)}` : "";
    return heir ? `${heir} becomes allocation clinician of ${plural(ids.length, "patient")}${who}.` : `${plural(ids.length, "patient")} will need another allocation clinician${who}.`;
  }

  #unstaffed(ids) {
    const known = ids.map((id) => this.#page.channels.get(id)).filter(Boolean);
    const names = known.length ? ` (${listed(known.map((channel) => channelTitle(channel, "staff")))})` : "";
    const words = `${this.#member.name} cannot be archived: nobody would be left in ${plural(ids.length, "channel")} with a patient${names}.`;
    return h("p", { class: "attention" }, words, " Name somebody who takes over, set a safety net under Administration, or add a colleague to the channels first.");
  }
}
