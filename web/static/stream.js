/** The live stream: opened for a choice, and opened again whenever it breaks or falls silent. */

const SILENCE = 20_000; // a connection can die without an error; the server speaks at least every few seconds
const LONGEST_WAIT = 10_000;

export class LiveStream {
  #onSnapshot;
  #onRecovering;
  #onState;
  #source = null;
  #timer = 0;
  #failures = 0;
  #address = "";

  constructor({ onSnapshot, onRecovering, onState }) {
    this.#onSnapshot = onSnapshot;
    this.#onRecovering = onRecovering;
    this.#onState = onState;
  }

  /** Follows `choice` (survey, window; the server fills in what is missing) from now on. */
  open(choice) {
    this.#address = `/v1/live?${new URLSearchParams(choice)}`;
    this.#connect();
  }

  #connect() {
    this.#source?.close();
    this.#source = new EventSource(this.#address);
    this.#source.addEventListener("snapshot", (event) => this.#receive(event, this.#onSnapshot));
    this.#source.addEventListener("recovering", (event) => this.#receive(event, this.#onRecovering));
    this.#source.addEventListener("error", () => this.#lost());
    this.#later(SILENCE, () => this.#lost());
  }

  #receive(event, show) {
    this.#failures = 0;
    this.#later(SILENCE, () => this.#lost());
    this.#onState("live");
    show(JSON.parse(event.data));
  }

  #lost() {
    this.#source.close();
    this.#onState("reconnecting");
    this.#later(Math.min(1000 * 2 ** this.#failures++, LONGEST_WAIT), () => this.#connect());
  }

  #later(delay, action) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(action, delay);
  }
}
