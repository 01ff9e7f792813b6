/** How the score went, what was done and what fired on the way, and what changed since. */

import { List, element, find, setAttributes, setLink, setOptions, setText } from "./dom.js";
import * as format from "./format.js";
import { spoken, trendChart } from "./trend.js";

const FLAGS = 9; // the newest
const CHOSEN = "a time"; // no id: ids have no blanks

const chart = trendChart();
find("trend").append(chart.node);
const events = new List(find("events"), ({ key }) => key, eventView);
const rows = new List(find("trend-rows"), ({ at }) => at, pointView);

let choosing = false; // a time of one's own, which is not there yet

/** What was done or fired: the number of its flag, its words, and when. */
function eventView({ kind }) {
  const flag = element("span", `flag-number ${kind}`);
  const title = element("span", "event-title");
  const link = element("a", "", "more");
  const when = element("span", "muted small");
  const node = element("li", "", flag, element("span", "", title, " ", link, " ", when));
  const update = (item) => {
    setText(flag, String(item.number));
    setText(title, item.title);
    setLink(link, item.url);
    setAttributes(link, { "aria-label": `More about ${item.title}` });
    setText(when, item.when);
  };
  return { node, update };
}

function pointView() {
  const cells = [element("th"), element("td"), element("td"), element("td")];
  cells[0].scope = "row";
  const update = ({ texts }) => cells.forEach((cell, n) => setText(cell, texts[n]));
  return { node: element("tr", "", ...cells), update };
}

function happened({ incidents, markers }, start, now) {
  const done = markers.map(({ marker_id: id, title, at, url }) => ({
    key: `marker ${id}`,
    kind: "marker",
    at: Date.parse(at),
    title,
    url,
    when: format.moment(Date.parse(at), now),
  }));
  const fired = incidents.map(({ incident_id: id, labels, annotations, opened_at: from, resolved_at: to }) => {
    const at = Date.parse(from);
    const until = to ? Date.parse(to) : now;
    return {
      key: `incident ${id}`,
      kind: "incident",
      at,
      until,
      title: annotations.summary ?? labels.alertname,
      url: annotations.runbook_url,
      when: `alert, ${format.moment(at, now)}, ${to ? `over after ${format.duration(until - at)}` : "still open"}`,
    };
  });
  return [...done, ...fired]
    .filter(({ at, until = at }) => until >= start && at <= now)
    .sort((a, b) => a.at - b.at)
    .slice(-FLAGS)
    .map((one, n) => ({ ...one, number: n + 1 }));
}

export function showTrend(trend, timeline, { scale, as_of }) {
  const missing = find("trend-missing");
  const answered = trend?.points.some(({ n }) => n);
  missing.hidden = Boolean(answered);
  setText(missing, trend ? "No answers in this window." : "Waiting for the trend.");
  find("trend-shown").hidden = !answered;
  if (!answered) return;
  const now = Date.parse(as_of);
  const starts = trend.points.map(({ at }) => Date.parse(at));
  const length = starts.length > 1 ? starts.at(-1) - starts.at(-2) : now - starts[0];
  const points = trend.points.map((one, n) => ({ ...one, at: Math.min(starts[n] + length / 2, now) }));
  const band = (trend.since?.points ?? []).map((one) => ({ ...one, at: Date.parse(one.at) }));
  const found = timeline ? happened(timeline, starts[0], now) : [];
  chart.update({ points, band, events: found, start: starts[0], end: now, scale, name: spoken(points, scale) });
  events.update(found);
  setText(find("trend-from"), format.moment(starts[0], now));
  setText(find("trend-each"), `Each point: ${format.duration(length)}, with its 95 % interval.`);
  find("legend-since").hidden = !band.length;
  rows.update(
    trend.points.map((one, n) => {
      const { value, interval } = format.score({ ...one, scale });
      return { at: one.at, texts: [format.moment(starts[n], now), value, one.n ? interval : "", format.count(one.n)] };
    }),
  );
}

/** The choices of a moment: the newest marker, each marker, or a time of one's own. */
export function showChoices(timeline, since) {
  const markers = (timeline?.markers ?? []).slice(0, 30);
  const known = markers.map(({ marker_id: id, title }) => [id, title]);
  const options = [["newest", "the newest marker"], ...known, [CHOSEN, "a time of your choice"]];
  const time = find("since-time");
  const own = choosing || (since !== "newest" && !known.some(([id]) => id === since));
  time.hidden = !own;
  setOptions(find("since"), options, own ? CHOSEN : since);
}

/** The change in words, and how sure it is. */
export function verdict({ before, after, change }, scale) {
  const counted = `before ${format.answers(before.n)}, since ${format.count(after.n)}`;
  if (!before.n) return ["Nothing to compare with", "There are no answers before it in this window."];
  if (!after.n) return ["Too early to tell", "There are no answers yet that surely came after it."];
  const [from, to] = [before.score, after.score].map((value) => format.level(value, scale));
  if (change.lower === null) {
    return ["Too early to tell", `${from} before, ${to} since, but it takes ${format.FEW} answers on each side: ${counted}.`];
  }
  const [lower, upper] = [change.lower, change.upper].map((value) => format.change(value, scale));
  const bounds = `The true change lies between ${lower} and ${upper} points with 95 % confidence, however often you look`;
  const detail = `${from} before, ${to} since. ${bounds} (${counted} answers).`;
  if (change.lower <= 0 && change.upper >= 0) return ["No change that is more than chance", detail];
  const moved = change.points < 0 ? "Fell" : "Rose";
  return [`${moved} by ${format.pointsOf(change.points, scale)}: more than chance`, detail];
}

export function showSince(trend, timeline, since, { scale, as_of }) {
  showChoices(timeline, since);
  const found = trend?.since;
  const [title, detail] = found ? verdict(found, scale) : nothing(trend, since);
  const marker = timeline?.markers.find(({ at }) => found && Date.parse(at) === Date.parse(found.at));
  const when = found ? format.moment(Date.parse(found.at), Date.parse(as_of)) : "";
  setText(find("since-what"), found ? `Since ${marker ? `${marker.title}, ` : ""}${when}` : "");
  setText(find("since-verdict"), title);
  setText(find("since-detail"), detail);
}

function nothing(trend, since) {
  if (!trend) return ["", ""];
  if (since === "newest") return ["Nothing was marked in this window", "Mark a release or a campaign with POST /v1/markers, or choose a time."];
  return ["Not in this window", "Choose a longer window, or a later time."];
}

/** `choose` is told what was chosen: a marker's id, `newest`, or a time. */
export function onSince(choose) {
  const time = find("since-time");
  find("since").addEventListener("change", ({ target: { value } }) => {
    choosing = value === CHOSEN;
    if (!choosing) return choose(value);
    time.hidden = false;
    time.focus();
  });
  time.addEventListener("change", () => {
    if (!time.value) return;
    choosing = false;
    choose(new Date(time.value).toISOString());
  });
}
