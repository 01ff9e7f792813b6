/** How numbers, scores and times are written on the page. */

const MINUS = "\u2212";
const integers = new Intl.NumberFormat("en");
const percents = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat("en", { timeStyle: "medium", hourCycle: "h23" });
const minute = new Intl.DateTimeFormat("en", { timeStyle: "short", hourCycle: "h23" });
const day = new Intl.DateTimeFormat("en", { day: "numeric", month: "short" });

const DAY = 86_400_000;

export const FEW = 30;
export const TOO_FEW = 10;

export const count = (n) => integers.format(n);

export const answers = (n) => `${count(n)} ${n === 1 ? "answer" : "answers"}`;

export const share = (part, whole) => `${percents.format((100 * part) / whole)} %`;

export const time = (iso) => clock.format(new Date(iso));

/** A moment as a person names it: the clock alone where that is enough. */
export function moment(at, now) {
  const date = new Date(at);
  const today = day.format(date) === day.format(new Date(now)) && Math.abs(now - at) < DAY;
  return today ? minute.format(date) : `${day.format(date)}, ${minute.format(date)}`;
}

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

/** A score alone, where its interval stands elsewhere. */
export const level = (value, { digits, symbol }) => number(value, digits) + symbol;

/** A change, with its sign. Of per cent it is points, which are no per cent. */
export function change(value, { digits }) {
  const text = number(value, digits);
  return Number(text.replace(MINUS, "-")) > 0 ? `+${text}` : text;
}

/** What is changed by a change of so many points. */
export const pointsOf = (value, scale) => {
  const text = number(Math.abs(value), scale.digits);
  return `${text} ${Number(text) === 1 ? "point" : "points"}`;
};

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

/** How often chance alone makes a change as large; the p-value of one look. */
export const chance = (p) => (p < 0.001 ? "p < 0.001" : `p = ${p.toFixed(p < 0.1 ? 3 : 2)}`);

const UNITS = { h: "hour", d: "day" };

/** "24h" as "last 24 hours". */
export function period(window) {
  const [, amount, unit] = /^(\d+)([hd])$/.exec(window) ?? [];
  if (!amount) return window === "all" ? "all time" : window;
  return amount === "1" ? `last ${UNITS[unit]}` : `last ${amount} ${UNITS[unit]}s`;
}

/** How long something takes, in the largest unit of which there are two. */
export function duration(ms) {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 120) return `${Math.max(minutes, 0)} min`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h`;
  return `${Math.floor(minutes / (24 * 60))} days`;
}

/** How long before `now` something was, by the server's clock alone. */
export function ago(iso, now) {
  const ms = Date.parse(now) - Date.parse(iso);
  return ms < 60_000 ? "just now" : `${duration(ms)} ago`;
}

/** "pro|eu" of "plan x region" as "pro × eu". */
export const segment = (dimension, value) => (dimension.includes(" x ") ? value.replace("|", " \u00d7 ") : value);

export const dimension = (name) => name.replace(" x ", " \u00d7 ");
