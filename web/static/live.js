/** The live page: follows the stream of snapshots and shows the newest. */

import { gauge, stackedBar, trend, trendStart } from "./charts.js";
import { List, setText } from "./dom.js";
import * as format from "./format.js";
import { LiveStream } from "./stream.js";
import { barView, commentView, dimensionView, groupView, windowButton, windowCard } from "./views.js";

const PLACES = ["best", "middle", "worst"]; // of groups, as they come
const STATES = { live: "Live", reconnecting: "Reconnecting" };
const LONGEST_HISTORY = 600;
const ANNOUNCE_EVERY = 30_000;

const find = (id) => document.getElementById(id);

function place(id, chart) {
  find(id).append(chart.node);
  return chart;
}

const scoreGauge = place("gauge", gauge());
const groupBar = place("group-bar", stackedBar(PLACES, 16));
const trendChart = place("trend", trend());
const groups = new List(find("groups"), ({ name }) => name, groupView);
const windowButtons = new List(find("windows"), ({ window }) => window, (item) =>
  windowButton(item, (window) => choose({ window })),
);
const windowCards = new List(find("window-cards"), ({ window }) => window, windowCard);
const dimensions = new List(find("segments"), ({ dimension }) => dimension, dimensionView);
const comments = new List(find("comments"), ({ answer }) => answer.response_id, commentView);
const funnel = new List(find("funnel"), ({ label }) => label, barView);
const reasons = new List(find("reasons"), ({ label }) => label, barView);

let choice = {};
let snapshot = null;
let drawing = false;
let announced = { at: -Infinity, text: "" };
const histories = new Map();

const surveyTitle = () => snapshot.surveys.find(({ id }) => id === snapshot.survey)?.title ?? snapshot.survey;

/** The scores of a snapshot know the scale that they are on. */
function scaled({ scale, scores, segments }) {
  const every = [scores, ...Object.values(segments)].flatMap((found) => Object.values(found));
  for (const score of every) score.scale = scale;
}

/** The score of every window since the page was opened, thinned by half when it grows long. */
function remember({ survey, as_of, scores }) {
  for (const [window, score] of Object.entries(scores)) {
    const key = JSON.stringify([survey, window]);
    const history = histories.get(key) ?? [];
    if (score.n > 0) history.push({ at: Date.parse(as_of), ...score });
    histories.set(key, history.length > LONGEST_HISTORY ? history.filter((_, index) => index % 2) : history);
  }
}

function showChoice() {
  const { survey, window, surveys, windows, scale } = snapshot;
  const select = find("survey");
  const options = surveys.map(({ id, title }) => new Option(title, id));
  const same = options.length === select.length && options.every((option, i) => option.isEqualNode(select.options[i]));
  if (!same) select.replaceChildren(...options);
  if (select.value !== survey) select.value = survey;
  select.disabled = false;
  windowButtons.update(windows.map((name) => ({ window: name, pressed: name === window })));
  setText(find("title"), surveyTitle());
  setText(find("subtitle"), `${scale.title}, ${format.period(window)}`);
  const groupsOf = scale.groups.map(({ label, answers }) => `${label} ${format.range(answers)}`);
  setText(find("formula"), `${format.capital(groupsOf.join(", "))}. Score: ${scale.formula}.`);
  document.title = `${surveyTitle()} · livenps`;
  const query = `?${new URLSearchParams({ survey, window })}`;
  if (location.search !== query) history.replaceState(null, "", query);
}

function showScore(score) {
  const text = format.score(score);
  setText(find("score"), text.value);
  setText(find("score-interval"), score.n ? `95 % interval ${text.interval}` : "No answers yet");
  setText(find("score-n"), score.n ? `n = ${format.answers(score.n)}` : "");
  setText(find("score-remark"), text.remark || `fewer than ${format.FEW} answers`);
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

function showTrend({ survey, window }) {
  const points = histories.get(JSON.stringify([survey, window])) ?? [];
  trendChart.update(points);
  setText(find("trend-start"), points.length ? format.time(trendStart(points)) : "");
}

function showSegments({ segments }) {
  const entries = Object.entries(segments).filter(([, scores]) => Object.keys(scores).length > 0);
  find("no-segments").hidden = entries.length > 0;
  dimensions.update(entries.map(([dimension, scores]) => ({ dimension, scores })));
}

function showComments({ comments: answers, scale, as_of }) {
  const place = ({ group }) => PLACES[scale.groups.findIndex(({ name }) => name === group)] ?? "middle";
  find("no-comments").hidden = answers.length > 0;
  comments.update(answers.map((answer) => ({ answer, place: place(answer), now: as_of })));
}

/** The rate against the step before; answers may also come from requests outside the window. */
function rate(part, whole, name) {
  if (!whole) return "";
  return part > whole ? "some asked earlier or elsewhere" : `${format.share(part, whole)} of ${name}`;
}

function showFunnel({ funnel: counts }) {
  const steps = ["touchpoints", "asked", "delivered", "answered"];
  const largest = Math.max(1, ...steps.map((step) => counts[step]));
  funnel.update(
    steps.map((step, index) => ({
      label: step,
      count: counts[step],
      remark: index ? rate(counts[step], counts[steps[index - 1]], steps[index - 1]) : "",
      fraction: counts[step] / largest,
    })),
  );
}

function showReasons({ reasons: records }) {
  const notAsked = records.filter(({ decision }) => decision === "not_asked").sort((a, b) => b.count - a.count);
  const sum = notAsked.reduce((total, { count }) => total + count, 0);
  const scheduled = records.filter(({ decision }) => decision === "scheduled").reduce((n, { count }) => n + count, 0);
  find("no-reasons").hidden = notAsked.length > 0;
  reasons.update(
    notAsked.map(({ reason, count }) => ({
      label: format.words(reason),
      count,
      remark: format.share(count, sum),
      fraction: count / sum,
    })),
  );
  find("scheduled").hidden = scheduled === 0;
  setText(find("scheduled"), `${format.count(scheduled)} more scheduled for later.`);
}

/** Says the score aloud when it changed, but not more often than a person wants to hear it. */
function announce(score) {
  const text = `${surveyTitle()}, ${format.period(snapshot.window)}: ${format.sentence(score)}`;
  if (text === announced.text || performance.now() - announced.at < ANNOUNCE_EVERY) return;
  announced = { at: performance.now(), text };
  setText(find("announcement"), text);
}

function draw() {
  drawing = false;
  if (!snapshot) return; // the answers are being counted again since
  const score = snapshot.scores[snapshot.window];
  showChoice();
  showScore(score);
  showTrend(snapshot);
  windowCards.update(
    snapshot.windows.map((window) => ({
      window,
      score: snapshot.scores[window],
      current: window === snapshot.window,
    })),
  );
  showSegments(snapshot);
  showComments(snapshot);
  showFunnel(snapshot);
  showReasons(snapshot);
  announce(score);
  setText(find("as-of"), format.time(snapshot.as_of));
  find("as-of").dateTime = snapshot.as_of;
  find("demo").hidden = snapshot.kept;
  find("recovering").hidden = true;
  find("content").hidden = false;
  find("main").removeAttribute("aria-busy");
}

const stream = new LiveStream({
  onSnapshot(received) {
    snapshot = received;
    scaled(received);
    choice = { survey: received.survey, window: received.window };
    remember(received);
    if (!drawing) requestAnimationFrame(draw); // once a frame at most, and not at all in a hidden tab
    drawing = true;
  },
  onRecovering({ percent }) {
    snapshot = null;
    setText(find("recovering"), `The answers are being counted again: ${percent} %. Scores are back when all are in.`);
    find("recovering").hidden = false;
    find("content").hidden = true;
    find("main").removeAttribute("aria-busy");
  },
  onState(state) {
    find("connection").dataset.state = state;
    setText(find("state"), STATES[state]);
  },
});

/** Follows another survey or window; what is shown stays, dimmed, until its first snapshot. */
function choose(change) {
  choice = { ...choice, ...change };
  announced = { at: -Infinity, text: "" };
  find("main").setAttribute("aria-busy", "true");
  stream.open(choice);
}

find("survey").addEventListener("change", (event) => choose({ survey: event.target.value }));

for (const [name, value] of new URLSearchParams(location.search)) {
  if (["survey", "window"].includes(name)) choice[name] = value;
}
stream.open(choice);
