/** Elements made by code. Children are nodes or text, and text stays text: nothing that was written becomes markup. */

/** h("button", { type: "button", onclick }, "Send"): false and null attributes and children are left out. */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...present(children));
  return element;
}

/** What is really there of a list of children. */
export function present(children) {
  return children.flat().filter((child) => child !== null && child !== undefined && child !== false);
}

export function byId(id) {
  return document.getElementById(id);
}

/** A name inside a sentence: its own direction stays its own. */
export function bdi(name) {
  return h("bdi", {}, name);
}

/** For screen readers only. */
export function unseen(text) {
  return h("span", { class: "unseen" }, text);
}

/** Sets text only when it differs, so that nothing is announced or laid out again for nothing. */
export function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Makes the children of `parent` exactly these, moving only what stands wrong. */
export function keepChildren(parent, elements) {
  const wanted = new Set(elements);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  let next = parent.firstElementChild;
  for (const element of elements) {
    if (element === next) next = next.nextElementSibling;
    else parent.insertBefore(element, next);
  }
}

/** Runs `draw` once, before the next frame; a page in the background has no frames, so there a timer serves. */
export function drawLater(draw) {
  let waiting = false;
  const run = () => {
    waiting = false;
    draw();
  };
  return () => {
    if (waiting) return;
    waiting = true;
    if (document.visibilityState === "visible") requestAnimationFrame(run);
    else setTimeout(run, 200);
  };
}

/** Whether Enter belongs to the on-screen keyboard: touch, and no mouse. */
export const onPhone = () => matchMedia("(hover: none) and (pointer: coarse)").matches;
