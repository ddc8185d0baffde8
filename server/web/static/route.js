/** Where one is, in the address after "#": "#/channel/<id>", "#/patients", or "#/". Ids only, never names. */

/** `{view: "channel", id}`, `{view: "patients"}` or `{view: "list"}` */
export function route() {
  const [, view, id] = location.hash.split("/");
  if (view === "channel" && id) return { view, id: decodeURIComponent(id) };
  return { view: view === "patients" ? "patients" : "list" };
}

export function toChannel(id) {
  return `#/channel/${encodeURIComponent(id)}`;
}

/** Goes there without a step in the history: the back button does not return to what only led on. */
export function replaceRoute(hash) {
  history.replaceState(null, "", `${location.pathname}${location.search}${hash}`);
}
