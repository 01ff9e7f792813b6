/** The score that matters: its gauge, its groups, what it means, and the same in all windows. */

import { gauge, rangeBar, stackedBar, swatch } from "./charts.js";
import { List, element, find, setText } from "./dom.js";
import * as format from "./format.js";

export const PLACES = ["best", "middle", "worst"]; // of groups, as they come

function place(id, chart) {
  find(id).append(chart.node);
  return chart;
}

const scoreGauge = place("gauge", gauge());
const groupBar = place("group-bar", stackedBar(PLACES, 16));
const groups = new List(find("groups"), ({ name }) => name, groupView);
const windowCards = new List(find("window-cards"), ({ window }) => window, windowCard);

/** One group of answers: label, share and count. */
function groupView({ place: name, label, range }) {
  const portion = element("span", "portion");
  const amount = element("span", "muted");
  const node = element(
    "div",
    "",
    element("dt", "", element("span", "label", swatch(name), label), element("span", "muted small", range)),
    element("dd", "", portion, amount),
  );
  const update = ({ amount: part, n }) => {
    setText(portion, n ? format.share(part, n) : "–");
    setText(amount, format.count(part));
  };
  return { node, update };
}

/** The score of one window. */
function windowCard({ window }) {
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
    node.classList.toggle("few", score.n < format.FEW);
    node.classList.toggle("current", current);
  };
  return { node, update };
}

/** What the numbers allow one to say. */
function meaning(score) {
  if (!score.n) return "The score shows with the first answer of this window.";
  const { interval } = format.score(score);
  if (score.n < format.TOO_FEW) {
    return `${format.capital(format.answers(score.n))} cannot tell the score of all customers: it may be anything from ${interval}.`;
  }
  const unanimous = Object.values(score.groups).includes(score.n);
  const more = unanimous ? " Everybody agrees so far; somebody who does not may be next." : "";
  return `If everybody had answered, the score would lie from ${interval}, in 19 of 20 such cases.${more}`;
}

export function showScore(score) {
  const text = format.score(score);
  setText(find("score"), text.value);
  setText(find("score-interval"), score.n ? `95 % interval ${text.interval}` : "No answers yet");
  setText(find("score-n"), score.n ? `n = ${format.answers(score.n)}` : "");
  setText(find("score-remark"), text.remark || `fewer than ${format.FEW} answers`);
  setText(find("score-meaning"), meaning(score));
  find("score-remark").hidden = score.n === 0 || score.n >= format.FEW;
  find("score").classList.toggle("few", score.n < format.FEW);
  scoreGauge.update(score);
  const amounts = Object.values(score.groups);
  groupBar.update(amounts);
  groups.update(
    score.scale.groups.map(({ name, label, answers }, index) => ({
      name: `${score.metric} ${name}`, // two scales have a neutral one
      place: PLACES[index],
      label: format.capital(label),
      range: format.range(answers),
      amount: amounts[index],
      n: score.n,
    })),
  );
}

export function showWindows({ windows, scores, window: current }) {
  windowCards.update(windows.map((window) => ({ window, score: scores[window], current: window === current })));
}
