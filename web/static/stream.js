/** The live stream: opened for a choice, and opened again whenever it breaks or falls silent. */

const SILENCE = 20_000; // a connection can die without an error; the server speaks at least every few seconds
const LONGEST_WAIT = 10_000;

export class LiveStream {
  #handlers;
  #onLost;
  #source = null;
  #timer = 0;
  #failures = 0;
  #address = "";

  /** `handlers` take what comes, by the name of the event; `onLost` is told when nothing comes any more. */
  constructor(handlers, onLost) {
    this.#handlers = handlers;
    this.#onLost = onLost;
  }

  /** Follows `choice` (survey, window; the server fills in what is missing) from now on. */
  open(choice) {
    this.#address = `/v1/live?${new URLSearchParams(choice)}`;
    this.#connect();
  }

  #connect() {
    this.#source?.close();
    this.#source = new EventSource(this.#address);
    for (const [name, show] of Object.entries(this.#handlers)) {
      this.#source.addEventListener(name, (event) => this.#receive(event, show));
    }
    this.#source.addEventListener("error", () => this.#lost());
    this.#later(SILENCE, () => this.#lost());
  }

  #receive(event, show) {
    this.#failures = 0;
    this.#later(SILENCE, () => this.#lost());
    show(JSON.parse(event.data));
  }

  #lost() {
    this.#source.close();
    this.#onLost();
    this.#later(Math.min(1000 * 2 ** this.#failures++, LONGEST_WAIT), () => this.#connect());
  }

  #later(delay, action) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(action, delay);
  }
}
