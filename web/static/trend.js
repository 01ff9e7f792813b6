/** The trend as a chart: a score over time, what was done and what fired beside it, and the band since a moment. */

import { middle, percent, shape } from "./charts.js";
import { setAttributes, setText } from "./dom.js";
import { FEW, TOO_FEW, mark as written, score as texts } from "./format.js";

const LEVELS = 3; // of flags, where they stand close to each other
const CLOSE = 5; // per cent of the width

/** Tens, or halves of a short scale, around all that is sure enough to look at. */
function around(points, band, { ends: [worst, best] }) {
  const step = best - worst > 10 ? 10 : 0.5;
  const sure = points.filter(({ n }) => n >= FEW);
  const shown = [...(sure.length ? sure : points), ...band.filter(({ n }) => n >= FEW)];
  const all = [...points.map(({ score }) => score), ...shown.flatMap(({ lower, upper }) => [lower, upper])];
  const from = Math.floor(Math.min(...all) / step - 0.1) * step;
  const to = Math.ceil(Math.max(...all) / step + 0.1) * step;
  return [Math.max(from, worst), Math.min(to, best)];
}

/** Stretches of points that follow each other; what has no answers is a gap. */
function runs(points) {
  const found = [];
  for (const [n, point] of points.entries()) {
    if (!point.n) continue;
    if (n && points[n - 1].n) found.at(-1).push(point);
    else found.push([point]);
  }
  return found;
}

/** The flags' places: those that would cover each other stand below. */
function levels(places) {
  const last = Array(LEVELS).fill(-Infinity);
  return places.map((place) => {
    const free = Math.max(0, last.findIndex((other) => place - other > CLOSE));
    last[free] = place;
    return free;
  });
}

export function trendChart() {
  const half = shape("line", { class: "tick", x1: 0, x2: 100 }); // of the scale: an NPS of 0
  const spans = shape("g", {});
  const bands = shape("g", {});
  const since = shape("polygon", { class: "since" });
  const lines = shape("g", {});
  const plot = shape("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none", class: "plot" });
  plot.append(spans, half, bands, since, lines);
  const dots = shape("g", {});
  const flags = shape("g", {});
  const top = shape("text", { x: -8, y: "1em" });
  const bottom = shape("text", { x: -8, y: "100%" });
  const halfLabel = shape("text", { x: -8, dy: "0.35em" });
  const node = shape("svg", { class: "chart", width: "100%", height: "100%", role: "img" });
  node.append(plot, dots, flags, top, halfLabel, bottom);

  /** `points` and `band` with their times `at` in ms, `events` with theirs and an end, from `start` to `end`. */
  const update = ({ points, band, events, start, end, scale, name }) => {
    const answered = points.filter(({ n }) => n);
    setAttributes(node, { visibility: answered.length ? "visible" : "hidden", "aria-label": name });
    if (!answered.length) return;
    const [low, high] = around(answered, band, scale);
    const x = (at) => (100 * (Math.min(Math.max(at, start), end) - start)) / (end - start);
    const y = (value) => (100 * (high - value)) / (high - low);
    const path = (among, key) => among.map((one) => `${x(one.at).toFixed(2)},${y(one[key]).toFixed(2)}`).join(" ");
    const area = (among) => `${path(among, "upper")} ${path(among.toReversed(), "lower")}`;

    const stretches = runs(points);
    const whisker = ([one]) => ({ x1: x(one.at), x2: x(one.at), y1: y(one.lower), y2: y(one.upper) });
    bands.replaceChildren(
      ...stretches.map((run) =>
        run.length > 1
          ? shape("polygon", { class: "area", points: area(run) })
          : shape("line", { class: "whisker", ...whisker(run) }),
      ),
    );
    lines.replaceChildren(...stretches.map((run) => shape("polyline", { class: "line", points: path(run, "score") })));
    setAttributes(since, { points: area(band) });
    dots.replaceChildren(
      ...answered.map((one) => {
        const kind = one.n < TOO_FEW ? "dot few" : "dot";
        return shape("circle", { class: kind, cx: percent(x(one.at)), cy: percent(y(one.score)), r: 3 });
      }),
    );
    showEvents(events, x);
    const halfway = middle(scale);
    const at = y(halfway);
    const visibility = at > 15 && at < 90 ? "inherit" : "hidden"; // elsewhere its label would meet the other two
    setAttributes(half, { y1: at, y2: at, visibility });
    setAttributes(halfLabel, { y: percent(at), visibility });
    setText(halfLabel, written(halfway, scale));
    setText(top, written(high, scale));
    setText(bottom, written(low, scale));
  };

  function showEvents(events, x) {
    const places = events.map(({ at }) => x(at));
    const lasting = events.filter(({ until }) => until);
    spans.replaceChildren(
      ...lasting.map(({ at, until }) =>
        shape("rect", { class: "span", x: x(at), width: Math.max(x(until) - x(at), 0.3), y: 0, height: 100 }),
      ),
    );
    const heights = levels(places);
    flags.replaceChildren(
      ...events.map(({ kind, number }, n) => {
        const [place, height] = [percent(places[n]), 9 + 20 * heights[n]];
        return shape(
          "g",
          { class: `flag ${kind}` },
          shape("line", { x1: place, x2: place, y1: height, y2: "100%" }),
          shape("circle", { cx: place, cy: height, r: 9 }),
          Object.assign(shape("text", { x: place, y: height + 4, "text-anchor": "middle" }), { textContent: number }),
        );
      }),
    );
  }
  return { node, update };
}

/** The same for people who do not see it. */
export function spoken(points, scale) {
  const answered = points.filter(({ n }) => n);
  if (!answered.length) return "No answers in this window";
  const say = (point) => texts({ ...point, scale }).value;
  const values = answered.map(({ score }) => score);
  const [least, most] = [Math.min(...values), Math.max(...values)].map(
    (value) => say(answered.find(({ score }) => score === value)),
  );
  return `Score over time: at first ${say(answered[0])}, now ${say(answered.at(-1))}, between ${least} and ${most}`;
}
