/** The message centre: channels by section, the conversation, its details; and the places beside them. */

import { drawAccount } from "./account.js";
import { staffActs, unarchive } from "./channel_acts.js";
import { ChannelFinder } from "./channel_finder.js";
import { ChannelList } from "./channel_list.js";
import { ChannelMenu } from "./channel_menu.js";
import { Details } from "./details.js";
import { byId, say } from "./dom.js";
import { NewChannel } from "./new_channel.js";
import { showSettings } from "./notices/settings.js";
import { startPage } from "./page.js";
import { administration } from "./places/administration.js";
import { encounters } from "./places/encounters.js";
import { groups } from "./places/groups.js";
import { guests } from "./places/guests.js";
import { patients } from "./places/patients.js";
import { mark, Places } from "./places/places.js";
import { team } from "./places/team.js";
import { replaceRoute, route, toChannel } from "./route.js";
import { Shortcuts } from "./shortcuts.js";
import { badge } from "./words.js";

const REFRESH = 10 * 60_000; // ms: whether anybody would be told in a channel changes elsewhere, and no hint says so
const PLACES = [patients, groups, guests, encounters, team, administration];

const list = new ChannelList(byId("channels"), "staff");
let details;
let finder;
let places;
let shown = null; // the last view and channel, to move the focus only when they change

startPage({ kind: "team_member", audience: "staff", ready, draw });

function ready(page) {
  const shortcuts = new Shortcuts(actions(page));
  drawAccount(page.me, [
    { words: "My Profile", run: () => showSettings(page) },
    { words: "Keyboard shortcuts", run: () => shortcuts.help() },
  ]);
  details = new Details(page);
  new ChannelMenu(page, details, (channel) => staffActs(page, channel));
  new NewChannel(page, byId("new-channel"));
  byId("closed-way").addEventListener("click", () => unarchive(page, page.channels.get(page.chat.channelId)));
  finder = new ChannelFinder(() => draw(page));
  places = new Places(page, PLACES, byId("places"), byId("place"));
  addEventListener("hashchange", () => draw(page));
  setInterval(() => page.wire.online && page.channels.refresh(), REFRESH);
}

function draw(page) {
  const { channels, chat } = page;
  show(page);
  const sections = finder.filter(channels);
  list.draw(sections, chat, finder.looking);
  byId("no-channels").hidden = channels.size > 0;
  finder.told(channels.size, sections);
  details.draw();
  const count = channels.unread ? badge(channels.unread) : "";
  say(byId("messages-count"), count);
  const elsewhere = channels.unread - (channels.get(chat.channelId)?.unread ?? 0);
  say(byId("back-count"), elsewhere ? badge(elsewhere) : "");
  document.title = count ? `(${count}) Message centre` : "Message centre";
}

function show({ channels, chat }) {
  const { view, id } = route();
  const place = places.has(view) ? view : null;
  const isOpen = view === "channel" && (channels.get(id) || chat.channelId === id);
  if (!place && view !== "list" && !isOpen) return missing(channels, id);
  const now = place ?? (isOpen ? "conversation" : "list");
  if (isOpen && channels.get(id)) chat.open(channels.get(id));
  if (now !== "conversation") chat.leave();
  document.body.dataset.view = now;
  mark(byId("to-messages"), !place);
  byId("panes").hidden = place !== null;
  byId("conversation").hidden = now !== "conversation";
  byId("nothing-open").hidden = now === "conversation";
  if (now !== "conversation") byId("details").hidden = true;
  places.show(place, id);
  moveFocus(now, id, chat);
}

/** The address names a channel that is not, or not yet, mine (a new one may still be on its way), or a place there is not. */
function missing(channels, id) {
  replaceRoute("#/");
  if (id) channels.refresh().then(() => channels.get(id) && (location.hash = toChannel(id)));
}

function moveFocus(now, id, chat) {
  const view = `${now} ${id ?? ""}`;
  if (shown === view) return;
  const before = shown;
  shown = view;
  if (before === null) return;
  if (now === "conversation") chat.focus();
  else if (now === "list") list.focus(before.split(" ")[1]);
  else places.focus(now);
}

/** What the keys do. */
function actions({ channels, chat }) {
  const all = () => channels.sections().flatMap(({ channels: some }) => some);
  const go = (channel) => channel && (location.hash = toChannel(channel.id));
  const step = (by) => {
    const at = all().findIndex(({ id }) => id === chat.channelId);
    go(all()[at < 0 ? 0 : at + by]);
  };
  const unread = () => {
    const after = all().findIndex(({ id }) => id === chat.channelId) + 1;
    const turned = [...all().slice(after), ...all().slice(0, after)];
    const next = turned.find(({ status, unread: count, marked_unread: marked, id }) => status === "active" && (count > 0 || marked) && id !== chat.channelId);
    next ? go(next) : chat.say("Nothing else is unread.");
  };
  return {
    next: () => step(1),
    previous: () => step(-1),
    unread,
    reply: () => chat.channelId && chat.focus(),
    find: () => {
      if (byId("panes").hidden) location.hash = "#/";
      byId("panes").hidden = false;
      finder.focus();
    },
    newest: () => chat.channelId && byId("newest").click(),
    details: () => chat.channelId && details.toggle(),
  };
}
