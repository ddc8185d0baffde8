/** A small form in a dialog: asks, runs, says what went wrong beside what was typed, and closes only when it is done. */

import { h, say } from "./dom.js";

/**
 * Resolves to what `run(values)` answered, or to null when the dialog was closed.
 * @param fields `{name, label, type?, required?}` for a line of text, with `options` for one of several, with `choices` for any
 *   of several; both are `[{value, label, chosen?}]`. Empty values are left out.
 */
export function ask({ title, words, fields, submit, run }) {
  const note = h("p", { class: "failure", role: "alert" });
  const send = h("button", { type: "submit", class: "primary" }, submit);
  const close = h("button", { type: "button", onclick: () => dialog.close() }, "Cancel");
  const form = h("form", { method: "dialog" }, ...fields.map(field), note, h("p", { class: "buttons" }, close, send));
  const heading = h("h2", { id: "dialog-title" }, title);
  const dialog = h(
    "dialog",
    { "aria-labelledby": "dialog-title" },
    heading,
    words ? h("p", { class: "quiet" }, words) : null,
    form,
  );
  let answer = null;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (send.getAttribute("aria-disabled") === "true") return;
    const values = valuesOf(form, fields);
    const missing = fields.find(({ name, required }) => required && values[name] === undefined);
    if (missing) return say(note, `Please fill in: ${missing.label}.`);
    send.setAttribute("aria-disabled", "true");
    say(note, "");
    try {
      answer = await run(values);
      dialog.close();
    } catch (error) {
      if (!error.code) throw error;
      say(note, error.message);
    } finally {
      send.removeAttribute("aria-disabled");
    }
  });
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(answer);
    });
  });
}

function field({ name, label, type = "text", required, options, choices }) {
  const id = `field-${name}`;
  if (choices) return choiceField(name, label, choices);
  const input = options
    ? h(
        "select",
        { id, name, required },
        ...options.map(({ value, label: text, chosen }) => h("option", { value, selected: chosen }, text)),
      )
    : h("input", { id, name, type, required, autocomplete: "off", dir: "auto" });
  return h("p", { class: "field" }, h("label", { for: id }, label), input);
}

function choiceField(name, label, choices) {
  const box = ({ value, label: text, chosen }) => {
    return h(
      "li",
      {},
      h("label", {}, h("input", { type: "checkbox", name, value, checked: chosen }), " ", h("bdi", {}, text)),
    );
  };
  return h("fieldset", { class: "field" }, h("legend", {}, label), h("ul", { class: "choices" }, ...choices.map(box)));
}

function valuesOf(form, fields) {
  const data = new FormData(form);
  const values = {};
  for (const { name, choices } of fields) {
    const value = choices ? data.getAll(name) : String(data.get(name) ?? "").trim();
    if (value.length) values[name] = value;
  }
  return values;
}
