/** The parts of the page: each is built once and then updated in place. */

import { bar, rangeBar, swatch } from "./charts.js";
import { List, element, setText } from "./dom.js";
import * as format from "./format.js";

const ROWS_AT_FIRST = 12;

const markFew = (node, score) => node.classList.toggle("few", score.n < format.FEW);

/** One group of answers: label, share and count. */
export function groupView({ place, label, range }) {
  const portion = element("span", "portion");
  const amount = element("span", "muted");
  const node = element(
    "div",
    "",
    element("dt", "", element("span", "label", swatch(place), label), element("span", "muted small", range)),
    element("dd", "", portion, amount),
  );
  const update = ({ amount: part, n }) => {
    setText(portion, n ? format.share(part, n) : "–");
    setText(amount, format.count(part));
  };
  return { node, update };
}

export function windowButton({ window }, onPick) {
  const node = element("button", "", window);
  node.type = "button";
  node.title = format.period(window);
  node.addEventListener("click", () => onPick(window));
  return { node, update: ({ pressed }) => node.setAttribute("aria-pressed", pressed) };
}

/** The score of one window. */
export function windowCard({ window }) {
  const range = rangeBar();
  const value = element("p", "value");
  const interval = element("p", "small muted");
  const n = element("p", "small muted");
  const node = element("li", "card", element("h3", "", format.period(window)), value, range.node, interval, n);
  const update = ({ score, current }) => {
    const text = format.score(score);
    setText(value, text.value);
    setText(interval, text.interval);
    setText(n, score.n && text.remark ? `${format.answers(score.n)}: too few` : format.answers(score.n));
    range.update(score);
    markFew(node, score);
    node.classList.toggle("current", current);
  };
  return { node, update };
}

function segmentRow({ value: segment }) {
  const range = rangeBar();
  const remark = element("span", "small remark");
  const value = element("td", "number value");
  const interval = element("span", "small");
  const n = element("td", "number");
  const name = element("th", "", element("span", "name", segment), remark);
  name.scope = "row";
  const node = element("tr", "", name, value, element("td", "", element("div", "range", range.node, interval)), n);
  const update = ({ score }) => {
    const text = format.score(score);
    setText(remark, text.remark);
    setText(value, text.value);
    setText(interval, text.interval);
    setText(n, text.n);
    range.update(score);
    markFew(node, score);
  };
  return { node, update };
}

function tableHead(...titles) {
  const cells = titles.map((title, index) => {
    const cell = element("th", index % 2 ? "number" : "", title);
    cell.scope = "col";
    return cell;
  });
  return element("thead", "", element("tr", "", ...cells));
}

function searchBox(label) {
  const node = element("input", "search");
  node.type = "search";
  node.placeholder = "Find a segment";
  node.setAttribute("aria-label", label);
  return node;
}

/** One dimension: its largest segments, all of them on demand, or those with a name looked for. */
export function dimensionView({ dimension }) {
  const title = dimension.replace(" x ", " \u00d7 ");
  const body = element("tbody");
  const rows = new List(body, (segment) => segment.key, segmentRow);
  const caption = element("caption", "unseen", `Scores by ${title}`);
  const table = element("table", "", caption, tableHead("Segment", "Score", "95 % interval", "Answers"), body);
  const scroller = element("div", "scroller", table);
  const total = element("span", "muted small");
  const search = searchBox(`Find a segment of ${title}`);
  const more = element("button", "more");
  const nothing = element("p", "muted small", "No segment with that name.");
  const node = element(
    "article",
    "card dimension",
    element("div", "dimension-head", element("h3", "", title), total, search),
    scroller,
    nothing,
    more,
  );
  let segments = [];
  let all = false;

  const show = () => {
    const wanted = search.value.trim().toLowerCase();
    const found = wanted ? segments.filter(({ value }) => value.toLowerCase().includes(wanted)) : segments;
    rows.update(all ? found : found.slice(0, ROWS_AT_FIRST));
    const hidden = found.length > ROWS_AT_FIRST;
    nothing.hidden = found.length > 0;
    more.hidden = !hidden;
    search.hidden = segments.length <= ROWS_AT_FIRST;
    setText(more, all ? `Show the ${ROWS_AT_FIRST} largest` : `Show all ${format.count(found.length)}`);
    more.setAttribute("aria-expanded", all);
    scroller.classList.toggle("long", all && hidden);
    if (all && hidden) scroller.tabIndex = 0;
    else scroller.removeAttribute("tabindex");
  };
  more.type = "button";
  more.addEventListener("click", () => {
    all = !all;
    show();
  });
  search.addEventListener("input", show);
  scroller.setAttribute("role", "group");
  scroller.setAttribute("aria-label", `Segments of ${title}`);

  const update = ({ scores }) => {
    segments = Object.entries(scores)
      .map(([key, score]) => ({ key, value: segmentName(dimension, key), score }))
      .sort((a, b) => b.score.n - a.score.n || a.value.localeCompare(b.value));
    setText(total, `${format.count(segments.length)} ${segments.length === 1 ? "segment" : "segments"}`);
    show();
  };
  return { node, update };
}

/** "pro|eu" of "plan x region" as "pro × eu". */
const segmentName = (dimension, value) => (dimension.includes(" x ") ? value.replace("|", " \u00d7 ") : value);

/** One answer with a comment. */
export function commentView() {
  const badge = element("span", "badge");
  const group = element("span", "group");
  const when = element("time", "muted small");
  const text = element("p", "comment");
  const tags = element("p", "muted small");
  const node = element("li", "", element("p", "comment-head", badge, group, when), text, tags);
  const update = ({ answer, place, now }) => {
    badge.className = `badge ${place}`;
    setText(badge, String(answer.score));
    setText(group, answer.group);
    setText(when, format.ago(answer.answered_at, now));
    when.dateTime = answer.answered_at;
    setText(text, answer.comment ?? "");
    setText(tags, Object.entries(answer.segments ?? {}).map(([name, value]) => `${name}: ${value}`).join(" · "));
  };
  return { node, update };
}

/** A labelled bar with its count and a remark, for the funnel and the reasons. */
export function barView() {
  const chart = bar();
  const label = element("span", "label");
  const amount = element("span", "amount");
  const remark = element("span", "muted small remark");
  const node = element("li", "", element("p", "bar-head", label, remark, amount), chart.node);
  const update = (item) => {
    setText(label, item.label);
    setText(amount, format.count(item.count));
    setText(remark, item.remark);
    chart.update(item.fraction);
  };
  return { node, update };
}
