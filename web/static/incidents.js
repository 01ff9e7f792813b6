/** Alerts that are active: what fired, whom it concerns, and where to read on. */

import { List, element, find, setAttributes, setLink, setText } from "./dom.js";
import * as format from "./format.js";

const incidents = new List(find("incidents"), ({ incident }) => incident.incident_id, incidentView);

/** The segment that an alert is about, or else the one that explains most of it. */
function concerned({ labels, explanation }, scale) {
  if (labels.segment) return `${labels.dimension ?? "Segment"}: ${labels.segment}`;
  const [first] = explanation?.segments ?? [];
  if (!first) return "";
  const name = `${format.dimension(first.dimension)} ${format.segment(first.dimension, first.segment)}`;
  const moved = explanation.mix_moved ?? [];
  const mix = moved.length ? ` The mix moved: ${moved.map(format.dimension).join(", ")}.` : "";
  return `${name} moved the score most: ${format.change(first.within, scale)} points.${mix}`;
}

function incidentView() {
  const severity = element("span", "severity");
  const title = element("h3");
  const when = element("span", "muted small");
  const segment = element("p", "concerned");
  const why = element("p", "muted small");
  const runbook = element("a", "", "What to do");
  const dashboard = element("a", "", "Dashboard");
  const head = element("div", "incident-head", severity, title, when);
  const node = element("li", "alert", head, segment, why, element("p", "incident-links small", runbook, dashboard));
  const update = ({ incident, scale, now }) => {
    const { labels, annotations, opened_at: at } = incident;
    const name = annotations.summary ?? labels.alertname ?? "Alert";
    node.dataset.severity = labels.severity ?? "";
    setText(severity, labels.severity ?? "alert");
    setText(title, name);
    setText(when, `since ${format.moment(Date.parse(at), Date.parse(now))}`);
    setText(segment, concerned(incident, scale));
    setText(why, annotations.description ?? "");
    setLink(runbook, annotations.runbook_url);
    setLink(dashboard, annotations.dashboard_url);
    setAttributes(runbook, { "aria-label": `What to do: ${name}` });
    setAttributes(dashboard, { "aria-label": `Dashboard: ${name}` });
  };
  return { node, update };
}

/** Those of this survey and of the pipeline; those of other surveys are counted. `open` is the timeline's. */
export function showIncidents(open, { survey, scale, as_of }) {
  const found = open?.incidents ?? [];
  const mine = found.filter(({ labels }) => !labels.survey || labels.survey === survey);
  const others = found.length - mine.length;
  incidents.update(mine.map((incident) => ({ incident, scale, now: as_of })));
  find("alerts").hidden = found.length === 0;
  find("other-incidents").hidden = others === 0;
  setText(find("other-incidents"), `${others === 1 ? "One alert is" : `${others} alerts are`} active in other surveys.`);
}
