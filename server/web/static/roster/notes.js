/** The notes of an encounter, for those who may read them, and a place to write one, for those who may write. */

import { h, say } from "../dom.js";
import { makeField } from "../parts/field.js";
import { Asking } from "./asking.js";
import { participantOptions, participantParams } from "./attendees.js";
import { noteType, noteTypes, whenWords } from "./encounter_words.js";
import { Filters } from "./filters.js";

const WHOLE = { value: "whole", label: "The encounter as a whole" };
const EVERYTHING = { value: "", label: "Everything" };

export class Notes {
  #page;
  #changed;
  #asking;
  #id = null;
  #drafts = new Map(); // encounter id → what was being written when another one was opened
  #draft = null; // the fields of the form, when one may write
  #filters = new Filters([{ name: "who", label: "Show", options: [EVERYTHING] }], () => this.#narrow());
  #title = h("h3", { id: "notes-title", tabindex: -1 }, "Notes");
  #list = h("ol", { class: "plain notes", "aria-labelledby": "notes-title" });
  #nothing = h("p", { class: "quiet" });
  #room = h("div", {});
  element = h("section", { id: "notes", "aria-labelledby": "notes-title" });

  constructor({ page, changed }) {
    this.#page = page;
    this.#changed = changed;
    this.#asking = new Asking(page.wire);
    const reading = this.#mayRead ? [this.#filters.element, this.#list, this.#nothing] : [];
    this.element.append(h("header", { class: "head" }, this.#title), ...reading, this.#room);
    this.element.hidden = !this.#mayRead && !this.#mayWrite;
    addEventListener("beforeunload", (event) => this.#holdsText && event.preventDefault());
  }

  get #mayRead() {
    return this.#page.me.permissions.includes("group.encounter.note.read");
  }

  get #mayWrite() {
    return this.#page.me.permissions.includes("group.encounter.note.create");
  }

  get #holdsText() {
    return Boolean(this.#draft?.content.value()) || this.#drafts.size > 0;
  }

  /** What `show` takes: the notes, in the view that is chosen. */
  async ask(id) {
    if (!this.#mayRead) return null;
    const view = id === this.#id ? participantParams(this.#filters.values.who, { typed: false }) : {};
    return (await this.#page.wire.rpc("encounter_note.list", { encounter_id: id, ...view })).notes;
  }

  show({ encounter, participants }, notes) {
    const others = participantOptions(participants);
    const another = encounter.id !== this.#id;
    if (another) this.#keepDraft();
    this.#id = encounter.id;
    if (another) this.#filters.offer("who", [EVERYTHING]);
    this.#filters.offer("who", [EVERYTHING, ...others.map(({ value, label }) => ({ value, label: `What concerns ${label}` }))]);
    this.#filters.element.hidden = encounter.subject_type === "patient" || others.length === 0;
    if (notes) this.#draw(notes);
    if (this.#mayWrite) this.#drawForm(others, Boolean(encounter.finalized_at), another);
  }

  #draw(notes) {
    this.#list.replaceChildren(...notes.map(entryOf));
    this.#list.hidden = notes.length === 0;
    this.#nothing.hidden = notes.length > 0;
    say(this.#nothing, this.#filters.values.who ? "There are no notes about this participant or about the whole." : "Nothing has been written yet.");
  }

  #narrow() {
    return this.#asking.fetch(null, () => this.ask(this.#id), (notes) => this.#draw(notes));
  }

  /** The form: made anew for another encounter and when its choices change, with what was typed. */
  #drawForm(others, isFinal, another) {
    const kept = another ? (this.#drafts.get(this.#id) ?? {}) : this.#typed();
    this.#drafts.delete(this.#id);
    const chosen = (options, value) => options.map((option) => ({ ...option, chosen: option.value === value }));
    const about = others.length ? makeField({ name: "about", label: "About", required: true, options: chosen([WHOLE, ...others], kept.about) }) : null;
    this.#draft = {
      type: makeField({ name: "note_type", label: "Type of note", required: true, options: chosen(noteTypes(isFinal), kept.type) }),
      about,
      content: makeField({ name: "content", label: "New note", required: true, rows: 5, value: kept.content }),
    };
    const { type, content } = this.#draft;
    const words = isFinal ? "This encounter is finalised: an addendum can still be written." : "A note cannot be changed once it is saved.";
    const form = h("form", { class: "form note-form" }, content.element, h("div", { class: "beside-fields" }, type.element, about?.element ?? ""), h("p", { class: "quiet" }, words), this.#asking.element, h("p", { class: "buttons" }, h("button", { type: "submit", class: "primary" }, "Save note")));
    form.addEventListener("submit", (event) => this.#save(event));
    this.#room.replaceChildren(form);
  }

  #typed() {
    const { type, about, content } = this.#draft ?? {};
    return { type: type?.value(), about: about?.value(), content: content?.value() };
  }

  #keepDraft() {
    if (this.#id && this.#draft?.content.value()) this.#drafts.set(this.#id, this.#typed());
    this.#draft = null;
  }

  async #save(event) {
    event.preventDefault();
    const { type, about, content } = this.#typed();
    if (!content) return;
    const button = event.target.querySelector("[type=submit]");
    if (button.getAttribute("aria-disabled") === "true") return;
    button.setAttribute("aria-disabled", "true");
    const made = await this.#asking.run("encounter_note.create", { encounter_id: this.#id, note_type: type, content, ...participantParams(about) });
    button.removeAttribute("aria-disabled");
    if (!made) return this.#changed(null); // somebody may have finalised it: what is typed stays
    this.#asking.say("");
    this.#draft = null;
    await this.#changed("The note is saved.");
    this.#title.focus();
  }
}

function entryOf({ id, note_type: type, participant_name: about, participant_type: kind, author_name: author, content, created_at: at }) {
  const who = about ? [" about ", h("bdi", {}, about), kind === "guest" ? " (guest)" : ""] : [];
  return h(
    "li",
    { "data-note-id": id },
    h("p", { class: "name" }, noteType(type), ...who),
    h("p", { class: "what" }, h("bdi", {}, author), ` · ${whenWords(at)}`),
    h("p", { class: "written", dir: "auto" }, content),
  );
}
