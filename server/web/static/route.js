/** Where one is, in the address after "#": "#/channel/<id>", "#/<place>", "#/<place>/<id>", or "#/". Ids only, never names. */

/** `{view: "list"}`, or `{view, id}` with view "channel" or a place's name. */
export function route() {
  const [, view, id] = location.hash.split("/");
  if (!view || (view === "channel" && !id)) return { view: "list" };
  return { view, id: id ? decoded(id) : undefined };
}

export function toChannel(id) {
  return `#/channel/${encodeURIComponent(id)}`;
}

export function toPlace(name, id) {
  return id ? `#/${name}/${encodeURIComponent(id)}` : `#/${name}`;
}

/** Goes there without a step in the history: the back button does not return to what only led on. */
export function replaceRoute(hash) {
  history.replaceState(null, "", `${location.pathname}${location.search}${hash}`);
}

function decoded(id) {
  try {
    return decodeURIComponent(id);
  } catch {
    return id; // not of our making: no channel is called so
  }
}
