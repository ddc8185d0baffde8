/** Days and times in the reader's own zone and language. */

const clock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const full = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long", year: "numeric" });
const short = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const date = new Intl.DateTimeFormat(undefined, { dateStyle: "long" });
const zone = new Intl.DateTimeFormat(undefined, { timeZoneName: "shortOffset" });
const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "medium" });

/** "2025-03-09": the local day, in an order that sorts. */
export function dayOf(when) {
  const date = new Date(when);
  const two = (number) => String(number).padStart(2, "0");
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

export function timeOf(at) {
  return clock.format(new Date(at));
}

/** The whole moment, for whoever asks (a tooltip). */
export function momentOf(at) {
  return exact.format(new Date(at));
}

/** The date alone. */
export function dateOf(at) {
  return date.format(new Date(at));
}

/** The reader's time zone, as one would name it: "Europe/Berlin (GMT+1)". */
export function zoneName() {
  const { timeZone } = exact.resolvedOptions();
  const offset = zone.formatToParts(new Date()).find(({ type }) => type === "timeZoneName")?.value;
  return offset && offset !== timeZone ? `${timeZone} (${offset})` : timeZone;
}

export function dayWords(at, now = new Date()) {
  const day = dayOf(at);
  if (day === dayOf(now)) return "Today";
  if (day === dayOf(dayBefore(now))) return "Yesterday";
  const date = new Date(at);
  return (date.getFullYear() === now.getFullYear() ? weekday : full).format(date);
}

/** For the list: the time today, "Yesterday", else the day. */
export function briefly(at, now = new Date()) {
  const day = dayOf(at);
  if (day === dayOf(now)) return timeOf(at);
  return day === dayOf(dayBefore(now)) ? "Yesterday" : short.format(new Date(at));
}

function dayBefore(now) {
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1, 12);
}
