/** What the conversation says about itself when there is something to say: loading, empty, closed, gone. */

/** The line above the oldest message. */
export function edgeWords(conversation) {
  if (conversation.trouble && conversation.phase !== "ended") return `${conversation.trouble} Trying again…`;
  if (conversation.phase === "loading") return "Loading messages…";
  if (conversation.loadingOlder) return "Loading earlier messages…";
  const opened = conversation.items[0]?.type === "opened"; // that line says it already
  if (conversation.phase === "ready" && !conversation.more && !opened) return "The conversation begins here.";
  return "";
}

/** Words for a conversation without a message. */
export function emptyWords({ kind }, audience) {
  if (audience === "staff") return "Nobody has written yet.";
  if (kind === "group") return "Nobody has written yet. What you write here is read by everyone in the group.";
  return (
    "Write to your team whenever you like; they answer when they are at work. " +
    "This is not for emergencies: then call your local emergency number."
  );
}

/** For staff, where a patient's message would reach nobody who is away; "" where somebody would be told (domain.md §4). */
export function nobodyToldWords(channel) {
  if (!channel?.nobody_told || channel.status !== "active") return "";
  const me = channel.muted
    ? "You have muted it: unmute it in the channel’s menu, and see that push or email is on under My Profile."
    : "Turn on push or email under My Profile, or add a colleague who has them on.";
  return `Nobody in this channel would be told of a new message: everyone of the team here has notifications off, or has muted it. ${me}`;
}

/** Why nothing can be written here, and for patients how else to reach the team; "" when it can. `contact`: see channel.contact */
export function closedWords(conversation, channel, audience, contact) {
  if (conversation.phase === "ended" || !channel) {
    return audience === "patient"
      ? "This conversation is no longer open to you."
      : "You are not in this channel, or not any more.";
  }
  if (channel.status !== "archived" && channel.writable !== false) return "";
  if (audience === "patient") return forPatient(contact);
  if (channel.status === "archived") return "This channel is archived: it can be read, but not written in, and it notifies nobody.";
  return "Nobody else is left in this conversation: it can be read, but not written in.";
}

function forPatient(contact) {
  const why = contact?.why ?? "This conversation is closed. You can read it, but not write in it.";
  const ways = [contact?.contact_text, contact?.crisis_services].filter(Boolean);
  return [why, ...(ways.length ? ways : ["To reach your team, contact your clinic."])].join("\n\n");
}
