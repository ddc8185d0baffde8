/** How I am told of messages while I am away: *Settings → Notifications* of a patient, *My Profile* of a team member. A dialog. */

import { h } from "../dom.js";
import { showDialog } from "../parts/dialog.js";
import { roleName } from "../words.js";
import { OtherDevices } from "./other_devices.js";
import { QuietHours } from "./quiet_hours.js";
import { Switches } from "./switches.js";
import { ThisDevice } from "./this_device.js";

const WORDS = "So that you hear of a message while this page is closed. What is sent never says who wrote, or what.";
const HINTS = {
  push: "On every device where they are turned on.",
  unread_email: "When a message has stayed unread for a few minutes: one email, and no more until you have read.",
};

let shown = null; // while it is open

/** Shows it; resolves when it is closed. Asked for again meanwhile, it stays as it is. */
export function showSettings(page) {
  shown ??= show(page).finally(() => (shown = null));
  return shown;
}

function show(page) {
  const place = h("div", {}, h("p", { role: "status" }, "One moment…"));
  const close = (done) => h("p", { class: "buttons" }, h("button", { type: "button", onclick: () => done() }, "Close"));
  const staff = page.audience === "staff";
  const closed = showDialog({
    title: staff ? "My Profile" : "Settings",
    content: (done) => [staff ? myself(page.me) : null, h("h3", { class: "part" }, "Notifications"), h("p", { class: "quiet" }, WORDS), place, close(done)].filter(Boolean),
  });
  draw(page, place).then((changed) => closed.then(page.device.watch(changed)));
  return closed;
}

/** Who one is here; names and roles are changed by whoever manages the team. */
function myself({ person: { name, role }, organization }) {
  return h("p", {}, h("bdi", {}, name), role ? ` · ${roleName(role)}` : "", ` · ${organization.name}`);
}

/** Fetches and draws them. Answers what is to be called when this device has changed. */
async function draw(page, place) {
  const me = page.me.person.id;
  const drawn = (settings) => {
    switches.draw(settings);
    device.draw(settings.push.on);
    return settings;
  };
  const set = async (values) => {
    const settings = await page.wire.rpc("notice.set_preferences", values);
    page.channels.refresh(); // who would be told in a channel may have changed
    return drawn(settings);
  };
  const switches = new Switches({ me, hints: HINTS, set });
  const device = new ThisDevice(page.device, () => set({ push: true }));
  const others = new OtherDevices(page.wire, page.device);
  const quiet = new QuietHours({ me, set: (hours) => set({ quiet: hours }) });
  try {
    await others.again(); // first: this device may turn out to be none any more
    quiet.draw(drawn(await page.wire.rpc("notice.preferences")));
    place.replaceChildren(switches.element, device.element, others.element, quiet.element);
    switches.focus();
  } catch (error) {
    if (!error.code) throw error;
    place.replaceChildren(h("p", { class: "failure", role: "alert" }, error.message));
  }
  return () => {
    device.draw();
    others.again();
  };
}
