/** How numbers, scores and times are written on the page. */

const MINUS = "\u2212";
const integers = new Intl.NumberFormat("en");
const percents = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat("en", { timeStyle: "medium", hourCycle: "h23" });

export const FEW = 30;
export const TOO_FEW = 10;

export const count = (n) => integers.format(n);

export const answers = (n) => `${count(n)} ${n === 1 ? "answer" : "answers"}`;

export const share = (part, whole) => `${percents.format((100 * part) / whole)} %`;

export const time = (iso) => clock.format(new Date(iso));

export const words = (identifier) => identifier.replaceAll("_", " ");

function number(value, digits) {
  const text = Math.abs(value).toFixed(digits);
  return value < 0 && Number(text) !== 0 ? MINUS + text : text;
}

/** In the scale's digits, or one more where the interval is narrow enough for it to mean something. */
function points(value, { lower, upper, scale }) {
  const [worst, best] = scale.ends;
  const more = upper - lower < (best - worst) / 50 ? 1 : 0;
  return number(value, scale.digits + more) + scale.symbol;
}

/** A point of the scale, as axes name it. */
export const mark = (value, { symbol }) => number(value, value % 1 ? 1 : 0) + symbol;

/** The scores of a group: "9–10", or "3". */
export const range = ([from, to]) => (from === to ? String(from) : `${from}–${to}`);

export const capital = (text) => text[0].toUpperCase() + text.slice(1);

/** A score as texts: never a number without answers, never a number without its interval and n. */
export function score(s) {
  if (s.n === 0) return { value: "–", interval: "no answers yet", n: "0", remark: "" };
  return {
    value: points(s.score, s),
    interval: `${points(s.lower, s)} to ${points(s.upper, s)}`,
    n: count(s.n),
    remark: s.n < TOO_FEW ? "too few answers" : "",
  };
}

/** One sentence for people who listen to the page. */
export function sentence(s) {
  if (s.n === 0) return "no answers yet";
  const { value, interval, remark } = score(s);
  return `${value}, 95 % interval ${interval}, ${answers(s.n)}${remark && `, ${remark}`}`;
}

const UNITS = { h: "hour", d: "day" };

/** "24h" as "last 24 hours". */
export function period(window) {
  const [, amount, unit] = /^(\d+)([hd])$/.exec(window) ?? [];
  if (!amount) return window === "all" ? "all time" : window;
  return amount === "1" ? `last ${UNITS[unit]}` : `last ${amount} ${UNITS[unit]}s`;
}

/** How long before `now` something was, by the server's clock alone. */
export function ago(iso, now) {
  const minutes = Math.floor((Date.parse(now) - Date.parse(iso)) / 60_000);
  if (minutes < 1) return "just now";
  if (minutes < 60) return `${minutes} min ago`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ago`;
  return `${Math.floor(minutes / (24 * 60))} days ago`;
}
