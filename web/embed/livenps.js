/**
 * livenps on your site: shows the survey that waits for whoever is there, in a card at the edge of the page.
 *
 *   <script src="https://feedback.example.com/livenps.js" data-customer="c-17" data-signature="…" async></script>
 *
 * Without data-customer the visitor is anonymous. What a page may ask of it:
 *   livenps.check()                        look again, now; resolves to whether a card is shown
 *   livenps.identify(customer, signature)  somebody else is there now; without arguments nobody who is known
 *   livenps.visitor                        the id of the anonymous visitor
 *
 * The card is in a shadow root, so that neither side's styles reach the other. It needs no inline style and no eval,
 * and sets what the server sends as text only.
 */
(() => {
  "use strict";
  if (window.livenps) return;

  const { src, dataset } = document.currentScript;
  const PENDING = new URL("v1/pending", src).href;
  const LOGO = new URL("brand/logo", src).href;
  const REMEMBERED = 50; // closed and answered surveys
  const VISITOR = /^visitor-[0-9a-f]{32}$/;

  // What the browser remembers. One that is told not to is asked once on each page.

  const stored = (key) => {
    try {
      return JSON.parse(localStorage.getItem(`livenps.${key}`));
    } catch {
      return null;
    }
  };

  const store = (key, value) => {
    try {
      localStorage.setItem(`livenps.${key}`, JSON.stringify(value));
    } catch {
      // It is remembered on this page alone.
    }
  };

  const over = new Set();

  const isOver = (id) => over.has(id) || [stored("over")].flat().includes(id);

  function remember(id) {
    over.add(id);
    store("over", [...new Set([stored("over") ?? [], ...over].flat())].slice(-REMEMBERED));
  }

  let visitor = "";

  /** 128 random bits, because whoever knows the id is shown what waits for it. Made when it is first needed. */
  function anonymous() {
    visitor ||= stored("visitor") ?? "";
    if (!VISITOR.test(visitor)) {
      const bytes = crypto.getRandomValues(new Uint8Array(16));
      visitor = `visitor-${Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("")}`;
      store("visitor", visitor);
    }
    return visitor;
  }

  // Asking the server

  async function call(path, options) {
    const reply = await fetch(PENDING + path, { credentials: "omit", referrerPolicy: "no-referrer", ...options });
    const body = await reply.json();
    if (reply.ok) return body;
    throw Object.assign(new Error(body.errors[0].message), { status: reply.status });
  }

  const send = (path, body) =>
    call(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });

  const complain = (error) => console.warn(`livenps: ${error.message}`);

  // Building the card

  function element(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === true) node.setAttribute(name, "");
      else if (value !== false) node.setAttribute(name, value);
    }
    node.append(...children);
    return node;
  }

  /** A row of numbers, of which one can be chosen. */
  function scale(name, numbers, chosen, required) {
    const row = element("div", { class: numbers.length > 7 ? "scale long" : "scale" });
    for (const number of numbers) {
      const input = { type: "radio", name, value: number, required, checked: number === chosen };
      row.append(element("label", { class: "score" }, element("input", input), element("span", {}, String(number))));
    }
    return row;
  }

  const ends = (numbers, low, high) =>
    element(
      "p",
      { class: "ends", id: "ends" },
      element("span", {}, `${numbers.at(0)} = ${low}`),
      element("span", {}, `${numbers.at(-1)} = ${high}`),
    );

  /** A score, the first or a further one. */
  const scored = (name, text, scores, low, high, chosen) => [
    element(
      "fieldset",
      { "aria-describedby": "ends" },
      element("legend", {}, title(text)),
      scale(name, scores, chosen, true),
    ),
    ends(scores, low, high),
  ];

  const title = (text) => element("h2", { id: "title", tabindex: -1 }, text);

  const KINDS = {
    text: ({ id, text, answers = {} }, words) => {
      const area = element("textarea", { id: "answer", name: id, rows: 3, maxlength: 2000, "aria-describedby": "limit" });
      area.value = answers[id] ?? "";
      return [
        title(element("label", { for: "answer" }, text)),
        area,
        element("p", { class: "hint", id: "limit" }, words.limit),
      ];
    },

    rating: ({ id, text, options, ratings, answers = {} }, words) => [
      title(text),
      ...options.map((option) =>
        element(
          "fieldset",
          { "aria-describedby": "ends" },
          element("legend", {}, option.text),
          scale(`${id}.${option.id}`, ratings, answers[`${id}.${option.id}`], false),
        ),
      ),
      ends(ratings, words.poor, words.excellent),
    ],

    score: ({ id, text, scores, low, high, answers = {} }) => scored(id, text, scores, low, high, answers[id]),

    single: (step, words) => choices(step, "radio", words),
    multiple: (step, words) => choices(step, "checkbox", words),
  };

  function choices({ id, text, options, answers = {} }, type, words) {
    const several = type === "checkbox" ? [element("p", { class: "hint", id: "several" }, words.several)] : [];
    const given = [answers[id] ?? []].flat();
    const boxes = options.map((option) => {
      const input = element("input", { type, name: id, value: option.id, checked: given.includes(option.id) });
      return element("label", { class: "option" }, input, element("span", {}, option.text));
    });
    const described = several.length > 0 && { "aria-describedby": "several" };
    return [element("fieldset", { ...described }, element("legend", {}, title(text)), ...several, ...boxes)];
  }

  /** What a form has, by the keys that its answers go by. */
  function given(form, { id, kind }) {
    const data = new FormData(form);
    if (kind === "rating") return Object.fromEntries(data);
    return { [id]: kind === "multiple" ? data.getAll(id) : data.get(id) };
  }

  let card = null; // the one that is shown

  class Card {
    #survey;
    #host = element("livenps-card");
    #content = element("div");
    #status = element("p", { class: "unseen", role: "status" });
    #close = element("button", { type: "button", class: "close" }, "×");
    #before = null; // what had the focus
    #scored = false;
    #sending = false;

    constructor(survey, branding) {
      this.#survey = survey;
      this.#host.dir = survey.direction;
      this.#host.lang = survey.language;
      for (const scheme of ["light", "dark"]) {
        for (const [name, colour] of Object.entries(branding[scheme] ?? {})) {
          this.#host.style.setProperty(`--${name}-${scheme}`, colour);
        }
      }
      const root = this.#host.attachShadow({ mode: "open" });
      root.adoptedStyleSheets = [SHEET];
      const name = branding.logo ? element("img", { src: LOGO, alt: branding.brand }) : branding.brand;
      const head = element("div", { class: "head" }, element("bdi", { class: "brand" }, name), this.#close);
      root.append(
        element("div", { class: "card", role: "dialog", "aria-labelledby": "title" }, head, this.#content),
        this.#status,
      );
      this.#listen(root);
    }

    #listen(root) {
      this.#close.addEventListener("click", () => this.close());
      // From outside a shadow root typing looks like typing nowhere: the site would take it for its shortcuts.
      for (const type of ["keydown", "keypress", "keyup"]) {
        root.addEventListener(type, (event) => event.stopPropagation());
      }
      root.addEventListener("keydown", (event) => {
        if (event.key === "Escape" && !event.isComposing) this.close();
      });
      this.#host.addEventListener("focusin", (event) => {
        this.#before = event.relatedTarget ?? this.#before;
      });
    }

    /** The focus stays where it is: a card that comes up must not catch what somebody is typing. */
    show() {
      this.#ask();
      document.body.append(this.#host);
      // Read out politely; a live region is heard once it is there and then changes.
      requestAnimationFrame(() => (this.#status.textContent = this.#survey.words.question));
    }

    /** Take the card away, without a word. */
    leave() {
      const focused = this.#host.matches(":focus-within");
      this.#host.remove();
      card = null;
      if (focused) this.#before?.focus();
    }

    /** Who closes it before the score has declined; an answer stands. */
    close() {
      remember(this.#survey.id);
      this.leave();
      if (!this.#scored) call(`/${this.#survey.token}/decline`, { method: "POST", keepalive: true }).catch(complain);
    }

    #ask() {
      const { words, scores } = this.#survey;
      this.#label(words.decline);
      const parts = scored("score", words.question, scores, words.low, words.high, null);
      this.#form("", (form) => ({ score: Number(new FormData(form).get("score")) }), parts);
    }

    #further(step) {
      const { words } = this.#survey;
      const hint = step.hint ? [element("p", { class: "hint" }, step.hint)] : [];
      const skip = element("button", { type: "button", class: "skip" }, words.skip);
      skip.addEventListener("click", () => this.#send(`/${step.id}`, {}));
      const parts = [...hint, ...KINDS[step.scores ? "score" : step.kind](step, words)];
      this.#form(`/${step.id}`, (form) => given(form, step), parts, skip);
    }

    #thank({ title: heading, text, code, link }) {
      const { words } = this.#survey;
      const parts = [title(heading), element("p", {}, text)];
      if (code === null) parts.push(element("p", { class: "code" }, element("a", { href: link }, words.code_soon)));
      if (code) {
        const [before, after] = words.code.split("{code}");
        parts.push(element("p", { class: "code" }, before, element("bdi", {}, code), after ?? ""));
      }
      const close = element("button", { type: "button", class: "send" }, words.close);
      close.addEventListener("click", () => this.close());
      this.#content.replaceChildren(...parts, close);
    }

    /** A form whose answers go to a path; what follows is in the reply. */
    #form(path, answers, parts, ...more) {
      const button = element("button", { class: "send" }, this.#survey.words.send);
      const form = element("form", {}, ...parts, button, ...more);
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        this.#send(path, answers(form));
      });
      this.#content.replaceChildren(form);
    }

    async #send(path, body) {
      if (this.#sending) return;
      this.#sending = true;
      try {
        const { question, thanks } = await send(`/${this.#survey.token}${path}`, body);
        this.#scored = true;
        remember(this.#survey.id);
        this.#label(this.#survey.words.close);
        if (question) this.#further(question);
        else this.#thank(thanks);
        this.#content.querySelector("#title").focus();
      } catch (error) {
        complain(error);
        this.#failed(error);
      } finally {
        this.#sending = false;
      }
    }

    #failed({ status }) {
      if ([404, 409, 410].includes(status)) {
        this.leave(); // it is over, or was answered elsewhere
        return;
      }
      this.#content.querySelector(".error")?.remove();
      this.#content.append(element("p", { class: "error", role: "alert" }, this.#survey.words.failed));
    }

    #label(text) {
      this.#close.setAttribute("aria-label", text);
      this.#close.title = text;
    }
  }

  // What a page may ask of it

  let who = dataset;
  let looks = 0; // a slow reply must not show what waited for somebody else

  async function check() {
    if (card) return true;
    const look = ++looks;
    const customer = who.customer || anonymous();
    const headers = who.customer ? { authorization: `Bearer ${who.signature ?? ""}` } : {};
    try {
      const { pending, branding } = await call(`?${new URLSearchParams({ customer_id: customer })}`, { headers });
      const survey = pending.find(({ id }) => !isOver(id));
      if (survey && look === looks) {
        card = new Card(survey, branding);
        card.show();
      }
    } catch (error) {
      complain(error);
    }
    return card !== null;
  }

  function identify(customer, signature) {
    who = { customer, signature };
    card?.leave();
    return check();
  }

  const SHEET = new CSSStyleSheet();
  // Lengths in em: the site decides what a rem is. :host has to be important where it sets what the site may set too.
  SHEET.replaceSync(`
:host {
  all: initial !important;
  color-scheme: light dark !important;
  position: fixed !important;
  z-index: 2147483647 !important;
  inset-block-end: 1em !important;
  inset-inline-end: 1em !important;
  width: min(24em, calc(100vw - 2em)) !important;
  font: medium/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif !important;
  --card: #ffffff;
  --line: #dde3e1;
  --edge: #84918e;
  --ink: #14201e;
  --muted: #55625f;
  --warn: #fdf1dc;
  --worst: #c8501e;
  --accent: var(--accent-light, #0a716c);
  --on-accent: var(--on_accent-light, #ffffff);
  --soft: color-mix(in srgb, var(--accent) 15%, var(--card));
}
@media (prefers-color-scheme: dark) {
  :host {
    --card: #151d1c;
    --line: #283431;
    --edge: #6d7d79;
    --ink: #e9f0ee;
    --muted: #a1b1ad;
    --warn: #33270f;
    --worst: #f28a52;
    --accent: var(--accent-dark, #4ecdc0);
    --on-accent: var(--on_accent-dark, #06211f);
  }
}
@media (width < 30em) {
  :host { inset-block-end: 0 !important; inset-inline: 0 !important; width: auto !important; }
}
@media print {
  :host { display: none !important; }
}
*, ::before, ::after { box-sizing: border-box; }
h2, p, fieldset, legend { margin: 0; padding: 0; border: 0; min-width: 0; font: inherit; overflow-wrap: anywhere; }
button, input, textarea { font: inherit; color: inherit; margin: 0; }
button, label { cursor: pointer; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
h2:focus { outline: none; }
.card {
  max-height: calc(100dvh - 2em);
  overflow-y: auto;
  overscroll-behavior: contain;
  padding: 1em 1.25em calc(1.25em + env(safe-area-inset-bottom));
  border: 1px solid var(--line);
  border-radius: 1em;
  background: var(--card);
  color: var(--ink);
  box-shadow: 0 8px 32px rgb(0 0 0 / 25%);
}
@media (width < 30em) {
  .card { border-end-start-radius: 0; border-end-end-radius: 0; }
}
@media (prefers-reduced-motion: no-preference) {
  .card { animation: rise 0.25s ease-out; }
  @keyframes rise { from { opacity: 0; translate: 0 1em; } }
}
.head { display: flex; align-items: center; justify-content: space-between; gap: 1em; margin-bottom: 0.5em; }
.brand { color: var(--muted); font-size: 0.875em; font-weight: 600; overflow-wrap: anywhere; }
.brand img { display: block; max-width: 10em; max-height: 2em; }
.close {
  flex: none;
  width: 2em;
  height: 2em;
  margin: -0.375em;
  border: 0;
  border-radius: 0.625em;
  background: none;
  color: var(--muted);
  font-size: 1.375em;
  line-height: 1;
}
.close:hover { background: var(--soft); }
h2 { margin-bottom: 0.75em; font-size: 1.125em; font-weight: 700; line-height: 1.3; }
.scale { display: grid; grid-auto-columns: minmax(0, 1fr); grid-auto-flow: column; gap: 0.25em; }
.scale.long { grid-template-columns: repeat(6, minmax(0, 1fr)); grid-auto-flow: row; }
.score { position: relative; }
.score input { position: absolute; width: 100%; height: 100%; opacity: 0; cursor: pointer; }
.score span {
  display: grid;
  place-items: center;
  min-height: 2.75em;
  border: 1px solid var(--edge);
  border-radius: 0.625em;
  font-weight: 600;
}
.score input:hover + span { border-color: var(--accent); background: var(--soft); }
.score input:checked + span { border-color: var(--accent); background: var(--accent); color: var(--on-accent); }
.score input:focus-visible + span { outline: 3px solid var(--accent); outline-offset: 2px; }
@media (forced-colors: active) {
  .score input:checked + span { border-width: 4px; }
}
.ends { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 1em; margin-top: 0.5em; }
.ends, .hint { color: var(--muted); font-size: 0.875em; }
.hint { margin: 0.25em 0; }
fieldset + fieldset { margin-top: 0.75em; }
textarea {
  display: block;
  width: 100%;
  padding: 0.625em;
  border: 1px solid var(--edge);
  border-radius: 0.625em;
  background: var(--card);
  resize: vertical;
}
.option {
  display: flex;
  gap: 0.75em;
  align-items: center;
  min-height: 2.75em;
  margin-top: 0.375em;
  padding: 0.375em 0.75em;
  border: 1px solid var(--edge);
  border-radius: 0.625em;
  overflow-wrap: anywhere;
}
.option:hover, .option:has(:checked) { border-color: var(--accent); background: var(--soft); }
.option input { flex: none; width: 1.25em; height: 1.25em; accent-color: var(--accent); }
.send {
  width: 100%;
  min-height: 2.75em;
  margin-top: 1em;
  border: 0;
  border-radius: 0.625em;
  background: var(--accent);
  color: var(--on-accent);
  font-weight: 600;
}
.skip {
  display: block;
  min-height: 2.75em;
  margin: 0.25em auto -0.5em;
  padding: 0 1em;
  border: 0;
  background: none;
  color: var(--accent);
  text-decoration: underline;
  text-underline-offset: 0.2em;
}
.error { margin-top: 1em; padding: 0.625em; border-inline-start: 4px solid var(--worst); background: var(--warn); }
.code { margin-top: 1em; padding: 0.75em; border: 1px dashed var(--edge); border-radius: 0.625em; font-weight: 600; }
.code bdi { user-select: all; }
.code a { color: var(--accent); }
.unseen { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
`);

  window.livenps = Object.freeze({
    check,
    identify,
    get visitor() {
      return anonymous();
    },
  });

  if (document.body) check();
  else document.addEventListener("DOMContentLoaded", check, { once: true });
})();
