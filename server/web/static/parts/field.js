/** One field of a form: its label, a hint, and what is wrong with it, said beside it and to screen readers. */

import { h, say } from "../dom.js";
import { choicesOf } from "./choices.js";

let serial = 0;

/**
 * @param field `{name, label, hint?, type?, required?, value?, rows?, min?, max?}` for a line of text (with `rows`: several lines), with
 *   `options` for one of several, with `choices` for any of several; both are `[{value, label, chosen?}]` (choices: and `note?`)
 * @returns `{element, value(), wrong(words), focus()}`; value() is undefined when empty; wrong("") takes the words away
 */
export function makeField(field) {
  const id = `field-${++serial}`;
  const error = h("p", { class: "field-error failure", id: `${id}-error` });
  const hint = field.hint ? h("p", { class: "field-hint quiet", id: `${id}-hint` }, field.hint) : null;
  const described = [hint?.id, error.id].filter(Boolean).join(" ");
  const made = (field.choices ? choicesOf : inputOf)(field, id, described, hint, error);
  const wrong = (words) => {
    say(error, words);
    for (const input of made.inputs) input.setAttribute("aria-invalid", String(words !== ""));
  };
  made.element.addEventListener("input", () => wrong(""));
  return { field, element: made.element, value: made.value, wrong, focus: made.focus ?? (() => made.inputs[0]?.focus()) };
}

function inputOf({ name, label, type = "text", required, value, rows, options, min, max }, id, described, hint, error) {
  const common = { id, name, required, "aria-describedby": described };
  const input = options
    ? h("select", common, ...options.map((one) => h("option", { value: one.value, selected: one.chosen }, one.label)))
    : rows
      ? h("textarea", { ...common, rows, dir: "auto" })
      : h("input", { ...common, type, min, max, autocomplete: "off", dir: "auto" });
  if (value !== undefined && !options) input.value = value;
  const note = required ? null : h("span", { class: "quiet" }, " (optional)");
  return {
    inputs: [input],
    element: h("div", { class: "field" }, h("label", { for: id }, label, note), hint, input, error),
    value: () => input.value.trim() || undefined,
  };
}
