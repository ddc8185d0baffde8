/** The patient's page: straight into the care team's conversation; a list only when there are several. */

import { drawAccount } from "./account.js";
import { ChannelList } from "./channel_list.js";
import { ChannelMenu } from "./channel_menu.js";
import { Details } from "./details.js";
import { byId, say } from "./dom.js";
import { leaveAsPatient } from "./leaving.js";
import { showMyProfile } from "./my_profile.js";
import { Offer } from "./notices/offer.js";
import { showSettings } from "./notices/settings.js";
import { startPage } from "./page.js";
import { replaceRoute, route, toChannel } from "./route.js";
import { badge } from "./words.js";

const list = new ChannelList(byId("channels"), "patient");
let details;
let shown = null; // the last view, to move the focus only when it changes

startPage({ kind: "patient", audience: "patient", ready, draw });

function ready(page) {
  drawAccount(page.me, [
    { words: "Settings", run: () => showSettings(page) },
    { words: "How others see me", run: () => showMyProfile(page) },
  ]);
  page.offer = new Offer(page);
  sayClosed(page.me);
  details = new Details(page);
  new ChannelMenu(page, details, (channel) => acts(page, channel));
  addEventListener("hashchange", () => draw(page));
}

/** To a patient who is archived: nothing will appear here any more, and how else to reach the clinic. */
function sayClosed({ other_ways: ways }) {
  if (!ways) return;
  say(byId("none-title"), "Your record with this clinic is closed");
  say(byId("none-words"), (ways.length ? ways : ["To reach your team, contact your clinic."]).join("\n\n"));
}

/** What a patient can do with a channel as a whole. */
function acts(page, channel) {
  if (channel?.kind !== "group") return [];
  return [{ words: "Leave this group", run: () => leaveAsPatient(page, channel) }];
}

function draw(page) {
  const { channels, chat } = page;
  const several = channels.size > 1;
  const straightIn = shown === null || !several;
  if (straightIn && channels.first && !channels.get(route().id)) replaceRoute(toChannel(channels.first.id));
  show(page, several);
  list.draw(channels.sections(), chat);
  details.draw();
  const elsewhere = channels.unread - (channels.get(chat.channelId)?.unread ?? 0);
  say(byId("back-count"), elsewhere ? badge(elsewhere) : "");
  document.title = channels.unread ? `(${badge(channels.unread)}) Your messages` : "Your messages";
}

function show({ channels, chat }, several) {
  const { view, id } = route();
  const isOpen = view === "channel" && (channels.get(id) || chat.channelId === id);
  const now = isOpen ? "conversation" : channels.size ? "list" : "none";
  if (isOpen && channels.get(id)) chat.open(channels.get(id));
  if (!isOpen) chat.leave();
  document.body.dataset.view = now;
  document.body.classList.toggle("several", several);
  byId("none").hidden = now !== "none";
  byId("conversation").hidden = now !== "conversation";
  if (now !== "conversation") byId("details").hidden = true;
  moveFocus(now, id, chat);
}

function moveFocus(now, id, chat) {
  const view = `${now} ${id ?? ""}`;
  if (shown === view) return;
  const before = shown;
  shown = view;
  if (before !== null) now === "list" ? list.focus(before.split(" ")[1]) : chat.focus();
}
