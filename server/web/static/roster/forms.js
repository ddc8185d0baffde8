/** Who has answered which form in an encounter, and who has not yet; what they answered is with the form's own program. */

import { h } from "../dom.js";
import { ask } from "../parts/form.js";
import { listed } from "../words.js";
import { rpc } from "./asking.js";
import { participantOptions, participantParams } from "./attendees.js";
import { whenWords } from "./encounter_words.js";

export class Forms {
  #page;
  #changed;
  #id;
  #options = [];
  #title = h("h3", { id: "forms-title", tabindex: -1 }, "Forms");
  #button = h("button", { type: "button", class: "small", onclick: () => this.#record() }, "Record an answer");
  #list = h("ul", { class: "plain", "aria-labelledby": "forms-title" });
  #nothing = h("p", { class: "quiet" }, "Nobody has answered a form yet. Once somebody has, it stands here, with who has not.");
  element = h("section", { id: "forms", "aria-labelledby": "forms-title" });

  constructor({ page, changed }) {
    this.#page = page;
    this.#changed = changed;
    this.element.append(h("header", { class: "head" }, this.#title, this.#button), this.#list, this.#nothing);
  }

  #may(permission) {
    return this.#page.me.permissions.includes(permission);
  }

  /** What `show` takes: who has answered, and, for those who may see it, the submissions. */
  ask(id) {
    const params = { encounter_id: id };
    const { wire } = this.#page;
    return Promise.all([
      wire.rpc("form_submission.status", params),
      this.#may("group.encounter.note.read") ? wire.rpc("form_submission.list", params) : { submissions: [] },
    ]);
  }

  show({ encounter, participants }, [{ participants: answered, forms }, { submissions }]) {
    this.#id = encounter.id;
    this.#options = participantOptions(participants);
    this.element.hidden = encounter.subject_type === "patient";
    this.#button.hidden = !this.#may("group.encounter.note.create") || participants.length === 0;
    this.#list.hidden = forms.length === 0;
    this.#nothing.hidden = forms.length > 0;
    this.#list.replaceChildren(...forms.map((form) => entryOf(form, answered, submissions)));
  }

  async #record() {
    const done = await ask({
      title: "Record an answer to a form",
      words: "Notes that somebody has answered. What they answered stays with the form’s own program.",
      fields: [
        { name: "about", label: "Who has answered", required: true, options: [{ value: "", label: "Choose somebody" }, ...this.#options] },
        { name: "form_id", label: "Form", required: true, hint: "Its name with that program, such as phq-9" },
        { name: "external_submission_id", label: "Number of the answer there" },
      ],
      submit: "Record",
      run: ({ about, ...values }) => rpc(this.#page.wire, "form_submission.create", { encounter_id: this.#id, ...participantParams(about), ...values }),
    });
    if (done) await this.#changed("Recorded.");
  }
}

function entryOf({ form_id: form, outstanding }, participants, submissions) {
  const done = participants.filter(({ form_ids: forms }) => forms.includes(form)).length;
  const missing = listed(outstanding.map(({ name }) => name), 20);
  return h(
    "li",
    { "data-form-id": form },
    h(
      "div",
      { class: "who" },
      h("p", { class: "name" }, h("bdi", {}, form)),
      h("p", {}, outstanding.length ? h("bdi", {}, `Not yet: ${missing}`) : "Everybody has answered."),
      ...answersOf(form, participants, submissions),
    ),
    h("p", { class: "count" }, `${done} of ${participants.length} answered`),
  );
}

/** Who answered when, for those who may see it. */
function answersOf(form, participants, submissions) {
  const nameOf = ({ patient_id: patient, guest_id: guest }) =>
    participants.find((one) => (patient ? one.patient_id === patient : one.guest_id === guest))?.name ?? "Somebody who has left";
  const line = (submission) => {
    const number = submission.external_submission_id ? ` · ${submission.external_submission_id}` : "";
    return h("p", { class: "what" }, h("bdi", {}, nameOf(submission)), `, ${whenWords(submission.submitted_at)}${number}`);
  };
  return submissions.filter(({ form_id: id }) => id === form).map(line);
}
