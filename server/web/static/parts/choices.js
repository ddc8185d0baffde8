/** Any of several: a list of boxes, with a way to find one by its name where there are many, and how many are chosen. */

import { h, say } from "../dom.js";
import { plural } from "../words.js";

const MANY = 8;

const folded = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

/** As makeField() wants its inside; the field's `choices` are `[{value, label, note?, chosen?}]`. */
export function choicesOf({ name, label, choices }, id, described, hint, error) {
  const boxes = choices.map(({ value, chosen }) => h("input", { type: "checkbox", name, value, checked: chosen }));
  const rows = choices.map(({ label: words, note }, at) =>
    h("li", {}, h("label", {}, boxes[at], h("span", {}, h("bdi", {}, words), note && h("span", { class: "quiet" }, ` ${note}`)))),
  );
  const chosen = () => boxes.filter(({ checked }) => checked);
  const finder = choices.length > MANY ? finderOf(label, choices, rows, chosen) : [];
  return {
    inputs: boxes,
    element: h("fieldset", { class: "field", id, "aria-describedby": described }, h("legend", {}, label), hint, ...finder, h("ul", { class: "choices" }, ...rows), error),
    value: () => (chosen().length ? chosen().map(({ value }) => value) : undefined),
    focus: () => (finder[0]?.querySelector("input") ?? boxes[0])?.focus(),
  };
}

/** A field to look for a name in, and a line that says what it found and how many are chosen. */
function finderOf(label, choices, rows, chosen) {
  const names = choices.map(({ label: words }) => folded(words));
  const told = h("p", { class: "quiet", role: "status" });
  const field = h("input", { type: "search", placeholder: "Find by name", autocomplete: "off", dir: "auto", "aria-label": `Find by name: ${label}` });
  const tell = () => {
    const wanted = folded(field.value.trim());
    const fits = names.map((name) => name.includes(wanted));
    rows.forEach((row, at) => (row.hidden = !fits[at]));
    const found = wanted ? `${plural(fits.filter(Boolean).length, "name")} found, ` : "";
    say(told, `${found}${chosen().length} chosen`);
  };
  field.addEventListener("input", tell);
  field.addEventListener("keydown", (event) => event.key === "Enter" && event.preventDefault());
  for (const row of rows) row.addEventListener("change", tell);
  tell();
  return [h("p", { class: "choices-find" }, field), told];
}
