/** From touchpoint to answer: who was asked, who answered, and why others were not asked. */

import { bar } from "./charts.js";
import { List, element, find, setOptions, setText } from "./dom.js";
import * as format from "./format.js";

const SEGMENTS = 10; // those that were invited most
const STEPS = { touchpoints: "touchpoints", asked: "asked", delivered: "sent", opened: "opened", answered: "answered" };
const WHOLE = { asked: "touchpoints", delivered: "asked", opened: "delivered", answered: "delivered" }; // what a step is a part of

const funnel = new List(find("funnel"), ({ label }) => label, barView);
const invited = new List(find("invited"), ({ label }) => label, barView);
const reasons = new List(find("reasons"), ({ label }) => label, barView);

let last = null;
find("invited-dimension").addEventListener("change", () => showInvited(last));

/** A labelled bar with its count and a remark. */
function barView() {
  const chart = bar();
  const label = element("span", "label");
  const amount = element("span", "amount");
  const remark = element("span", "muted small remark");
  const node = element("li", "", element("p", "bar-head", label, remark, amount), chart.node);
  const update = (item) => {
    setText(label, item.label);
    setText(amount, item.amount ?? format.count(item.count));
    setText(remark, item.remark);
    chart.update(item.fraction);
  };
  return { node, update };
}

/** The rate against an earlier step; answers may also come from requests outside the window. */
function rate(part, whole, name) {
  if (!whole) return "";
  return part > whole ? "some asked earlier or elsewhere" : `${format.share(part, whole)} of ${name}`;
}

/** Of those who were invited in the window of the page, how many have answered so far. */
function showResponded({ invited, answered } = { invited: 0 }, window) {
  find("responded").hidden = invited === 0;
  const when = window === "all" ? "" : ` in the ${format.period(window)}`;
  setText(find("responded"), invited ? `Of ${format.count(invited)} invited${when}, ${format.share(answered, invited)} have answered.` : "");
}

export function showFunnel({ funnel: counts, responded, window }) {
  showResponded(responded[window], window);
  const steps = Object.entries(STEPS);
  const nobody = steps.every(([step]) => counts[step] === 0);
  find("funnel").hidden = nobody;
  find("funnel-empty").hidden = !nobody;
  const largest = Math.max(1, ...steps.map(([step]) => counts[step]));
  funnel.update(
    steps.map(([step, label]) => {
      const whole = WHOLE[step];
      const remark = whole ? rate(counts[step], counts[whole], STEPS[whole]) : "";
      return { label: format.capital(label), count: counts[step], remark, fraction: counts[step] / largest };
    }),
  );
}

export function showReasons({ reasons: records }) {
  const notAsked = records.filter(({ decision }) => decision === "not_asked").sort((a, b) => b.count - a.count);
  const sum = notAsked.reduce((total, { count }) => total + count, 0);
  const scheduled = records.filter(({ decision }) => decision === "scheduled").reduce((n, { count }) => n + count, 0);
  find("no-reasons").hidden = notAsked.length > 0;
  reasons.update(
    notAsked.map(({ reason, count }) => ({
      label: format.capital(format.words(reason)),
      count,
      remark: format.share(count, sum),
      fraction: count / sum,
    })),
  );
  find("scheduled").hidden = scheduled === 0;
  setText(find("scheduled"), `${format.count(scheduled)} more scheduled for later.`);
}

/** Sent and answered by segment: one that seldom answers is heard less than it counts. */
export function showInvited(snapshot) {
  last = snapshot;
  const { invited: found } = snapshot;
  const dimensions = Object.entries(found).filter(([, segments]) => Object.keys(segments).length > 0);
  const select = find("invited-dimension");
  const [name, segments] = dimensions.find(([one]) => one === select.value) ?? dimensions[0] ?? [];
  find("invited-part").hidden = !name;
  if (!name) return;
  setOptions(select, dimensions.map(([one]) => [one, one]), name);
  const all = Object.entries(segments).sort(([, [a]], [, [b]]) => b - a);
  const [sent, answered] = [0, 1].map((n) => all.reduce((sum, [, pair]) => sum + pair[n], 0));
  const before = answered > sent; // what was sent before segments were counted
  invited.update(
    all.slice(0, SEGMENTS).map(([label, [asked, said]]) => ({
      label,
      amount: `${format.count(said)} of ${format.count(asked)}`,
      remark: asked >= said && asked ? format.share(said, asked) : "",
      fraction: Math.min(asked ? said / asked : 0, 1),
    })),
  );
  const more = all.length > SEGMENTS ? ` ${format.count(all.length - SEGMENTS)} segments more.` : "";
  const whole = before ? "" : `Of all, ${format.share(answered, sent)} answered. `;
  setText(find("invited-note"), `${whole}Who seldom answers is heard less than others in the score.${more}`);
}
