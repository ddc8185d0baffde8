/** A small form in a dialog: asks, runs, says what went wrong beside what was typed, and closes only when it is done. */

import { h, say } from "../dom.js";
import { showDialog } from "./dialog.js";
import { makeField } from "./field.js";

/**
 * Resolves to what `run(values)` answered, or to null when the dialog was closed.
 * @param fields see makeField(); empty values are left out of `values`; `quotes` `[{label, text}]` stand above them
 */
export function ask({ title, words, quotes = [], fields, submit, cancel, run }) {
  const content = (close) => [...quotes.map(quoted), formOf({ fields: fields.map(makeField), submit, cancel, run, close })];
  return showDialog({ title, words, content });
}

function quoted({ label, text }) {
  return h("div", { class: "field" }, h("p", { class: "quiet" }, label), h("p", { class: "quoted", dir: "auto" }, text));
}

function formOf({ fields, submit, cancel: no = "Cancel", run, close }) {
  const note = h("p", { class: "failure", role: "alert" });
  const send = h("button", { type: "submit", class: "primary" }, submit);
  const cancel = h("button", { type: "button", onclick: () => close(null) }, no);
  const buttons = h("p", { class: "buttons" }, cancel, send);
  const form = h("form", { class: "form" }, ...fields.map(({ element }) => element), note, buttons);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (send.getAttribute("aria-disabled") === "true" || !filled(fields)) return;
    send.setAttribute("aria-disabled", "true");
    say(note, "");
    try {
      close(await run(valuesOf(fields)));
    } catch (error) {
      if (!error.code) throw error;
      tell(fields, note, error.message);
    } finally {
      send.removeAttribute("aria-disabled");
    }
  });
  return form;
}

/** The browser itself checks single fields; of several boxes it cannot ask for one. */
function filled(fields) {
  const missing = fields.find(({ field, value }) => field.required && value() === undefined);
  missing?.wrong(missing.field.choices ? "Choose at least one." : "Please fill this in.");
  missing?.focus();
  return !missing;
}

/** A refusal that begins with a field's name ("role: …") stands beside that field, every other above the buttons. */
function tell(fields, note, message) {
  const named = fields.find(({ field }) => message.startsWith(`${field.name}: `));
  if (!named) return say(note, message);
  named.wrong(message.slice(named.field.name.length + 2));
  named.focus();
}

function valuesOf(fields) {
  const values = {};
  for (const { field, value } of fields) if (value() !== undefined) values[field.name] = value();
  return values;
}
