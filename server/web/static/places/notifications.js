/** For the whole organisation: when people who are away are told by email, and when a patient's message counts as unattended. */

import { ask } from "../parts/form.js";
import { plural } from "../words.js";
import { button, buttons, facts, panel, View } from "./view.js";

export class Notifications extends View {
  #settings = null;

  constructor(page) {
    super("notifications", page);
    this.title.textContent = "Notifications";
  }

  open() {
    return this.#fetch();
  }

  #fetch(done = "") {
    return this.attempt(async () => {
      const settings = (this.#settings = await this.rpc("organization.settings"));
      const named = settings.named_in_email ? `Yes: they say “${settings.name}”` : "No: they name nobody";
      this.fill(
        panel(
          "When people are away",
          facts([
            ["An email is sent when a message has stayed unread for", plural(settings.unread_email_minutes, "minute")],
            ["Emails name the organisation", named],
            ["A patient’s message is unattended when nobody of the team has read it after", plural(settings.unattended_hours, "hour")],
          ]),
        ),
        buttons(button("Change", () => this.#change())),
      );
    }, done);
  }

  async #change() {
    const { unread_email_minutes: minutes, unattended_hours: hours, named_in_email: named, name } = this.#settings;
    const done = await ask({
      title: "Notifications",
      fields: [
        { name: "unread_email_minutes", label: "Minutes until the email about unread messages", type: "number", min: 1, max: 1440, required: true, value: minutes },
        {
          name: "unattended_hours",
          label: "Hours until a patient’s message is unattended",
          type: "number",
          min: 1,
          max: 168,
          required: true,
          value: hours,
          hint: "The channel’s team is then told again, and after as long once more somebody else is added.",
        },
        {
          name: "named_in_email",
          label: "Emails name the organisation",
          required: true,
          hint: "Whoever sees the mailbox then learns that somebody has to do with it.",
          options: [
            { value: "no", label: "No", chosen: !named },
            { value: "yes", label: `Yes, as “${name}”`, chosen: named },
          ],
        },
      ],
      submit: "Save",
      run: (values) =>
        this.rpc("organization.update", {
          unread_email_minutes: Number(values.unread_email_minutes),
          unattended_hours: Number(values.unattended_hours),
          named_in_email: values.named_in_email === "yes",
        }),
    });
    if (done) await this.#fetch("Saved.");
  }
}
