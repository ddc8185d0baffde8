/** Quiet hours: from when until when nothing is sent, and in which time zone. */

import { h, say } from "../dom.js";
import { ask } from "../parts/form.js";
import { changedWords, quietWords } from "./words.js";

const HINT = "Nothing is sent to you between these times; what is still unread when they end is told then. This page itself stays as it is.";
const FIRST = { from: "22:00", until: "07:00" };

export class QuietHours {
  element = h("section", { class: "profile-block" });
  #me;
  #set;

  /** @param me my person id; `set(quiet)` sends `{from, until, time_zone}` or null and answers all settings anew */
  constructor({ me, set }) {
    this.#me = me;
    this.#set = set;
  }

  draw({ quiet }, done = "") {
    const note = changedWords(quiet ?? {}, this.#me);
    const button = (words, run) => h("button", { type: "button", class: "small", onclick: run }, words);
    const status = h("p", { role: "status" });
    this.element.replaceChildren(
      h("h3", {}, "Quiet hours"),
      h("p", {}, quiet ? quietWords(quiet) : "None: you are told at any time."),
      h("p", { class: "quiet" }, HINT, note ? h("span", { class: "changed" }, note) : null),
      h("p", { class: "row" }, button(quiet ? "Change" : "Set quiet hours", () => this.#ask(quiet)), quiet ? button("No quiet hours", () => this.#end(status)) : null),
      status,
    );
    say(status, done);
  }

  async #ask(quiet) {
    const { from, until, time_zone: zone } = quiet ?? { ...FIRST, time_zone: ownZone() };
    const done = await ask({
      title: "Quiet hours",
      fields: [
        { name: "from", label: "From", type: "time", required: true, value: from.slice(0, 5) },
        { name: "until", label: "Until", type: "time", required: true, value: until.slice(0, 5) },
        { name: "time_zone", label: "Time zone", required: true, options: zones(zone) },
      ],
      submit: "Save",
      run: (values) => this.#set(values),
    });
    if (done) this.#drawn(done);
  }

  async #end(status) {
    say(status, "One moment…");
    try {
      this.#drawn(await this.#set(null));
    } catch (error) {
      if (!error.code) throw error;
      say(status, error.message);
    }
  }

  /** What had the focus is drawn anew: its place has it again. */
  #drawn(settings) {
    this.draw(settings, "Saved.");
    this.element.querySelector("button").focus();
  }
}

function ownZone() {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone;
}

/** All zones that the browser knows, as options; some know none but their own. */
function zones(chosen) {
  const all = new Set([...(Intl.supportedValuesOf?.("timeZone") ?? []), ownZone(), chosen]);
  return [...all].sort().map((zone) => ({ value: zone, label: zone.replaceAll("_", " "), chosen: zone === chosen }));
}
