/** What one sets on a channel for oneself alone: muted, and marked unread to come back to it. */

import { confirmed } from "../parts/dialog.js";

const MUTED = {
  true: "Muted: no push and no email comes of this conversation. What is unread is counted all the same.",
  false: "No longer muted.",
};

/** Entries of the channel's menu, see Menu; none where nothing would be told anyway. `list`: there is a list to come back from. */
export function ownMarks(page, channel, list) {
  if (!channel || channel.status !== "active") return [];
  const { muted } = channel;
  return [
    { words: muted ? "Unmute" : "Mute", run: () => mute(page, channel, !muted) },
    ...(list ? [{ words: "Mark unread", run: () => markUnread(page, channel) }] : []),
  ];
}

async function mute(page, { id }, muted) {
  await told(async () => {
    await page.wire.rpc("channel.mute", { channel_id: id, muted });
    page.channels.note(id, { muted });
    page.channels.refresh(); // whether anybody would still be told may have changed
    page.chat.say(MUTED[muted]);
  });
}

/** The mark goes when the channel is opened again: so this leads out of it. */
async function markUnread(page, { id }) {
  await told(async () => {
    await page.wire.rpc("channel.mark_unread", { channel_id: id });
    page.channels.note(id, { marked_unread: true });
    location.hash = "#/";
    page.chat.say("Marked unread.");
  });
}

/** A refusal stands in a dialog: the menu that had asked for it is gone by then. */
async function told(work) {
  try {
    await work();
  } catch (error) {
    if (!error.code) throw error;
    await confirmed({ title: "That did not work", words: error.message, yes: "Close", no: null });
  }
}
