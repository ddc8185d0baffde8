/** Who took part in an encounter. */

import { h, say } from "../dom.js";
import { toPlace } from "../route.js";

export class Attendees {
  #page;
  #title = h("h3", { id: "attendees-title" });
  #words = h("p", { class: "quiet" });
  #list = h("ul", { class: "names plain", "aria-labelledby": "attendees-title" });
  element = h("section", { id: "attendees", "aria-labelledby": "attendees-title" });

  constructor(page) {
    this.#page = page;
    this.element.append(h("header", { class: "head" }, this.#title), this.#words, this.#list);
  }

  show({ encounter, participants }) {
    this.element.hidden = encounter.subject_type === "patient";
    say(this.#title, `Attendees: ${participants.length}`);
    say(this.#words, participants.length ? "Who was on the group’s roster at the time." : "Nobody was on the group’s roster at the time.");
    this.#list.hidden = participants.length === 0;
    this.#list.replaceChildren(...participants.map((one) => this.#entry(one)));
  }

  #entry({ participant_type: type, patient_id: patient, name }) {
    const called = h("bdi", {}, name);
    const may = patient && this.#page.me.permissions.includes("patient.read");
    return h("li", {}, h("span", {}, may ? h("a", { href: toPlace("patients", patient) }, called) : called, type === "guest" && h("span", { class: "tag" }, "Guest")));
  }
}

/** Participants as options of a <select>; the value names the parameter and the id: "patient_id pa_…". */
export function participantOptions(participants) {
  return participants.map(({ participant_type: type, patient_id: patient, guest_id: guest, name }) => ({
    value: `${type}_id ${patient ?? guest}`,
    label: type === "guest" ? `${name} (guest)` : name,
  }));
}

/** The parameters that name whom such a value stands for; none for any other. */
export function participantParams(value, { typed = true } = {}) {
  if (!value?.includes(" ")) return {};
  const [parameter, id] = value.split(" ");
  return { [parameter]: id, ...(typed && { participant_type: parameter.replace("_id", "") }) };
}
