/** Adding many at once, and what came of it: who was added, who was there already, what was wrong with whom. */

import { h } from "../dom.js";
import { showDialog } from "../parts/dialog.js";
import { ask } from "../parts/form.js";
import { plural } from "../words.js";
import { rpc } from "./asking.js";
import { freeWords, plainly } from "./words.js";

/**
 * Resolves when the summary was read, to what the page then says; to null when nothing was tried.
 * @param people choices of a field; a value is "patient id" or "guest id"
 */
export async function addMany({ page, group, people }) {
  let chosen = [];
  const result = await ask({
    title: "Add many at once",
    words: `If there is no room for all of them, nobody is added. ${freeWords(group)}`,
    fields: [{ name: "members", label: "Patients and guests", choices: people, required: true }],
    submit: "Add",
    run: ({ members }) => {
      chosen = members;
      return rpc(page.wire, "group_member.add_batch", { group_id: group.id, members: members.map(memberOf) });
    },
  });
  if (!result) return null;
  const nameOf = (value) => people.find((one) => one.value === value).label;
  const summary = summaryOf(result, chosen, nameOf);
  await showDialog({ title: summary.title, content: (close) => [...summary.lists, closing(close)] });
  return summary.title;
}

function memberOf(value) {
  const [type, id] = value.split(" ");
  return { member_type: type, [`${type}_id`]: id };
}

/** What was asked for, sorted by what became of it. */
function summaryOf({ created, skipped, errors, items }, chosen, nameOf) {
  const added = new Set(items.map(({ member_type: type, patient_id: patient, guest_id: guest }) => `${type} ${patient ?? guest}`));
  const wrong = new Map(errors.map(({ index, message }) => [chosen[index], plainly(message)]));
  const there = chosen.filter((value) => !added.has(value) && !wrong.has(value));
  const title = [`${plural(created, "member")} added`, skipped && `${skipped} skipped`, errors.length && plural(errors.length, "error")];
  const list = (id, words, values, why) =>
    values.length > 0 && h("section", { class: "came-of-it", id }, h("h3", {}, words), h("ul", {}, ...values.map((value) => h("li", {}, h("bdi", {}, nameOf(value)), why(value)))));
  const lists = [
    list("batch-created", `Added: ${created}`, chosen.filter((value) => added.has(value)), () => ""),
    list("batch-skipped", `Skipped, as they were in the group already: ${skipped}`, there, () => ""),
    list("batch-errors", `Not added: ${errors.length}`, [...wrong.keys()], (value) => h("span", { class: "failure" }, ` – ${wrong.get(value)}`)),
  ];
  return { title: `${title.filter(Boolean).join(", ")}.`, lists: lists.filter(Boolean) };
}

function closing(close) {
  return h("p", { class: "buttons" }, h("button", { type: "button", class: "primary", onclick: () => close() }, "Close"));
}
