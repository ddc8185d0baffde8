/** What every place is made of: a title, a line that says what happened, and a body that is drawn anew. */

import { h, say } from "../dom.js";
import { confirmed } from "../parts/dialog.js";

export class View {
  title = h("h2", { tabindex: -1, dir: "auto" });
  words = h("p", { role: "status" });
  body = h("div", { class: "panels" });
  head = h("header", { class: "head" });

  /** @param id of the element; its parts have ids that begin with it */
  constructor(id, page) {
    this.page = page;
    this.title.id = `${id}-title`;
    this.words.id = `${id}-words`;
    this.head.append(this.title);
    this.element = h("section", { id, class: "view", "aria-labelledby": this.title.id }, this.head, this.words, this.body);
  }

  focus() {
    this.title.focus();
  }

  rpc(operation, params) {
    return this.page.wire.rpc(operation, params);
  }

  may(permission) {
    return this.page.me.permissions.includes(permission);
  }

  say(words) {
    say(this.words, words);
  }

  /** Runs `work` and says what went wrong, or `done`. Answers what it answered; undefined when it failed. */
  async attempt(work, done = "") {
    try {
      const answer = await work();
      this.say(done);
      return answer ?? null;
    } catch (error) {
      if (!error.code) throw error;
      this.say(error.message);
      return undefined;
    }
  }

  /** Asks first. */
  async confirm(question, work, done) {
    if (await confirmed(question)) return this.attempt(work, done);
    return undefined;
  }

  /** Draws the body; whoever had the focus on something of a name in it has it again. */
  fill(...children) {
    const held = this.body.contains(document.activeElement) ? nameOfControl(document.activeElement) : null;
    this.body.replaceChildren(...children.flat().filter(Boolean));
    if (!held) return;
    const again = [...this.body.querySelectorAll("a, button, input, select")].find((one) => nameOfControl(one) === held);
    (again ?? this.title).focus({ preventScroll: true });
  }
}

const nameOfControl = (element) => element.id || element.textContent;

/** A titled part of a place. */
export function panel(title, ...children) {
  return h("section", { class: "panel" }, h("h3", {}, title), ...children.flat().filter(Boolean));
}

/** `[[term, words or element]]` as a list. */
export function facts(pairs) {
  const row = ([term, words]) => h("div", {}, h("dt", {}, term), h("dd", { dir: "auto" }, words));
  return h("dl", { class: "facts" }, ...pairs.filter(Boolean).map(row));
}

export function button(words, run, attributes = {}) {
  return h("button", { type: "button", onclick: run, ...attributes }, words);
}

export function buttons(...all) {
  return h("p", { class: "row" }, ...all.flat().filter(Boolean));
}

/** A warning that stands where it concerns. */
export function attention(words) {
  return h("p", { class: "attention" }, words);
}
