/** How other patients see me: a name and a picture for all groups, and others for one group alone. A dialog of the patient's page. */

import { h, say } from "./dom.js";
import { showDialog } from "./parts/dialog.js";
import { makeField } from "./parts/field.js";

const WORDS =
  "Your team always sees your real name. Other patients, in groups, see only what you choose here. With another name and picture " +
  "in each group, nobody can tell that it is you in both.";

/** Shows it; resolves when it is closed. */
export async function showMyProfile(page) {
  const place = h("div", {}, h("p", { role: "status" }, "One moment…"));
  const close = (done) => h("p", { class: "buttons" }, h("button", { type: "button", onclick: () => done() }, "Close"));
  const shown = showDialog({ title: "How others see you", words: WORDS, content: (done) => [place, close(done)] });
  await new MyProfile(page, place).draw();
  return shown;
}

class MyProfile {
  #page;
  #place;

  constructor(page, place) {
    this.#page = page;
    this.#place = place;
  }

  async draw() {
    try {
      const profile = await this.#page.wire.rpc("profile.get");
      const groups = this.#page.channels.sections().flatMap(({ channels }) => channels).filter(({ kind, status }) => kind === "group" && status === "active");
      this.#place.replaceChildren(this.#default(profile), ...groups.map((group) => this.#inGroup(group, profile)));
    } catch (error) {
      if (!error.code) throw error;
      this.#place.replaceChildren(h("p", { class: "failure", role: "alert" }, error.message));
    }
  }

  /** What holds wherever nothing else is said. */
  #default({ display_name: name, has_picture: has }) {
    const save = ({ display_name: chosen = null }) => this.#page.wire.rpc("profile.update", { display_name: chosen });
    const note = has ? "You show a picture." : "You show no picture.";
    return this.#block({ title: "In all groups", hint: "Empty: “Group member”", name, save, channelId: null, has, note });
  }

  /** What differs in one group. */
  #inGroup({ id, name: title }, { channels }) {
    const own = channels.find(({ channel_id: channel }) => channel === id) ?? { display_name: null, picture: "default" };
    const put = (values) => this.#page.wire.rpc("channel.profile", { channel_id: id, display_name: own.display_name, picture: own.picture, ...values });
    const save = async ({ display_name: chosen = null }) => (own.display_name = (await put({ display_name: chosen })).display_name);
    const note = { default: "The picture is as in all groups.", own: "You show a picture of its own here.", none: "You show no picture here." }[own.picture];
    const back = own.picture === "default" ? null : { words: "As in all groups", run: () => put({ picture: "default" }) };
    const has = own.picture !== "none";
    return this.#block({ title: `In “${title}” only`, hint: "Empty: as in all groups", name: own.display_name, save, channelId: id, has, note, back });
  }

  #block({ title, hint, name, save, channelId, has, note, back }) {
    const status = h("p", { role: "status" });
    const field = makeField({ name: "display_name", label: "Display name", hint, value: name ?? "" });
    const form = h("form", { class: "line" }, field.element, h("button", { type: "submit" }, "Save"));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#run(status, field, () => save({ display_name: field.value() }), "Saved.");
    });
    return h("section", { class: "profile-block" }, h("h3", {}, title), form, this.#picture({ channelId, has, note, back, title, status }), status);
  }

  #picture({ channelId, has, note, back, title, status }) {
    const { pictures } = this.#page;
    const done = (work, words) => this.#run(status, null, work, words).then((well) => well && this.#again(title, words));
    const file = h("input", { type: "file", accept: "image/jpeg,image/png,image/webp,image/gif", class: "unseen", tabindex: -1, "aria-hidden": "true" });
    file.addEventListener("change", () => file.files[0] && done(() => pictures.give(channelId, file.files[0]), "Your picture is shown from now on."));
    const button = (words, run) => h("button", { type: "button", class: "small", onclick: run }, words);
    return h(
      "div",
      { class: "profile-picture" },
      h("p", { class: "quiet" }, note),
      file,
      button("Choose a picture", () => file.click()),
      has ? button("Show no picture", () => done(() => pictures.takeAway(channelId), "No picture is shown from now on.")) : null,
      back ? button(back.words, () => done(back.run, "It is as in all groups now.")) : null,
    );
  }

  /** Draws it anew, says what was done, and gives the focus back to where it was done. */
  async #again(title, words) {
    await this.draw();
    const block = [...this.#place.querySelectorAll("section")].find((one) => one.querySelector("h3").textContent === title);
    if (!block) return;
    say(block.querySelector(":scope > [role=status]"), words);
    block.querySelector("button.small").focus();
  }

  /** Runs it and says how it went; a refusal of the name stands beside the name. */
  async #run(status, field, work, words) {
    say(status, "One moment…");
    try {
      await work();
      say(status, words);
      return true;
    } catch (error) {
      if (!error.code) throw error;
      const named = field && error.message.startsWith("display_name: ");
      const told = error.message.replace(/^\w+: /, "");
      say(status, named ? "" : told);
      if (named) {
        field.wrong(told.charAt(0).toUpperCase() + told.slice(1));
        field.focus();
      }
      return false;
    }
  }
}
