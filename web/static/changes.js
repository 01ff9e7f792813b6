/** What changed and why: of each segment, what its own score and what its share of the answers add to the change. */

import { divergingBars } from "./charts.js";
import { List, button, element, find, setText } from "./dom.js";
import * as format from "./format.js";

const SHOWN = 8; // segments; the others are summed up
const PARTS = ["within", "mix"];
const SURE = 0.05;

const tabs = new List(find("change-dimensions"), ({ name }) => name, tabView);
const rows = new List(find("change-rows"), ({ key }) => key, rowView);

let chosen = { survey: "", name: "" };
let last = null;

function tabView({ name }) {
  const pick = () => {
    chosen = { survey: last.snapshot.survey, name };
    showChanges(last.changes, last.snapshot);
  };
  const node = button(format.dimension(name), pick);
  return { node, update: ({ pressed }) => node.setAttribute("aria-pressed", pressed) };
}

function rowView() {
  const bars = divergingBars(PARTS);
  const name = element("span", "name");
  const levels = element("span", "muted small");
  const head = element("th", "", name, levels);
  const [within, mix] = [element("td", "number"), element("td", "number")];
  head.scope = "row";
  const node = element("tr", "", head, element("td", "bars-cell", bars.node), within, mix);
  const update = (row) => {
    setText(name, row.name);
    setText(levels, row.levels);
    setText(within, row.texts[0]);
    setText(mix, row.texts[1]);
    bars.update(row.parts, row.most);
  };
  return { node, update };
}

/** The change of the whole, and what the watch says of it. */
function headline({ total, reference_window: reference }, scale) {
  if (!total) return "";
  if (total.change === null) return "There are no answers to compare yet.";
  const [now, before] = [total.score, total.reference].map((value) => format.level(value, scale));
  const amount = `${now} in the last 24 hours, ${before} in the rest of the ${format.period(reference)}`;
  if (total.p === null) return `${amount}: too few answers to tell.`;
  const chance = `${format.chance(total.p)} at one look`;
  if (total.p >= SURE) return `${amount}: no change that is more than chance (${chance}).`;
  const moved = total.change < 0 ? "fell" : "rose";
  return `${amount}: it ${moved} by ${format.pointsOf(total.change, scale)}, which is unlikely to be chance (${chance}).`;
}

function watch(gathered, scale) {
  if (!gathered) return "";
  const baseline = `the baseline of ${format.level(gathered.baseline, scale)}`;
  if (gathered.drop_alarmed) return `Alarm: the answers are evidence of a lasting drop below ${baseline}.`;
  if (gathered.rise_alarmed) return `Good news: the answers are evidence of a lasting rise above ${baseline}.`;
  const most = Math.max(gathered.drop, gathered.rise) / gathered.threshold;
  return `Watched, no alarm: ${format.share(Math.min(most, 1), 1)} of the evidence that one needs against ${baseline}.`;
}

/** Who said something else, or who answered? */
function cause({ within, mix }, moved, name, scale) {
  const said = `${format.change(within, scale)} from what the segments of ${name} answered`;
  const who = `${format.change(mix, scale)} from how many of each answered`;
  return moved ? `The mix moved: ${who}, ${said}.` : `${format.capital(said)}, ${who}.`;
}

/** Whether the shares made most of the change, and more of it than a fortieth of the scale: less is nobody's concern. */
function mixMoved({ mix, mix_moved: more }, { ends: [worst, best] }) {
  return more && Math.abs(mix) >= (best - worst) / 40;
}

function parts(dimension, { segments }, scale) {
  const found = Object.entries(segments)
    .filter(([, one]) => one.within !== null)
    .map(([value, one]) => ({ value, one, parts: PARTS.map((part) => one[part]) }))
    .sort((a, b) => size(b) - size(a) || a.value.localeCompare(b.value));
  const shown = found.slice(0, SHOWN).map(({ value, one, parts: both }) => ({
    key: `${dimension} ${value}`,
    name: format.segment(dimension, value),
    levels: [one.reference, one.score].map((at) => (at === null ? "–" : format.level(at, scale))).join(" → "),
    parts: both,
  }));
  const rest = found.slice(SHOWN);
  if (rest.length) {
    const sums = PARTS.map((_, n) => rest.reduce((sum, { parts: both }) => sum + both[n], 0));
    shown.push({ key: `${dimension} and`, name: `${format.count(rest.length)} more`, levels: "summed up", parts: sums });
  }
  const most = Math.max(0, ...shown.flatMap(({ parts: both }) => both.map(Math.abs)));
  return shown.map((row) => ({ ...row, most, texts: row.parts.map((part) => format.change(part, scale)) }));
}

/** The dimension with the segment that moved most; a pair only repeats what its dimensions tell. */
function telling(dimensions) {
  const single = dimensions.filter(([name]) => !name.includes(" x "));
  const most = ([, { segments }]) => Math.max(...Object.values(segments).map(({ within }) => Math.abs(within ?? 0)));
  return (single.length ? single : dimensions).reduce((one, other) => (most(other) > most(one) ? other : one))[0];
}

const size = ({ parts: [within, mix] }) => Math.abs(within) + Math.abs(mix);

export function showChanges(changes, snapshot) {
  last = { changes, snapshot };
  const { scale, survey } = snapshot;
  const dimensions = Object.entries(changes?.dimensions ?? {}).filter(([, { within }]) => within !== null);
  if (chosen.survey !== survey && dimensions.length) chosen = { survey, name: telling(dimensions) };
  const [name, dimension] = dimensions.find(([one]) => one === chosen.name) ?? dimensions[0] ?? [];
  find("changes").hidden = changes !== null && !changes.total;
  setText(find("change-headline"), changes ? headline(changes, scale) : "Waiting for the comparison.");
  const gathered = changes?.total?.evidence;
  setText(find("change-watch"), watch(gathered, scale));
  find("change-watch").classList.toggle("alarmed", Boolean(gathered?.drop_alarmed));
  find("change-parts").hidden = !dimension;
  if (!dimension) return;
  tabs.update(dimensions.map(([one]) => ({ name: one, pressed: one === name })));
  const moved = mixMoved(dimension, scale);
  setText(find("change-cause"), cause(dimension, moved, format.dimension(name), scale));
  find("change-cause").classList.toggle("mix-moved", moved);
  rows.update(parts(name, dimension, scale));
}
