/** What staff can do with a channel as a whole: entries of its menu, each with its question. The server has the last word. */

import { leaveAsStaff } from "./leaving.js";
import { confirmed } from "./parts/dialog.js";
import { ask } from "./parts/form.js";
import { teamMembers } from "./people.js";
import { toPlace } from "./route.js";
import { roleName } from "./words.js";

const WITH_PATIENT = ["care_team", "service_team", "group"];

/** Entries for Menu. */
export function staffActs(page, channel) {
  if (!channel) return [];
  const { kind, status, hidden, patient } = channel;
  const manages = page.me.permissions.includes("messaging.manage");
  const active = status === "active";
  const named = kind === "staff" || (kind === "group" && manages);
  const profile = patient && page.me.permissions.includes("patient.read");
  return [
    profile && { words: "Patient’s profile", href: toPlace("patients", patient.id) },
    active && named && { words: "Rename", run: () => rename(page, channel) },
    active && kind === "group" && manages && { words: "Name a facilitator", run: () => facilitate(page, channel) },
    kind === "direct" && !hidden && { words: "Hide until something new comes", run: () => hide(page, channel, true) },
    kind === "direct" && hidden && { words: "Show in the list again", run: () => hide(page, channel, false) },
    kind !== "direct" && active && { words: "Archive", run: () => archive(page, channel) },
    kind !== "direct" && !active && { words: "Unarchive", run: () => unarchive(page, channel) },
    kind !== "direct" && { words: "Leave", run: () => leaveAsStaff(page, channel) },
  ].filter(Boolean);
}

async function rename(page, { id, name }) {
  const done = await ask({
    title: "Rename this channel",
    fields: [{ name: "name", label: "Name", required: true, value: name ?? "" }],
    submit: "Rename",
    run: (values) => page.wire.rpc("channel.rename", { channel_id: id, ...values }),
  });
  if (done) page.channels.note(id, { name: done.name });
}

async function facilitate(page, { id }) {
  const team = await teamMembers(page.wire);
  const options = team.map(({ id: value, name, role }) => ({ value, label: `${name} (${roleName(role)})` }));
  const done = await ask({
    title: "Facilitator of this group",
    words: "They take over first if nobody of the team is left in the channel. This alone does not add them to it.",
    fields: [{ name: "facilitator_id", label: "Facilitator", options: [{ value: "", label: "Nobody" }, ...options] }],
    submit: "Save",
    run: ({ facilitator_id: person = null }) => page.wire.rpc("channel.facilitator", { channel_id: id, facilitator_id: person }),
  });
  if (done) page.chat.say("Saved.");
}

/** Archives it, after saying what that means. */
export async function archive(page, { id, kind }) {
  const seen = WITH_PATIENT.includes(kind) ? " Patients see that it is closed, why, and how else to reach you." : "";
  const words = `Nobody can write in it any more, and it notifies nobody; everyone in it can still read it.${seen} It can be unarchived at any time.`;
  await run(page, { title: "Archive this channel?", words, yes: "Archive" }, "channel.archive", id);
}

/** Opens it again, after saying what that means. */
export async function unarchive(page, { id, kind }) {
  const seen = WITH_PATIENT.includes(kind) ? ", patients too" : "";
  const words = `Everyone in it can write again${seen}, and it notifies again.`;
  await run(page, { title: "Unarchive this channel?", words, yes: "Unarchive" }, "channel.unarchive", id);
}

async function run(page, question, operation, id) {
  if (!(await confirmed(question))) return;
  await told(async () => {
    const { status } = await page.wire.rpc(operation, { channel_id: id });
    page.channels.note(id, { status, writable: status === "active" });
    page.channels.refresh();
  });
}

async function hide(page, { id }, hidden) {
  await told(async () => {
    await page.wire.rpc("channel.hide", { channel_id: id, hidden });
    page.channels.note(id, { hidden });
    if (hidden) location.hash = "#/";
  });
}

/** A refusal stands in a dialog: what had asked for it is gone by then. */
async function told(work) {
  try {
    await work();
  } catch (error) {
    if (!error.code) throw error;
    await confirmed({ title: "That did not work", words: error.message, yes: "Close", no: null });
  }
}
