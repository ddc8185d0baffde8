/** Timers by name: one of each, set anew when set again, and all of them ended at once. */

export class Timers {
  #running = new Map();

  /** Runs `then` in `delay` ms, instead of what ran under this name before. */
  set(name, delay, then) {
    clearTimeout(this.#running.get(name));
    const run = () => {
      this.#running.delete(name);
      then();
    };
    this.#running.set(name, setTimeout(run, delay));
  }

  has(name) {
    return this.#running.has(name);
  }

  cancel(name) {
    clearTimeout(this.#running.get(name));
    this.#running.delete(name);
  }

  cancelAll() {
    for (const timer of this.#running.values()) clearTimeout(timer);
    this.#running.clear();
  }
}
