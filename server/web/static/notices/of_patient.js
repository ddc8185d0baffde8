/** How a patient is told of messages, for staff: the same switches that the patient has, with who changed them and when. */

import { h } from "../dom.js";
import { panel } from "../places/view.js";
import { Switches } from "./switches.js";
import { quietWords } from "./words.js";

const HINTS = {
  push: "On every device where the patient has turned them on.",
  unread_email: "When a message has stayed unread for a few minutes.",
};

export class PatientsNotices {
  #page;
  #patient = null;
  #switches;
  #quiet = h("p", { class: "quiet" });
  element;

  constructor(page) {
    this.#page = page;
    const set = page.me.permissions.includes("patient.create") ? (values) => this.#set(values) : null;
    this.#switches = new Switches({ me: page.me.person.id, hints: HINTS, set });
    this.element = panel("Notifications", h("p", { class: "quiet" }, "What is sent never says who wrote, or what. The patient sees who changed a switch."), this.#switches.element, this.#quiet);
  }

  /** Fetches what holds for a patient. */
  async open(patient) {
    this.#patient = patient;
    try {
      this.#draw(patient, await this.#page.wire.rpc("patient.preferences", { patient_id: patient }));
    } catch (error) {
      if (!error.code) throw error;
      this.#quiet.textContent = error.message;
    }
  }

  async #set(values) {
    const patient = this.#patient;
    this.#draw(patient, await this.#page.wire.rpc("patient.set_preferences", { patient_id: patient, ...values }));
  }

  #draw(patient, settings) {
    if (patient !== this.#patient) return;
    this.#switches.draw(settings);
    this.#quiet.textContent = settings.quiet ? `Quiet hours, set by the patient: ${quietWords(settings.quiet)}` : "";
  }
}
