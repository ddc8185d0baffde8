/** Leaving a channel; for the last team member, only with somebody who takes over. */

import { confirmed } from "./parts/dialog.js";
import { ask } from "./parts/form.js";
import { teamMembers } from "./people.js";
import { roleName } from "./words.js";

const CONFLICT = 409;
const LAST =
  "replacement_id: You are the last team member here, and a channel with a patient in it always has one. Choose who takes over " +
  "from you, then leave.";

/** Asks a patient, and leaves a group. */
export async function leaveAsPatient(page, channel) {
  const words = "You will no longer see what is written in it, nor what was. Your clinic can add you again.";
  if (await confirmed({ title: "Leave this group?", words, yes: "Leave" })) await leave(page, channel, {});
}

/** The same, for a team member: a colleague can take over in the same step. */
export async function leaveAsStaff(page, channel) {
  const colleagues = (await teamMembers(page.wire)).filter(({ id }) => id !== page.me.person.id);
  const options = colleagues.map(({ id, name, role }) => ({ value: id, label: `${name} (${roleName(role)})` }));
  const field = {
    name: "replacement_id",
    label: "Who takes over from you",
    hint: "They join, and what you have not read is unread for them.",
    options: [{ value: "", label: "Nobody" }, ...options],
  };
  await ask({
    title: "Leave this channel?",
    words: "You will no longer see what is written in it.",
    fields: [field],
    submit: "Leave",
    run: (values) => leave(page, channel, values),
  });
}

async function leave({ wire, channels, chat }, { id }, values) {
  try {
    await wire.rpc("channel.leave", { channel_id: id, ...values });
  } catch (error) {
    if (error.code === CONFLICT && !values.replacement_id) error.message = LAST;
    throw error;
  }
  channels.hint({ channel: id, member: false });
  location.hash = "#/";
  chat.say("You have left the channel.");
}
