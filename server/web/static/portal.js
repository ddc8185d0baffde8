/** The message centre: channels by section, the conversation, its members; and the patients. */

import { ChannelList } from "./channel_list.js";
import { Details } from "./details.js";
import { byId, say } from "./dom.js";
import { startPage } from "./page.js";
import { Patients } from "./patients.js";
import { replaceRoute, route, toChannel } from "./route.js";
import { badge } from "./words.js";

const list = new ChannelList(byId("channels"), "staff");
let details;
let patients;
let shown = null; // the last view and channel, to move the focus only when they change

startPage({ kind: "team_member", audience: "staff", ready, draw });

function ready(page) {
  say(byId("clinic"), page.me.organization.name);
  say(byId("whoami"), page.me.person.name);
  details = new Details(page);
  patients = new Patients(page, (id) => (location.hash = toChannel(id)));
  addEventListener("hashchange", () => draw(page));
}

function draw(page) {
  const { channels, chat } = page;
  show(page);
  list.draw(channels.sections(), chat.channelId);
  byId("no-channels").hidden = channels.size > 0;
  details.draw();
  const count = channels.unread ? badge(channels.unread) : "";
  say(byId("messages-count"), count);
  const elsewhere = channels.unread - (channels.get(chat.channelId)?.unread ?? 0);
  say(byId("back-count"), elsewhere ? badge(elsewhere) : "");
  document.title = count ? `(${count}) Message centre` : "Message centre";
}

function show({ channels, chat }) {
  const { view, id } = route();
  const isOpen = view === "channel" && (channels.get(id) || chat.channelId === id);
  if (view === "channel" && !isOpen) return missing(channels, id);
  const now = view === "channel" ? "conversation" : view;
  if (isOpen && channels.get(id)) chat.open(channels.get(id));
  if (now !== "conversation") chat.leave();
  document.body.dataset.view = now;
  for (const [name, link] of [
    ["patients", "to-patients"],
    ["messages", "to-messages"],
  ]) {
    const here = (name === "patients") === (view === "patients");
    here ? byId(link).setAttribute("aria-current", "page") : byId(link).removeAttribute("aria-current");
  }
  byId("patients").hidden = view !== "patients";
  byId("panes").hidden = view === "patients";
  byId("conversation").hidden = now !== "conversation";
  byId("nothing-open").hidden = now === "conversation";
  moveFocus(now, id, chat);
}

/** The address names a channel that is not, or not yet, mine: a new one may still be on its way. */
function missing(channels, id) {
  replaceRoute("#/");
  channels.refresh().then(() => channels.get(id) && (location.hash = toChannel(id)));
}

function moveFocus(now, id, chat) {
  const view = `${now} ${id ?? ""}`;
  if (shown === view) return;
  const before = shown;
  shown = view;
  if (view.startsWith("patients")) patients.open();
  if (before === null) return;
  if (now === "conversation") chat.focus();
  else if (now === "list") list.focus(before.split(" ")[1]);
  else byId("patients-title").focus();
}
