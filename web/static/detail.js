/** What the page asks for beside the stream: at once after a choice, and then now and then while the stream lives. */

const PATIENCE = 10_000;

export class Detail {
  #path;
  #every;
  #show;
  #subject = "";
  #address = "";
  #asked = -Infinity;
  #asking = null;

  /** `show` is given each answer, and null while there is none: nothing older is shown in its place. */
  constructor(path, every, show) {
    this.#path = path;
    this.#every = every;
    this.#show = show;
  }

  /** Asks about a subject, unless that was asked a moment ago; what is known of it stays until more is. */
  refresh(subject, more = {}) {
    const address = `${this.#path}?${new URLSearchParams({ ...subject, ...more })}`;
    const same = address === this.#address;
    if (same && (this.#asking || performance.now() - this.#asked < this.#every)) return;
    if (JSON.stringify(subject) !== this.#subject) this.forget();
    this.#subject = JSON.stringify(subject);
    this.#address = address;
    this.#ask();
  }

  /** Shows nothing, until it is asked again. */
  forget() {
    this.#asking?.abort();
    this.#asking = null;
    this.#address = this.#subject = "";
    this.#show(null);
  }

  async #ask() {
    this.#asking?.abort();
    const asking = new AbortController();
    this.#asking = asking;
    this.#asked = performance.now();
    let found = null;
    try {
      const signal = AbortSignal.any([asking.signal, AbortSignal.timeout(PATIENCE)]);
      const reply = await fetch(this.#address, { signal });
      if (reply.ok) found = await reply.json();
    } catch {
      // Nobody answers: the stream tells people so.
    }
    if (this.#asking !== asking) return; // something else was asked since
    this.#asking = null;
    this.#show(found);
  }
}
