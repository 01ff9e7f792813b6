/** All segments in one table: those first that the evidence speaks of, a page at a time. */

import { rangeBar } from "./charts.js";
import { List, element, find, setAttributes, setOptions, setText } from "./dom.js";
import * as format from "./format.js";

const PAGE = 12;
const ALL = "";

const names = new Intl.Collator("en", { numeric: true });
const RISING = 1;
const FALLING = -1;
const NAME = [({ dimension, name }) => `${dimension} ${name}`, RISING];

/** What each column is sorted by, and in which direction at first: with what people look for at the top. */
const COLUMNS = {
  segment: [NAME],
  score: [[({ score }) => score.score, RISING], NAME],
  answers: [[({ score }) => score.n, FALLING], NAME],
  change: [[({ change }) => change, RISING], NAME],
  // Watched series go by the evidence that was gathered, as a share of what an alarm needs, those that stand out
  // first. Others have none: they follow by how seldom chance makes as large a change, and by their answers.
  evidence: [
    [({ flagged }) => flagged.length, FALLING],
    [({ share }) => share, FALLING],
    [({ p }) => p, RISING],
    [({ score }) => score.n, FALLING],
    NAME,
  ],
};

const rows = new List(find("segment-rows"), ({ key }) => key, rowView);
const state = { column: "evidence", turned: false, page: 0, all: [] };

function rowView({ name, dimension }) {
  const range = rangeBar();
  const cell = (className) => element("td", className);
  const [score, answers, change, evidence] = ["number", "number", "number", "number evidence"].map(cell);
  const value = element("span", "value");
  const interval = element("span", "small muted interval-text");
  score.append(value, interval);
  const remark = element("span", "small muted");
  const n = element("span");
  answers.append(n);
  const what = element("span");
  const meter = element("span", "meter");
  const unit = element("span", "unseen", " of an alarm");
  evidence.append(what, unit, meter);
  const label = element("span", "name", name);
  const head = element("th", "", label, element("span", "small muted", format.dimension(dimension), " ", remark));
  head.scope = "row";
  const bar = element("td", "range", element("div", "", range.node));
  const node = element("tr", "", head, score, bar, answers, change, evidence);
  const update = (row) => {
    const text = format.score(row.score);
    setText(value, text.value);
    setText(interval, row.score.n ? text.interval : "");
    setText(remark, text.remark && `· ${text.remark}`);
    setText(n, text.n);
    setText(change, row.change === null ? "–" : format.change(row.change, row.score.scale));
    setText(what, row.evidence);
    meter.hidden = row.share === null;
    unit.hidden = meter.hidden || row.flagged.length > 0;
    meter.style.setProperty("--share", `${100 * Math.min(row.share ?? 0, 1)}%`);
    range.update(row.score);
    node.classList.toggle("few", row.score.n < format.FEW);
    node.classList.toggle("flagged", row.flagged.length > 0);
  };
  return { node, update };
}

/** A segment with what is known of its change; `evidence` is what people read of it. */
function joined(dimension, value, score, known) {
  const gathered = known?.evidence ?? null;
  const share = gathered && Math.max(gathered.drop, gathered.rise) / gathered.threshold;
  const flagged = gathered?.flagged ?? [];
  const p = gathered ? null : (known?.p ?? null);
  return {
    key: JSON.stringify([dimension, value]),
    dimension,
    name: format.segment(dimension, value),
    score,
    change: known?.change ?? null,
    share,
    flagged,
    p,
    evidence: flagged.length ? flagged.join(", ") : told(share, p),
  };
}

function told(share, p) {
  if (share !== null) return `${Math.floor(100 * Math.min(share, 0.99))} %`;
  return p === null ? "–" : format.chance(p);
}

/** What has no value stands at the end, whatever the direction. */
function compare(a, b, direction) {
  if (a === null || b === null) return (a === null) - (b === null);
  return direction * (typeof a === "string" ? names.compare(a, b) : a - b);
}

function order(column, turned) {
  return (a, b) => {
    for (const [value, direction] of COLUMNS[column]) {
      const found = compare(value(a), value(b), turned ? -direction : direction);
      if (found) return found;
    }
    return 0;
  };
}

function showOrder() {
  const [, direction] = COLUMNS[state.column][0];
  const rising = (direction === RISING) !== state.turned;
  for (const head of document.querySelectorAll("#segment-table th[data-column]")) {
    if (head.dataset.column === state.column) setAttributes(head, { "aria-sort": rising ? "ascending" : "descending" });
    else head.removeAttribute("aria-sort");
  }
}

function show() {
  const dimension = find("segment-dimension").value;
  const wanted = find("segment-search").value.trim().toLowerCase();
  const found = state.all
    .filter((row) => dimension === ALL || row.dimension === dimension)
    .filter(({ name }) => !wanted || name.toLowerCase().includes(wanted))
    .sort(order(state.column, state.turned));
  const pages = Math.max(1, Math.ceil(found.length / PAGE));
  state.page = Math.min(state.page, pages - 1);
  const from = state.page * PAGE;
  const shown = found.slice(from, from + PAGE);
  rows.update(shown);
  find("segment-table").hidden = found.length === 0;
  find("no-segment-found").hidden = found.length > 0;
  find("segment-pages").hidden = pages === 1;
  setText(find("segment-page"), `${format.count(from + 1)} to ${format.count(from + shown.length)} of ${format.count(found.length)}`);
  find("segment-before").disabled = state.page === 0;
  find("segment-next").disabled = state.page === pages - 1;
  showOrder();
}

export function showSegments({ segments }, changes) {
  state.all = Object.entries(segments).flatMap(([dimension, scores]) => {
    const known = changes?.dimensions[dimension]?.segments ?? {};
    return Object.entries(scores).map(([value, score]) => joined(dimension, value, score, known[value]));
  });
  const found = [...new Set(state.all.map(({ dimension }) => dimension))];
  const select = find("segment-dimension");
  const options = [[ALL, "All dimensions"], ...found.map((name) => [name, format.dimension(name)])];
  setOptions(select, options, found.includes(select.value) ? select.value : ALL);
  find("no-segments").hidden = state.all.length > 0;
  find("segments-shown").hidden = state.all.length === 0;
  show();
}

function again(change) {
  Object.assign(state, { page: 0 }, change);
  show();
}

for (const head of document.querySelectorAll("#segment-table th[data-column]")) {
  const { column } = head.dataset;
  head.querySelector("button").addEventListener("click", () =>
    again({ column, turned: column === state.column && !state.turned }),
  );
}
find("segment-dimension").addEventListener("change", () => again({}));
find("segment-search").addEventListener("input", () => again({}));
find("segment-before").addEventListener("click", () => again({ page: state.page - 1 }));
find("segment-next").addEventListener("click", () => again({ page: state.page + 1 }));
