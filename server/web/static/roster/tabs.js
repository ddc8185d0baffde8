/** The line above the lists of the roster, from one to the other. */

import { h } from "../dom.js";
import { toPlace } from "../route.js";

const TABS = [
  { name: "groups", label: "Groups", permission: "group.read" },
  { name: "guests", label: "Guests", permission: "group.read" },
  { name: "encounters", label: "Encounters", permission: "group.encounter.read" },
];

/** @param here the name of the place one is in */
export function tabs({ permissions }, here) {
  const link = ({ name, label }) =>
    h("a", { href: toPlace(name), "aria-current": name === here ? "page" : null }, label);
  const mine = TABS.filter(({ permission }) => permissions.includes(permission));
  return h("nav", { class: "tabs", "aria-label": "Groups" }, ...mine.map(link));
}
