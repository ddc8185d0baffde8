/** What the pages say about notifications: whether this device is told, who changed a setting and when. */

import { dateOf, timeOf } from "../time.js";

/** About this browser, by Device.state: what is, and what one can do where no button helps. */
export const DEVICE_WORDS = {
  on: "This device is told of new messages.",
  off: "This device is not told of new messages.",
  blocked: "Notifications from this page are blocked in this browser. Allow them in the browser’s settings for this site, then open this page again.",
  unsupported: "This browser cannot show notifications.",
  install:
    "On an iPhone or iPad, add this page to the home screen first: tap Share, then “Add to Home Screen”. Then open it from there " +
    "and turn notifications on here.",
  server: "This server sends no push notifications.",
};

const BROWSERS = [
  ["fcm.googleapis.com", "Chrome, or a browser like it"],
  ["push.services.mozilla.com", "Firefox"],
  ["push.apple.com", "Safari, or an app on the home screen"],
  ["notify.windows.com", "Edge"],
];

/** Which browser a device is, by the host that takes its pushes; one that is not known, by the host. */
export function browserWords(host) {
  return BROWSERS.find(([name]) => host === name || host.endsWith(`.${name}`))?.[1] ?? host;
}

/** "Changed by you, …", or "" where nobody has: `{by, by_name, at}` as of a setting, `me` my person id. */
export function changedWords({ by, by_name: name, at }, me) {
  if (!at) return "";
  return `Changed by ${by === me ? "you" : (name ?? "somebody of the clinic")}, ${momentWords(at)}`;
}

/** "9 March 2025, 14:05" */
export function momentWords(at) {
  return `${dateOf(at)}, ${timeOf(at)}`;
}

/** "22:00 to 07:00 (Europe/Berlin)" */
export function quietWords({ from, until, time_zone: zone }) {
  return `${from.slice(0, 5)} to ${until.slice(0, 5)} (${zone})`;
}
