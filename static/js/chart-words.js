// Numbers and times of charts, written as everywhere else (`config/templatetags/formatting.py`).
const locale = document.documentElement.lang || "en";
const DAY_UNITS = new Set(["day", "week", "month", "quarter", "year"]);

const short = (value) => {
  const size = Math.abs(value);
  for (const [limit, unit] of [[1e9, " G"], [1e6, " M"], [1e3, " k"]])
    if (size >= limit) return `${trim(value / limit, size / limit < 10 ? 1 : 0)}${unit}`;
  return trim(value, size < 10 ? 2 : 1);
};
const trim = (value, digits) => String(Number(value.toFixed(digits)));

function money(value) {
  const size = Math.abs(value);
  if (!size) return "$0";
  if (size >= 1) return `$${value.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
  return `$${size >= 0.0001 ? value.toFixed(4) : value.toPrecision(2)}`;
}

function duration(milliseconds) {
  const seconds = milliseconds / 1000;
  if (seconds < 0.0995) return `${trim(milliseconds, milliseconds >= 1 ? 0 : 1)} ms`;
  if (seconds < 60) return `${seconds.toFixed(seconds < 9.995 ? 2 : 1)} s`;
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]])
    if (seconds >= size) return `${(seconds / size).toFixed(1)} ${unit}`;
  return "";
}

// Exactly, for tooltips.
export function write(value, unit) {
  if (value === null || value === undefined) return "—";
  switch (unit) {
    case "dollars": return money(value);
    case "milliseconds": return duration(value);
    case "share": return `${(value * 100).toFixed(2)} %`;
    case "tokens_per_second": return `${value.toFixed(1)}/s`;
    case "number": return Number.isInteger(value) ? String(value) : trim(value, 3);
  }
  return Math.abs(value) >= 1000 || Number.isInteger(value) ? Math.round(value).toLocaleString("en") : trim(value, 2);
}

// In little room, for axes.
export function writeShort(value, unit) {
  if (!value) return unit === "dollars" ? "$0" : "0";
  if (unit === "milliseconds") return value >= 60000 || value < 1000 ? duration(value).replace(".0 ", " ") : `${trim(value / 1000, 1)} s`;
  if (unit === "dollars") return Math.abs(value) >= 1 || !value ? `$${short(value)}` : `$${trim(value, 4)}`;
  if (unit === "share") return `${trim(value * 100, 1)} %`;
  return short(value);
}

// Steps at which durations are round, in milliseconds.
const SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, DAY = 24 * HOUR;
const ROUND = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500], ...[1, 2, 5, 10, 15, 30].map((number) => number * SECOND), ...[1, 2, 5, 10, 15, 30].map((number) => number * MINUTE),
  ...[1, 2, 3, 6, 12].map((number) => number * HOUR), ...[1, 2, 5, 10, 20, 50, 100].map((number) => number * DAY),
];

// The step of an axis of durations that has some three of them; undefined where a round number of milliseconds is as good.
export const roundStep = (most) => (most >= SECOND ? ROUND.find((step) => most / step <= 4) : undefined);

// The texts below an axis of buckets shorter than a day, by place: as many as there is room for, at round hours, and the date where a day begins.
export function timeLabels(starts, most) {
  const moments = starts.map((start) => new Date(start)), room = Math.max(most, 1);
  const { hours, places } = STEPS.map((hours) => ({ hours, places: placesOf(moments, hours) })).find((one) => one.places.length <= room) ?? { hours: 24, places: [0] };
  let day = dateOf(moments[0]);
  return new Map(places.map((place) => {
    const at = moments[place], date = dateOf(at), isDay = hours >= 24 || date !== day || localHours(at) % 24 === 0;
    day = date;
    return [place, isDay ? date : at.toLocaleTimeString(locale, CLOCK)];
  }));
}

const STEPS = [1 / 12, 1 / 4, 1 / 2, 1, 2, 3, 6, 12, 24, 48, 96, 168, 336, 672];
const CLOCK = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const dateOf = (at) => at.toLocaleDateString(locale, { month: "short", day: "numeric" });
const localHours = (at) => (at - at.getTimezoneOffset() * MINUTE) / HOUR;

// Where a new stretch of so many hours begins, in the reader's time.
function placesOf(moments, hours) {
  const stretches = moments.map((at) => localHours(at) / hours + 1e-9);
  const isNew = (place) => (place ? Math.floor(stretches[place]) !== Math.floor(stretches[place - 1]) : stretches[0] % 1 < 1e-6);
  return [...moments.keys()].filter(isNew);
}

export const isOfDays = (bucket) => DAY_UNITS.has(bucket);

// The beginning of a bucket. Days and longer are those of UTC, what is shorter is the reader's time.
export function writeTime(text, bucket, isShort) {
  const at = new Date(text), isDay = DAY_UNITS.has(bucket);
  const zone = isDay ? { timeZone: "UTC" } : {};
  const day = { month: "short", day: "numeric", ...zone };
  if (isDay) return at.toLocaleDateString(locale, isShort ? day : { ...day, weekday: "short", year: "numeric" });
  return `${at.toLocaleDateString(locale, { ...day, weekday: "short" })} ${at.toLocaleTimeString(locale, CLOCK)}`;
}
