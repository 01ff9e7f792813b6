/** Charts as SVG in per cent of their box, so that they need neither layout nor a resize handler. */

import { element, setAttributes } from "./dom.js";
import { FEW, mark as written, sentence } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";

export function shape(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  setAttributes(node, attributes);
  node.append(...children);
  return node;
}

export const percent = (value) => `${value.toFixed(2)}%`;

/** Where a point lies on a line from the scale's worst score to its best, with room for round ends. */
const position = (point, { ends: [worst, best] }) => 2 + (96 * (point - worst)) / (best - worst);

export const middle = ({ ends: [worst, best] }) => (worst + best) / 2;

/** The interval of a score as a band, the score as a mark on it. */
function interval(y, thickness) {
  const band = shape("rect", { class: "band", y: y - thickness / 2, height: thickness, rx: thickness / 2 });
  const mark = shape("line", { class: "needle", y1: y - thickness / 2 - 1, y2: y + thickness / 2 + 1 });
  const node = shape("g", {}, band, mark);
  const update = (score) => {
    setAttributes(node, { visibility: score.n === 0 ? "hidden" : "visible" });
    if (score.n === 0) return;
    const [from, to] = [position(score.lower, score.scale), position(score.upper, score.scale)];
    setAttributes(band, { x: percent(from), width: percent(Math.max(to - from, 0.1)) });
    const x = percent(position(score.score, score.scale));
    setAttributes(mark, { x1: x, x2: x });
  };
  return { node, update };
}

const track = (y) => shape("line", { class: "track", x1: "2%", x2: "98%", y1: y, y2: y });

function tick(place, from, to) {
  const x = percent(place);
  return shape("line", { class: "tick", x1: x, x2: x, y1: from, y2: to });
}

function tickLabel(point, y, scale) {
  const [worst, best] = scale.ends;
  const anchor = point === worst ? "start" : point === best ? "end" : "middle";
  const x = percent({ start: 0, end: 100 }[anchor] ?? position(point, scale));
  return shape("text", { x, y, "text-anchor": anchor }, written(point, scale));
}

/** Every point of a short scale, the quarters of a long one. */
function ticks(scale) {
  const [worst, best] = scale.ends;
  const parts = best - worst > 10 ? 4 : best - worst;
  const points = Array.from({ length: parts + 1 }, (_, n) => worst + (n * (best - worst)) / parts);
  return points.flatMap((point) => [tick(position(point, scale), 28, 33), tickLabel(point, 50, scale)]);
}

/** The whole scale with ticks, for the one score that matters. */
export function gauge() {
  const band = interval(16, 14);
  const axis = shape("g", {});
  const node = shape("svg", { class: "chart", height: 56, role: "img" }, track(16), axis, band.node);
  let drawn = "";
  const update = (score) => {
    const { scale } = score;
    if (drawn !== scale.metric) axis.replaceChildren(...ticks(scale));
    drawn = scale.metric;
    band.update(score);
    node.classList.toggle("few", score.n < FEW);
    const [worst, best] = scale.ends.map((end) => written(end, scale));
    setAttributes(node, { "aria-label": `On a scale from ${worst} to ${best}: ${sentence(score)}` });
  };
  return { node, update };
}

/** The same in one line of text height; the numbers stand beside it. */
export function rangeBar() {
  const band = interval(8, 7);
  const node = shape("svg", { class: "chart", height: 16, "aria-hidden": "true" }, track(8), tick(50, 2, 14), band.node);
  return { node, update: band.update };
}

/** Parts of a whole side by side. */
export function stackedBar(names, height) {
  const parts = names.map((name) => shape("rect", { class: name, y: 0, height }));
  const node = shape("svg", { class: "chart", height, "aria-hidden": "true" }, ...parts);
  const update = (values) => {
    const whole = values.reduce((sum, value) => sum + value, 0);
    let start = 0;
    for (const [index, part] of parts.entries()) {
      const width = whole ? (100 * values[index]) / whole : 0;
      setAttributes(part, { x: percent(start), width: percent(width) });
      start += width;
    }
  };
  return { node, update };
}

/** One bar of a bar chart, `fraction` of the full width. */
export function bar() {
  const fill = shape("rect", { class: "fill", height: "100%", rx: 4 });
  const ground = shape("rect", { class: "ground", width: "100%", height: "100%", rx: 4 });
  const node = shape("svg", { class: "chart", height: 8, "aria-hidden": "true" }, ground, fill);
  return { node, update: (fraction) => setAttributes(fill, { width: percent(100 * fraction) }) };
}

/** Two bars that leave a middle line to the left or to the right: what was lost and won, of at most `most`. */
export function divergingBars(names) {
  const bars = names.map((name, n) => shape("rect", { class: name, y: 2 + 11 * n, height: 8, rx: 2 }));
  const height = 4 + 11 * names.length;
  const zero = shape("line", { class: "zero", x1: "50%", x2: "50%", y1: 0, y2: height });
  const node = shape("svg", { class: "chart", height, "aria-hidden": "true" }, ...bars, zero);
  const update = (values, most) => {
    for (const [n, part] of bars.entries()) {
      const width = most ? (50 * Math.abs(values[n])) / most : 0;
      setAttributes(part, { x: percent(values[n] < 0 ? 50 - width : 50), width: percent(width) });
    }
  };
  return { node, update };
}

/** A swatch that goes with a label. */
export const swatch = (name) => element("span", `swatch ${name}`);
