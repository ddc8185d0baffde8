/** What the message list shows, line by line: items and pendings in days, in runs by author. Pure. */

import { dayOf } from "./time.js";

const RUN = 5 * 60_000; // messages of one author within this time stand together under one name

const times = new WeakMap();

/** When an item was written: the local day, and ms. Worked out once: lists are long, and drawn often. */
function timesOf(item) {
  if (!times.has(item)) times.set(item, { day: dayOf(item.at), ms: Date.parse(item.at) });
  return times.get(item);
}

/**
 * Days `{key, at, rows}` with rows `{kind, key, …}`: new {}, system {item}, message {item, own, starts, brief}, pending {entry,
 * starts}. `starts`: the first of a run, with the name above; `brief`: the next one of the run says the same time.
 * @param newAfter the read mark when the channel was opened (null: no line): the first message of others behind it gets a line above
 */
export function daysOf({ items, pendings, me, keyOf, newAfter }) {
  const page = new Page();
  let marked = newAfter === null;
  for (const item of items) {
    const key = keyOf(item);
    if (item.type !== "message") {
      page.add({ kind: "system", key, item }, item);
      continue;
    }
    const own = item.author === me;
    if (!marked && !own && item.offset > newAfter) {
      page.add({ kind: "new", key: "new" }, item);
      marked = true;
    }
    page.addToRun({ kind: "message", key, item, own, brief: false }, item, item.author);
  }
  for (const entry of pendings) page.addToRun({ kind: "pending", key: entry.clientId, entry }, entry, me);
  return page.days;
}

class Page {
  days = [];
  #last = null; // {author, ms, row}: the message above, while its run lasts

  /** A row of its own: whatever run there was ends here. */
  add(row, item) {
    this.#dayOf(timesOf(item), item.at).rows.push(row);
    this.#last = null;
  }

  addToRun(row, item, author) {
    const { ms } = timesOf(item);
    const { rows } = this.#dayOf(timesOf(item), item.at);
    const last = this.#last;
    row.starts = !(last?.author === author && ms - last.ms < RUN);
    if (!row.starts && minute(ms) === minute(last.ms)) last.row.brief = true;
    rows.push(row);
    this.#last = { author, ms, row };
  }

  /** Offsets are the order, clocks only nearly: an item that is a little early stays in the day above it. */
  #dayOf({ day }, at) {
    if (day > (this.days.at(-1)?.key ?? "")) {
      this.days.push({ key: day, at, rows: [] });
      this.#last = null;
    }
    return this.days.at(-1);
  }
}

function minute(ms) {
  return Math.floor(ms / 60_000);
}
