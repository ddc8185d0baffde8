/** How long to wait before trying again: full jitter, so that a thousand pages do not return in one breath. */

const SHORTEST = 300;
const LONGEST = 10_000;

/** Milliseconds until try number `tries` (0 = the first): somewhere between 0.3 s and a bound that doubles up to 10 s. */
export function backoff(tries) {
  const bound = Math.min(LONGEST, 1000 * 2 ** Math.min(tries, 10));
  return SHORTEST + Math.random() * (bound - SHORTEST);
}
