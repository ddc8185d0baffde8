/** Signs of life: the server hears of them about once a minute; after too long without any, the page signs out by itself. */

import { idleMinutes } from "./signin.js";

const SIGNS = ["keydown", "pointerdown", "pointermove", "wheel", "touchstart"];
const TELL_EVERY = 60_000;
const LOOK_EVERY = 5_000;

/**
 * @param active tells the server that somebody is here
 * @param over called when nobody has been for as long as the settings say
 */
export function watchIdle(active, over) {
  const limit = idleMinutes() * 60_000;
  if (!limit) return;
  // The windows of one browser stand on one desk: a sign of life in one is one in all.
  const others = new BroadcastChannel("warmline.active");
  let seen = Date.now();
  let told = seen;
  const sign = (ours) => {
    seen = Date.now();
    if (seen - told < Math.min(TELL_EVERY, limit / 4)) return;
    told = seen;
    if (ours) others.postMessage("active");
    active();
  };
  others.onmessage = () => sign(false);
  for (const name of SIGNS) addEventListener(name, () => sign(true), { passive: true, capture: true });
  setInterval(() => {
    if (Date.now() - seen < limit) return;
    seen = Date.now();
    over();
  }, LOOK_EVERY);
}
