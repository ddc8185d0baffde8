/** What is written, as text: counted, cleaned, matched, and cut into plain pieces and web links. No markup anywhere. */

export const TEXT_LIMIT = 8000; // Unicode code points after trimming (domain.md §3)

/** The text as it will be sent: trimmed, without the two things the server refuses (NUL and lone surrogates). */
export function clean(text) {
  const whole = text.replaceAll("\u0000", "");
  return (whole.toWellFormed ? whole.toWellFormed() : whole).trim();
}

/** Unicode code points, which is what the limit counts: an emoji is one here and two in `length`. */
export function codePoints(text) {
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

const LINK = /\bhttps?:\/\/[^\s<>"'`\u200b-\u200f\u202a-\u202e\u2066-\u2069]+/giu;
const TRAILING = /[.,:;!?…]$/u;
const PAIRS = { ")": "(", "]": "[", "}": "{" };

/** Cuts a text into `{text}` and `{text, href}` pieces that read, one after the other, exactly as the text. */
export function pieces(text) {
  const found = [];
  let last = 0;
  for (const match of text.matchAll(LINK)) {
    const shown = withoutTail(match[0]);
    const href = webAddress(shown);
    if (!href) continue;
    if (match.index > last) found.push({ text: text.slice(last, match.index) });
    found.push({ text: shown, href });
    last = match.index + shown.length;
  }
  if (last < text.length) found.push({ text: text.slice(last) });
  return found;
}

/** "(see https://example.org/a)." ends before the bracket and the stop; a bracket that was opened inside stays. */
function withoutTail(address) {
  const times = {};
  for (const sign of address) times[sign] = (times[sign] ?? 0) + 1;
  let end = address.length;
  for (; end > 0; end -= 1) {
    const last = address[end - 1];
    const unopened = last in PAIRS && times[last] > (times[PAIRS[last]] ?? 0);
    if (!TRAILING.test(last) && !unopened) break;
    times[last] -= 1;
  }
  return address.slice(0, end);
}

function webAddress(text) {
  try {
    const url = new URL(text);
    return (url.protocol === "https:" || url.protocol === "http:") && !url.username ? url.href : null;
  } catch {
    return null;
  }
}
