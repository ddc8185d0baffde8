/** "Groups" on a patient's profile: those that they are in and were in, also as a guest, before they were a patient. */

import { h } from "../dom.js";
import { toPlace } from "../route.js";
import { dateOf } from "../time.js";
import { Asking } from "./asking.js";
import { TYPES } from "./words.js";

/** A section of a profile: `{element, open(patientId)}`; the element is hidden for who may not see groups. */
export class PatientsGroups {
  #page;
  #asking;
  #list = h("ul", { class: "plain lines", "aria-labelledby": "patients-groups-title" });
  #nothing = h("p", { class: "quiet", hidden: true }, "They are in no group, and never were.");
  element = h("section", { id: "patients-groups", class: "panel roster", "aria-labelledby": "patients-groups-title" });

  constructor(page) {
    this.#page = page;
    this.#asking = new Asking(page.wire);
    const title = h("h3", { id: "patients-groups-title" }, "Groups");
    this.element.append(title, this.#asking.element, this.#list, this.#nothing);
    this.element.hidden = !page.me.permissions.includes("group.read");
  }

  draw() {
    this.#asking.again();
  }

  async open(patientId) {
    if (this.element.hidden) return;
    this.#list.replaceChildren();
    this.#nothing.hidden = true;
    const ask = () => this.#page.wire.rpc("patient.groups", { patient_id: patientId });
    await this.#asking.fetch("Loading groups…", ask, ({ groups }) => {
      this.#list.hidden = groups.length === 0;
      this.#nothing.hidden = groups.length > 0;
      this.#list.replaceChildren(...groups.map(entryOf));
    });
  }
}

function entryOf({ group_id: id, name, type, group_status: status, group_member_id: row, member_type: as, status: state, joined_at: joined, left_at: left }) {
  const span = state === "left" ? `From ${dateOf(joined)} to ${dateOf(left)}` : `Since ${dateOf(joined)}`;
  const tag = state === "left" ? "Left" : status === "archived" ? "Archived" : null;
  return h(
    "li",
    { "data-group-member-id": row },
    h(
      "div",
      { class: "who" },
      h("p", { class: "name" }, h("a", { href: toPlace("groups", id) }, h("bdi", {}, name)), tag && h("span", { class: "tag" }, tag)),
      h("p", { class: "what" }, `${TYPES[type]} · ${span}${as === "guest" ? " · as a guest" : ""}`),
    ),
  );
}
