/** What customers write, as it comes. */

import { List, element, find, setText } from "./dom.js";
import * as format from "./format.js";

const comments = new List(find("comments"), ({ answer }) => answer.response_id, commentView);

/** One answer with a comment. */
function commentView() {
  const badge = element("span", "badge");
  const group = element("span", "group");
  const when = element("time", "muted small");
  const text = element("p", "comment");
  const tags = element("p", "muted small tags");
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

export function showComments({ comments: answers, scale, as_of }, places) {
  const place = ({ group }) => places[scale.groups.findIndex(({ name }) => name === group)] ?? "middle";
  find("no-comments").hidden = answers.length > 0;
  comments.update(answers.map((answer) => ({ answer, place: place(answer), now: as_of })));
}
