/** What one says of a group, when it is made and when it changes. */

import { ask } from "../parts/form.js";
import { roleName } from "../words.js";
import { typeOptions } from "./words.js";

/**
 * Resolves to what `run(values)` answered, or to null.
 * @param group as it is, for a change; values then hold everything, with null for what is taken away
 */
export function askForGroup({ title, submit, team, group, run }) {
  const people = team.map(({ id, name, role }) => ({
    value: id,
    label: `${name} (${roleName(role)})`,
    chosen: id === group?.facilitator_id,
  }));
  const gone = group?.facilitator_id && !people.some(({ chosen }) => chosen);
  if (gone) people.unshift({ value: group.facilitator_id, label: `${group.facilitator_name} (archived)`, chosen: true });
  return ask({
    title,
    fields: [
      { name: "name", label: "Name", required: true, value: group?.name },
      { name: "type", label: "Kind", options: typeOptions(group?.type), required: true },
      { name: "max_participants", label: "Places", type: "number", min: 1, max: 10_000, value: group?.max_participants ?? undefined, hint: "How many can be in it at a time. Without a number: any." },
      { name: "facilitator_id", label: "Facilitator", options: [{ value: "", label: "Nobody" }, ...people] },
      { name: "description", label: "Description", rows: 3, value: group?.description || undefined },
    ],
    submit,
    run: ({ max_participants: most, ...values }) => {
      const given = { ...values, ...(most && { max_participants: Number(most) }) };
      if (!group) return run(given);
      const { max_participants = null, facilitator_id = null, description = "" } = given;
      const led = facilitator_id === group.facilitator_id ? {} : { facilitator_id };
      return run({ name: given.name, type: given.type, description, max_participants, ...led });
    },
  });
}
