/** The live page: follows the stream of snapshots and shows the newest. */

import { showChanges } from "./changes.js";
import { showComments } from "./comments.js";
import { Detail } from "./detail.js";
import { List, button, find, setOptions, setText } from "./dom.js";
import * as format from "./format.js";
import { showIncidents } from "./incidents.js";
import { showFunnel, showInvited, showReasons } from "./people.js";
import { PLACES, showScore, showWindows } from "./score.js";
import { showSegments } from "./segments.js";
import { LiveStream } from "./stream.js";
import { onSince, showSince, showTrend } from "./trendpanel.js";

const ANNOUNCE_EVERY = 30_000;
const OFTEN = 3_000;
const NOW_AND_THEN = 5_000;

const windowButtons = new List(find("windows"), ({ window }) => window, windowButton);

let choice = {};
let since = "newest";
let snapshot = null;
let drawing = false;
let announced = { at: -Infinity, text: "" };
const details = { changes: null, trend: null, timeline: null, open: null };

const asked = {
  changes: detail("changes", "/v1/changes", OFTEN),
  trend: detail("trend", "/v1/trend", NOW_AND_THEN),
  timeline: detail("timeline", "/v1/timeline", OFTEN),
  open: detail("open", "/v1/timeline", OFTEN),
};

function detail(name, path, every) {
  return new Detail(path, every, (found) => {
    details[name] = found;
    redraw();
  });
}

const surveyTitle = () => snapshot.surveys.find(({ id }) => id === snapshot.survey)?.title ?? snapshot.survey;

/** All time has no trend: the longest window stands in for it. */
const trendWindow = ({ window, windows }) => (window === "all" ? windows.at(-2) : window);

/** The scores of a snapshot know the scale that they are on. */
function scaled({ scale, scores, segments }) {
  const every = [scores, ...Object.values(segments)].flatMap((found) => Object.values(found));
  for (const score of every) score.scale = scale;
}

function windowButton({ window }) {
  const node = button(window, () => choose({ window }));
  node.title = format.period(window);
  return { node, update: ({ pressed }) => node.setAttribute("aria-pressed", pressed) };
}

function showChoice() {
  const { survey, window, surveys, windows, scale } = snapshot;
  setOptions(find("survey"), surveys.map(({ id, title }) => [id, title]), survey);
  find("survey").disabled = false;
  windowButtons.update(windows.map((name) => ({ window: name, pressed: name === window })));
  setText(find("title"), surveyTitle());
  setText(find("subtitle"), `${scale.title}, ${format.period(window)}`);
  setText(find("trend-heading"), `Trend, ${format.period(trendWindow(snapshot) ?? window)}`);
  const groupsOf = scale.groups.map(({ label, answers }) => `${label} ${format.range(answers)}`);
  setText(find("formula"), `${format.capital(groupsOf.join(", "))}. Score: ${scale.formula}.`);
  document.title = `${surveyTitle()} · livenps`;
  const query = `?${new URLSearchParams({ survey, window })}`;
  if (location.search !== query) history.replaceState(null, "", query);
}

/** Says the score aloud when it changed, but not more often than a person wants to hear it. */
function announce(score) {
  const text = `${surveyTitle()}, ${format.period(snapshot.window)}: ${format.sentence(score)}`;
  if (text === announced.text || performance.now() - announced.at < ANNOUNCE_EVERY) return;
  announced = { at: performance.now(), text };
  setText(find("announcement"), text);
}

function redraw() {
  if (!drawing) requestAnimationFrame(draw); // once a frame at most, and not at all in a hidden tab
  drawing = true;
}

function draw() {
  drawing = false;
  if (!snapshot) return; // nothing is there to be shown any more
  const score = snapshot.scores[snapshot.window];
  showChoice();
  showIncidents(details.open, snapshot);
  showScore(score);
  showWindows(snapshot);
  showTrend(details.trend, details.timeline, snapshot);
  showSince(details.trend, details.timeline, since, snapshot);
  showChanges(details.changes, snapshot);
  showSegments(snapshot, details.changes);
  showComments(snapshot, PLACES);
  showFunnel(snapshot);
  showInvited(snapshot);
  showReasons(snapshot);
  announce(score);
  setText(find("as-of"), format.time(snapshot.as_of));
  find("as-of").dateTime = snapshot.as_of;
  find("demo").hidden = snapshot.kept;
  find("content").hidden = false;
  find("main").removeAttribute("aria-busy");
}

function refresh() {
  const { survey } = snapshot;
  const window = trendWindow(snapshot);
  asked.changes.refresh({ survey });
  asked.timeline.refresh({ survey });
  asked.open.refresh({ status: "open" });
  if (window) asked.trend.refresh({ survey, window }, reached() ? { since } : {});
}

/** Whether the moment that was chosen lies in the window: nobody can tell what came before it otherwise. */
function reached() {
  const marker = details.timeline?.markers.find(({ marker_id: id }) => id === since);
  const at = Date.parse(marker?.at ?? since);
  return since === "newest" || (details.trend && at >= Date.parse(details.trend.points[0].at));
}

/** What is the matter, in words; nothing where all is well. */
function tell(state, notice = "") {
  const names = { live: "Live", reconnecting: "Reconnecting", recovering: "Recovering", unavailable: "No data" };
  find("connection").dataset.state = state;
  find("main").dataset.state = state;
  setText(find("state"), names[state]);
  setText(find("trouble"), notice);
  find("trouble").hidden = !notice;
}

/** Takes the numbers away: they are not true any more, and nobody knows which are. */
function nothing(state, notice) {
  snapshot = null;
  Object.values(asked).forEach((one) => one.forget());
  find("content").hidden = true;
  find("alerts").hidden = true;
  find("main").removeAttribute("aria-busy");
  tell(state, notice);
}

const stream = new LiveStream(
  {
    snapshot(received) {
      snapshot = received;
      scaled(received);
      choice = { survey: received.survey, window: received.window };
      tell("live");
      refresh();
      redraw();
    },
    recovering({ percent }) {
      nothing("recovering", `The answers are being counted again: ${percent} %. Scores are back when all are in.`);
    },
    unavailable() {
      nothing("unavailable", "The scores cannot be read at the moment. Answers are kept, and are counted when this is over.");
    },
  },
  () => {
    const shown = snapshot && `What you see is as of ${format.time(snapshot.as_of)}. `;
    tell("reconnecting", `The connection is lost. ${shown || ""}The page tries again by itself.`);
  },
);

/** Follows another survey or window; what is shown stays, dimmed, until its first snapshot. */
function choose(change) {
  if (change.survey && change.survey !== choice.survey) since = "newest";
  choice = { ...choice, ...change };
  announced = { at: -Infinity, text: "" };
  find("main").setAttribute("aria-busy", "true");
  stream.open(choice);
}

find("survey").addEventListener("change", (event) => choose({ survey: event.target.value }));
onSince((chosen) => {
  since = chosen;
  if (snapshot) refresh();
});

for (const [name, value] of new URLSearchParams(location.search)) {
  if (["survey", "window"].includes(name)) choice[name] = value;
}
stream.open(choice);
