/** The few lines of DOM the page needs. What the server sends is only ever set as text. */

export const find = (id) => document.getElementById(id);

export function element(tag, className = "", ...children) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  node.append(...children);
  return node;
}

/** Touches the document only when something changed, so that nothing flickers or loses its selection. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setAttributes(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value);
  }
}

export function button(text, onClick, className = "") {
  const node = element("button", className, text);
  node.type = "button";
  node.addEventListener("click", onClick);
  return node;
}

/** The options of a choice, `[value, text]` each, and which of them is chosen. */
export function setOptions(select, options, chosen) {
  const same =
    options.length === select.length &&
    options.every(([value, text], n) => select.options[n].value === value && select.options[n].text === text);
  if (!same) select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
  if (select.value !== chosen) select.value = chosen;
}

/** A link to where an address leads, where it is one of the web; else nothing. */
export function setLink(anchor, address) {
  const leads = /^https?:\/\//i.test(address ?? "");
  anchor.hidden = !leads;
  if (leads) setAttributes(anchor, { href: address });
  else anchor.removeAttribute("href");
}

/** The children of `parent`, one per item: kept by key, moved when the order changes, updated in place. */
export class List {
  #parent;
  #keyOf;
  #create;
  #views = new Map();

  constructor(parent, keyOf, create) {
    this.#parent = parent;
    this.#keyOf = keyOf;
    this.#create = create;
  }

  update(items) {
    this.#drop(new Set(items.map(this.#keyOf)));
    let next = this.#parent.firstChild;
    for (const item of items) {
      const view = this.#view(item);
      view.update(item);
      if (view.node === next) next = next.nextSibling;
      else this.#parent.insertBefore(view.node, next);
    }
  }

  #drop(kept) {
    for (const [key, view] of this.#views) {
      if (kept.has(key)) continue;
      view.node.remove();
      this.#views.delete(key);
    }
  }

  #view(item) {
    const key = this.#keyOf(item);
    if (!this.#views.has(key)) this.#views.set(key, this.#create(item));
    return this.#views.get(key);
  }
}
