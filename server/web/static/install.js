/** Makes the page one that can be installed: its service worker. Nothing depends on it. */

/** Registers the worker where the browser has such things, and the address is safe enough for them. */
export async function installWorker() {
  if (!navigator.serviceWorker) return;
  const rule = { createScriptURL: (address) => address };
  const policy = globalThis.trustedTypes?.createPolicy("warmline-worker", rule) ?? rule;
  try {
    await navigator.serviceWorker.register(policy.createScriptURL("/worker.js"), { scope: "/" });
  } catch {
    // A browser that refuses (private windows do) shows its own page when it is offline.
  }
}
