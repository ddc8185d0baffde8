/** How else patients reach the team where a channel is closed, and who is added when nobody else is left. */

import { ask } from "../parts/form.js";
import { nameOfPerson, teamMembers } from "../people.js";
import { roleName } from "../words.js";
import { attention, button, buttons, facts, panel, View } from "./view.js";

export class Contact extends View {
  #settings = null;

  constructor(page) {
    super("contact", page);
    this.title.textContent = "Contact and safety net";
  }

  open() {
    return this.#fetch();
  }

  #fetch(done = "") {
    return this.attempt(async () => {
      const settings = (this.#settings = await this.rpc("organization.settings"));
      const net = settings.safety_net_id && (await nameOfPerson(this.page.wire, settings.safety_net_id));
      this.fill(
        panel(
          "Contact text",
          facts([["Patients read this where a channel is closed", settings.contact_text || "Nothing is set: they read “To reach your team, contact your clinic.”"]]),
        ),
        panel(
          "Safety net",
          settings.needs_attention && attention(`Needs attention: ${net} is archived. Name somebody else.`),
          facts([["Who is added to a patient’s channel when nobody else is left", net ?? "Nobody: archiving the last one of a channel’s team is refused then"]]),
        ),
        buttons(button("Change", () => this.#change())),
      );
    }, done);
  }

  async #change() {
    const team = await this.attempt(() => teamMembers(this.page.wire));
    if (!team) return;
    const { contact_text: text, safety_net_id: net } = this.#settings;
    const options = team.map(({ id, name, role }) => ({ value: id, label: `${name} (${roleName(role)})`, chosen: id === net }));
    const done = await ask({
      title: "Contact and safety net",
      fields: [
        { name: "contact_text", label: "Contact text", rows: 4, value: text, hint: "A telephone number, when it is answered, what to do at night" },
        { name: "safety_net_id", label: "Safety net", options: [{ value: "", label: "Nobody" }, ...options] },
      ],
      submit: "Save",
      run: ({ contact_text: words = "", safety_net_id: person = null }) => this.rpc("organization.update", { contact_text: words, safety_net_id: person }),
    });
    if (done) await this.#fetch("Saved.");
  }
}
