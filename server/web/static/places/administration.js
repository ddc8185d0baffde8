/** Administration: Portal Settings and what belongs to them, one page each; only those that one may change are shown. */

import { h } from "../dom.js";
import { toPlace } from "../route.js";
import { ActivationRules } from "./activation_rules.js";
import { Contact } from "./contact.js";
import { Notifications } from "./notifications.js";
import { PatientGroups } from "./patient_groups.js";
import { Roles } from "./roles.js";

const PAGES = [
  { name: "activation-rules", label: "Message Centre Activation Rules", needs: "settings.manage", Page: ActivationRules },
  { name: "contact", label: "Contact and safety net", needs: "settings.manage", Page: Contact },
  { name: "notifications", label: "Notifications", needs: "settings.manage", Page: Notifications },
  { name: "patient-groups", label: "Patient groups", needs: "settings.manage", Page: PatientGroups },
  { name: "roles", label: "Roles", needs: "team.manage", Page: Roles },
];

const mine = ({ permissions }) => PAGES.filter(({ needs }) => permissions.includes(needs));

export const administration = {
  name: "administration",
  label: "Administration",
  may: (me) => mine(me).length > 0,
  make: (page) => new Administration(page),
};

class Administration {
  #pages = new Map(); // name → {view, link}
  #shown = null;
  element;

  constructor(page) {
    const line = h("nav", { class: "tabs subplaces", "aria-label": "Portal Settings" });
    this.element = h("div", { class: "with-subplaces" }, line);
    for (const { name, label, Page } of mine(page.me)) {
      const view = new Page(page);
      view.element.hidden = true;
      const link = h("a", { href: toPlace("administration", name) }, label);
      line.append(link);
      this.element.append(view.element);
      this.#pages.set(name, { view, link });
    }
  }

  open(id) {
    const name = this.#pages.has(id) ? id : [...this.#pages.keys()][0];
    for (const [each, { view, link }] of this.#pages) {
      view.element.hidden = each !== name;
      link.toggleAttribute("aria-current", false);
      if (each === name) link.setAttribute("aria-current", "page");
    }
    this.#shown = this.#pages.get(name).view;
    return this.#shown.open();
  }

  draw() {}

  focus() {
    this.#shown.focus();
  }
}
