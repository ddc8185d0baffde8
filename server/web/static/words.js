/** The sentences of the pages: what channels are called, who will read, what happened, how the connection is. */

/** What a channel is called. Staff see the patient's name; the patient sees whom they talk to. */
export function channelTitle(channel, audience) {
  if (audience === "patient") {
    const ours = { care_team: "Your care team", service_team: "Your service team", group: channel.name };
    return ours[channel.kind] ?? channel.name ?? "Conversation";
  }
  const { patient, name, kind } = channel;
  if (kind === "staff") return name ?? patient?.name ?? "Staff";
  return patient?.name ?? name ?? (kind === "direct" ? "Direct message" : "Channel");
}

/** The line below the title: what tells this channel from another one of the same title. */
export function channelNote(channel, audience) {
  return [channel.muted && channel.status === "active" && "Muted", distinction(channel, audience)].filter(Boolean).join(" · ");
}

function distinction(channel, audience) {
  if (audience === "patient") return "";
  const { patient, kind } = channel;
  if (kind === "staff") return patient ? `About ${patient.name}` : "";
  const chosen = patient?.display_name;
  return chosen && chosen !== patient.name ? `Shown as “${chosen}”` : "";
}

export const KIND_NAMES = {
  care_team: "Care team channel",
  service_team: "Service team channel",
  staff: "Staff channel",
  group: "Group channel",
  direct: "Direct message",
};

/** Who will read what is being written here: the words and the tone (a class) of the composer. Staff only. */
export function readers({ kind }) {
  if (kind === "care_team" || kind === "service_team") return { tone: "to-patient", words: "Visible to the patient" };
  if (kind === "group") return { tone: "to-patient", words: "Visible to the patients in this group" };
  if (kind === "direct") return { tone: "to-staff", words: "Staff only: the members of this conversation" };
  return { tone: "to-staff", words: "Staff only" };
}

/** A line about the channel itself, or "" for what this page does not know. `around`: names of members, and of persons. */
export function systemLine({ type, members = [], by, replaces, person }, { nameOf, personName }) {
  const who = listed(members.map(nameOf));
  const actor = by ? nameOf(by) : person ? personName(person) : null;
  const other = by && !members.includes(by) ? actor : null;
  if (type === "joined" && replaces) return `${who} takes over from ${nameOf(replaces)}`;
  if (type === "joined") return other ? `${who} joined, added by ${other}` : `${who} joined`;
  if (type === "left") return other ? `${who} left, removed by ${other}` : `${who} left`;
  if (type === "opened") return actor ? `${actor} opened this conversation` : "This conversation was opened";
  if (type === "archived") return actor ? `${actor} closed this conversation` : "This conversation was closed";
  if (type === "unarchived")
    return actor ? `${actor} opened this conversation again` : "This conversation was opened again";
  if (type === "renamed") return actor ? `${actor} gave this conversation another name` : "This conversation has another name";
  if (type === "asked") return `${actor ?? "A colleague"} asks to be added to this channel`;
  return "";
}

/** What stands in the place of a deleted message: that it was, and by whom. */
export function tombstone({ changed_by: by, person }, own, { isMe, personName }) {
  if (by === "author") return own ? "You deleted this message." : "Its author deleted this message.";
  if (by !== "team_member") return "This message was deleted.";
  if (isMe(person)) return "You deleted this message.";
  return person ? `Deleted by ${personName(person)}.` : "Deleted by a team member.";
}

/** "edited", and by whom where somebody else changed the words. */
export function changeWords({ item: { edited, deleted, changed_by: by, person } }, { isMe, personName }) {
  if (!edited && !deleted) return "";
  if (by !== "team_member") return "edited";
  if (isMe(person)) return "edited by you";
  return person ? `edited by ${personName(person)}` : "edited by a team member";
}

/** "ALLIED_HEALTH" → "Allied health" */
export function roleName(role) {
  const words = role.replaceAll("_", " ").toLowerCase();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

/** "A", "A and B", "A, B and C"; from `most` on "A, B and 4 more". */
export function listed(names, most = 5) {
  const shown = names.length > most ? [...names.slice(0, most - 1), `${names.length - most + 1} more`] : names;
  if (shown.length < 2) return shown.join("");
  return `${shown.slice(0, -1).join(", ")} and ${shown.at(-1)}`;
}

/** The connection in plain words; "" when there is nothing to say. `waiting`: how many messages will be sent. */
export function connectionWords({ phase, code, message }, waiting, metBefore) {
  const kept =
    waiting > 0 ? "Your messages are kept here and will be sent." : "What you write is kept here and will be sent.";
  if (phase === "stopped") return stoppedWords(code, message, waiting);
  if (phase === "online" || phase === "idle") return "";
  if (!navigator.onLine) return `You are offline. ${kept}`;
  return metBefore ? `Reconnecting… ${kept}` : "Connecting…";
}

function stoppedWords(code, message, waiting) {
  const kept = waiting > 0 ? " Your unsent messages are still here." : "";
  if ([401, 3500, 3503].includes(code)) return ""; // signed out: the whole page says so
  return `The server has ended this connection${message ? ` (${message})` : ""}.${kept}`;
}

/** Why a message failed. Most of the server's refusals say themselves that it was not delivered: then that is enough. */
export function failureWords(note, notDelivered) {
  if (!note) return notDelivered;
  return note.includes("not delivered") ? note : `${notDelivered} ${note}`;
}

/** How many code points are left, when that begins to matter; else "". */
export function limitWords(length, limit) {
  const left = limit - length;
  if (left < 0) return `${plural(-left, "character")} too long. Shorten it or send it in parts.`;
  return left <= 500 ? `${plural(left, "character")} left` : "";
}

export function plural(count, thing) {
  return count === 1 ? `1 ${thing}` : `${count.toLocaleString()} ${thing}s`;
}

/** A count as a badge: 100 stands for "more than 99". */
export function badge(count) {
  return count > 99 ? "99+" : String(count);
}
