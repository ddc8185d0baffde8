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

/** "Changed by you, …", or "" where nobody has: `{by, by_name, at}` as of a setting, `me` my person id. */
export function changedWords({ by, by_name: name, at }, me) {
  if (!at) return "";
  return `Changed by ${by === me ? "you" : (name ?? "somebody of the clinic")}, ${dateOf(at)}, ${timeOf(at)}`;
}

/** "22:00 to 07:00 (Europe/Berlin)" */
export function quietWords({ from, until, time_zone: zone }) {
  return `${from.slice(0, 5)} to ${until.slice(0, 5)} (${zone})`;
}
