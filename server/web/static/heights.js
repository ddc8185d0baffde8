/** Where each line of a long list stands: measured heights where a line was drawn once, the mean of them where not. Pure. */

const FIRST_GUESS = 56; // px, until something was measured

export class Heights {
  #known = new Map(); // key → px
  #sum = 0;
  #tops = [0]; // #tops[i] is where line i begins; the last one is where all of it ends

  /** The lines from top to bottom are now these. */
  lay(keys) {
    const guess = this.#known.size ? this.#sum / this.#known.size : FIRST_GUESS;
    const tops = new Array(keys.length + 1);
    tops[0] = 0;
    for (let at = 0; at < keys.length; at += 1) tops[at + 1] = tops[at] + (this.#known.get(keys[at]) ?? guess);
    this.#tops = tops;
  }

  /** A line was drawn, and is so high. It counts from the next lay() on. */
  measured(key, height) {
    this.#sum += height - (this.#known.get(key) ?? 0);
    this.#known.set(key, height);
  }

  clear() {
    this.#known.clear();
    this.#sum = 0;
    this.#tops = [0];
  }

  get count() {
    return this.#tops.length - 1;
  }

  get whole() {
    return this.#tops[this.count];
  }

  topOf(line) {
    return this.#tops[line];
  }

  /** The line that covers `y`; the first or last one beyond the ends. */
  lineAt(y) {
    let low = 0;
    let high = Math.max(0, this.count - 1);
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.#tops[middle] <= y) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** The lines that cover what lies between `top` and `bottom`: from the first, before the second. */
  between(top, bottom) {
    return this.count ? [this.lineAt(top), this.lineAt(bottom) + 1] : [0, 0];
  }
}
