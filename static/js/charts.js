// Draws what `tracing/views/dashboards/charts.py` sends:
//   lines, areas, stacks: times (of each bucket, and the end of the last), since, until, series [{name, values, unit, href, total, rest, before}], marks
//   bars, columns, pie:   items [{name, values, href, rest}], metrics, total of a pie as text
//   histogram:            bars [[from, until, how many]]
import * as echarts from "../vendor/echarts/echarts.js";
import { isOfDays, roundStep, timeLabels, write, writeShort, writeTime } from "./chart-words.js";

const COLOURS = 8;
const BAR = 20, LETTER = 7, NAME = 14;
// Browsers draw nothing on a canvas that is longer.
const TALLEST = 8000;
const STILL_MS = 120; // a width that is dragged changes all the time
// What has a colour of its own wherever it is shown: levels, and types of observations.
const TONES = [
  "rest", "bad", "warn", "line-strong", "span", "generation", "event", "agent", "tool", "chain", "retriever", "embedding", "evaluator", "guardrail",
];
const shown = new Map(); // element -> {chart, data, hidden}

// --- Colours ---------------------------------------------------------------------------------------------
// A canvas knows no custom properties, so they are asked of the page, and again when the theme changes.
const pixel = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

function colour(name) {
  const probe = document.createElement("i");
  probe.hidden = true;
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  pixel.clearRect(0, 0, 1, 1);
  pixel.fillStyle = getComputedStyle(probe).color;
  pixel.fillRect(0, 0, 1, 1);
  probe.remove();
  const [red, green, blue] = pixel.getImageData(0, 0, 1, 1).data;
  return `rgb(${red},${green},${blue})`;
}

function palette() {
  const found = {};
  for (const name of ["line", "line-strong", "text", "text-2", "text-3", "surface", "accent"]) found[name] = colour(`--${name}`);
  found.series = Array.from({ length: COLOURS }, (_, at) => colour(`--series-${at + 1}`));
  found.tones = Object.fromEntries(TONES.map((name) => [name, colour(`--${name === "rest" ? "series-rest" : name}`)]));
  return found;
}

// Of series that repeat one another, as the line of the period before does, the colour is the same.
function places(data) {
  let next = 0;
  const parts = data.series ?? data.items ?? [];
  const own = parts.filter((one) => !one.before);
  return parts.map((one) => one.tone ?? (one.rest ? "rest" : one.before ? (own.length === 1 ? 1 : 4) : (next++ % COLOURS) + 1));
}

const tint = (place, colours) => colours.tones[place] ?? colours.series[place - 1];

// --- Parts of every chart --------------------------------------------------------------------------------
const font = (element) => getComputedStyle(element).getPropertyValue("--font-data");

function frame(element, colours) {
  return {
    animationDuration: matchMedia("(prefers-reduced-motion: reduce)").matches ? 0 : 250,
    textStyle: { fontFamily: font(element), fontSize: 11, color: colours["text-3"] },
    grid: { left: 8, right: 12, top: 12, bottom: 4, containLabel: true },
    tooltip: {
      confine: true, backgroundColor: colours.surface, borderColor: colours["line-strong"], borderWidth: 1, padding: [6, 10],
      extraCssText: "box-shadow:none;border-radius:6px;z-index:9", textStyle: { color: colours.text, fontSize: 12 },
    },
  };
}

// `most`: the largest value, where it is known; durations then have round steps. There is no half of a trace.
const valueAxis = (unit, colours, most = 0) => ({
  ...(unit === "milliseconds" ? { interval: roundStep(most) } : {}), ...(WHOLE.has(unit) ? { minInterval: 1 } : {}),
  type: "value", splitNumber: 3, axisLine: { show: false }, axisTick: { show: false },
  axisLabel: { color: colours["text-3"], fontSize: 11, formatter: (value) => writeShort(value, unit) },
  splitLine: { lineStyle: { color: colours.line } },
});

const categoryAxis = (data, colours, more = {}) => ({
  type: "category", data, axisTick: { show: false }, axisLine: { lineStyle: { color: colours.line } },
  axisLabel: { color: colours["text-3"], fontSize: 11, hideOverlap: true, ...more },
});

const WHOLE = new Set(["count", "tokens"]);
const LABEL = 64; // what a label below an axis of time takes, with room around it

function timeAxis(element, data, starts, colours) {
  if (isOfDays(data.bucket)) return categoryAxis(starts, colours, { formatter: (text) => writeTime(text, data.bucket, true), alignMaxLabel: "right" });
  const labels = timeLabels(starts, (element.clientWidth - LABEL) / LABEL);
  return categoryAxis(starts, colours, { interval: (place) => labels.has(place), formatter: (_text, place) => labels.get(place) ?? " " });
}

const largest = (values) => values.reduce((most, value) => Math.max(most, value ?? 0), 0);

// Tooltips are elements and not HTML: names are traced, and so hostile.
function tip(title, lines) {
  const box = document.createElement("div");
  box.className = "chart-tip";
  const head = document.createElement("h4");
  head.textContent = title;
  box.append(head);
  for (const { place, name, text } of lines) {
    const line = document.createElement("p"), dot = document.createElement("i"), words = document.createElement("span"), value = document.createElement("b");
    dot.className = `c-${place}`;
    words.textContent = name;
    value.textContent = text;
    line.append(dot, words, value);
    box.append(line);
  }
  return box;
}

const labelText = (value, unit) => (unit === "dollars" && Math.abs(value) < 1000 ? write(value, unit) : writeShort(value, unit));
const valueLabel = (unit, colours, more = {}) => ({
  show: true, position: "top", color: colours["text-2"], fontSize: 10, textBorderColor: colours.surface, textBorderWidth: 2, formatter: ({ value }) => (value === null || value === undefined ? "" : labelText(value, unit)), ...more,
});

// --- Kinds -----------------------------------------------------------------------------------------------
// A value between two that are not there has no line to stand on, and gets a dot.
function dotted(values) {
  return values.map((value, at) => {
    const isAlone = value !== null && (values[at - 1] ?? null) === null && (values[at + 1] ?? null) === null;
    return isAlone ? value : { value, symbol: "none" };
  });
}

// Where nothing was measured there is no line; a faint one leads across, so that what belongs together is seen.
function bridge(one, own) {
  const first = one.values.findIndex((value) => value !== null), last = one.values.findLastIndex((value) => value !== null);
  if (first < 0 || !one.values.slice(first, last).includes(null)) return [];
  return [{
    type: "line", data: one.values, connectNulls: true, symbol: "none", silent: true, animation: false, z: 1,
    lineStyle: { width: 1, color: own, type: "dotted", opacity: 0.45 }, emphasis: { disabled: true }, tooltip: { show: false },
  }];
}

function inTime(element, data, colours, hidden) {
  const starts = data.times.slice(0, -1), at = places(data), hasLabels = (one) => data.labels && !one.before;
  const isStacked = data.kind !== "lines" && !data.series.some((one) => one.before);
  const series = data.series.map((one, number) => {
    const own = tint(at[number], colours);
    const values = hidden.has(number) ? [] : data.kind === "stacks" && !one.before ? one.values.map((value) => value || null) : hasLabels(one) ? one.values : dotted(one.values);
    const common = { name: one.name, data: values, color: own, emphasis: { focus: "series" }, stack: isStacked ? "all" : undefined, labelLayout: { hideOverlap: true } };
    if (hasLabels(one)) common.label = valueLabel(one.unit, colours, data.kind === "stacks" && data.series.length > 1 ? { position: "inside", color: colours.surface, textBorderWidth: 0 } : {});
    if (data.kind === "stacks" && !one.before) return { ...common, type: "bar", barCategoryGap: "18%", barMinHeight: 1 };
    return {
      ...common, type: "line", symbol: "circle", symbolSize: 5, showSymbol: true, connectNulls: false,
      lineStyle: { width: 1.5, color: own, type: one.before ? "dashed" : "solid", opacity: one.before ? 0.6 : 1 },
      areaStyle: data.kind === "areas" && !one.before ? { color: own, opacity: 0.25 } : undefined,
    };
  });
  if (data.kind === "lines") series.push(...data.series.flatMap((one, number) => (hidden.has(number) ? [] : bridge(one, tint(at[number], colours)))));
  if (data.marks?.length && series.length) series[0].markLine = markLine(element, data, starts, colours);
  const units = [...new Set(data.series.map((one) => one.unit))];
  return {
    ...frame(element, colours), series,
    xAxis: timeAxis(element, data, starts, colours),
    yAxis: valueAxis(units.length > 1 ? "" : units[0], colours, isStacked ? 0 : largest(data.series.flatMap((one, number) => (hidden.has(number) ? [] : one.values)))),
    tooltip: {
      ...frame(element, colours).tooltip, trigger: "axis", axisPointer: { type: "line", lineStyle: { color: colours["line-strong"], type: "solid" } },
      formatter: (parts) => {
        const place = parts[0]?.dataIndex;
        if (place === undefined) return "";
        const lines = data.series
          .map((one, number) => ({ place: at[number], name: one.name, value: one.values[place], text: write(one.values[place], one.unit), number }))
          .filter((one) => !hidden.has(one.number) && one.value !== null && one.value !== undefined && (one.value || data.series.length === 1))
          .sort((one, other) => other.value - one.value);
        return tip(writeTime(starts[place], data.bucket, false), lines);
      },
    },
  };
}

// A line where a release was first seen, with its name at the top.
function markLine(element, data, starts, colours) {
  const places = new Map(); // of those that began in one bucket the names stand together
  for (const { at, name } of data.marks) {
    const place = starts.findLastIndex((start) => start <= at);
    if (place >= 0) places.set(place, [...(places.get(place) ?? []), name]);
  }
  // Of two names that would lie upon each other the newer one is written.
  const bucket = element.clientWidth / starts.length, found = [...places].sort(([one], [other]) => one - other);
  const isCovered = (number) => number + 1 < found.length && (found[number + 1][0] - found[number][0]) * bucket < NAME;
  return {
    symbol: "none", silent: true, animation: false, lineStyle: { color: colours["text-3"], type: "dotted", width: 1 },
    label: { color: colours["text-3"], fontSize: 10, position: "insideEndTop", textBorderColor: colours.surface, textBorderWidth: 3, formatter: ({ name }) => (name.length > 24 ? `${name.slice(0, 23)}…` : name) },
    data: found.map(([place, names], number) => ({ xAxis: place, name: names.join(", "), label: isCovered(number) ? { show: false } : undefined })),
  };
}

function asBars(element, data, colours) {
  const isDown = data.kind === "bars";
  const items = isDown ? [...data.items].reverse() : data.items;
  const names = items.map((one) => one.name);
  const cut = (most) => (name) => (name.length > most ? `${name.slice(0, most - 1)}…` : name);
  // Below columns names stand in two lines, where there is room for that.
  const room = (element.clientWidth - LABEL) / items.length - 6;
  const within = !isDown && room > 4 * LETTER ? { interval: 0, width: room, overflow: "breakAll", formatter: cut(2 * Math.floor(room / LETTER)) } : { formatter: cut(24) };
  const labels = categoryAxis(names, colours, { ...within, color: colours["text-2"], fontFamily: getComputedStyle(element).fontFamily });
  const series = data.metrics.map((name, number) => ({
    type: "bar", name, z: 2 + data.metrics.length - number, barMaxWidth: isDown ? 22 : 40, barMinHeight: 1, data: items.map((one) => one.values[number]),
    color: colours.series[number % COLOURS], cursor: "pointer",
    label: data.labels || isDown ? valueLabel(data.unit, colours, { position: isDown ? "right" : "top", fontSize: 11 }) : undefined,
  }));
  const most = largest(items.flatMap((one) => one.values));
  const values = isDown ? { ...valueAxis(data.unit, colours), axisLabel: { show: false }, splitLine: { show: false } } : valueAxis(data.unit, colours, most);
  const base = frame(element, colours);
  return {
    ...base, series, grid: { ...base.grid, right: isDown ? 52 : 12 },
    xAxis: isDown ? values : labels, yAxis: isDown ? { ...labels, axisLine: { show: false } } : values,
    tooltip: { ...base.tooltip, trigger: "item", formatter: ({ dataIndex, seriesIndex }) =>
      tip(names[dataIndex], [{ place: (seriesIndex % COLOURS) + 1, name: data.metrics[seriesIndex], text: write(items[dataIndex].values[seriesIndex], data.unit) }]) },
  };
}

function asPie(element, data, colours, hidden) {
  const at = places(data), total = data.items.reduce((sum, one) => sum + (one.values[0] ?? 0), 0);
  const label = data.labels ? { show: true, color: colours["text-2"], fontSize: 11, formatter: ({ value }) => labelText(value ?? 0, data.unit) } : { show: false };
  return {
    ...frame(element, colours),
    title: { text: hidden.size ? "" : data.total ?? "", left: "center", top: "middle", textStyle: { color: colours.text, fontSize: 15, fontWeight: 600, fontFamily: getComputedStyle(element).fontFamily } },
    series: [{
      type: "pie", radius: data.labels ? ["46%", "70%"] : ["56%", "84%"], center: ["50%", "50%"], label, labelLine: { length: 6, length2: 6, lineStyle: { color: colours["line-strong"] } }, itemStyle: { borderColor: colours.surface, borderWidth: 1 },
      data: data.items.map((one, number) => ({ name: one.name, value: hidden.has(number) ? 0 : one.values[0], itemStyle: { color: tint(at[number], colours) } })),
    }],
    tooltip: { ...frame(element, colours).tooltip, trigger: "item", formatter: ({ dataIndex: number }) => {
      const value = data.items[number].values[0];
      return tip(data.items[number].name, [{ place: at[number], name: total ? `${((value / total) * 100).toFixed(1)} %` : "", text: write(value, data.unit) }]);
    } },
  };
}

function asHistogram(element, data, colours) {
  const base = frame(element, colours), last = data.bars.length - 1;
  return {
    ...base,
    xAxis: categoryAxis(data.bars.map(([low]) => low), colours, { formatter: (low) => writeShort(Number(low), data.unit) }),
    yAxis: valueAxis("count", colours),
    series: [{ type: "bar", barCategoryGap: "6%", data: data.bars.map((bar) => bar[2] || null), color: colours.series[0], barMinHeight: 1, label: data.labels ? valueLabel("", colours) : undefined, labelLayout: { hideOverlap: true } }],
    tooltip: { ...base.tooltip, trigger: "axis", axisPointer: { type: "none" }, formatter: ([{ dataIndex: at }]) => {
      const [low, high, height] = data.bars[at];
      const name = at === last ? `≥ ${write(low, data.unit)}` : `${write(low, data.unit)} – ${write(high, data.unit)}`;
      return tip(name, [{ place: 1, name: "", text: write(height, "count") }]);
    } },
  };
}

const KINDS = { lines: inTime, areas: inTime, stacks: inTime, bars: asBars, columns: asBars, pie: asPie, histogram: asHistogram };

// --- Legends ---------------------------------------------------------------------------------------------
function legend(element, data, hidden) {
  const box = element.closest(".panel, .preview")?.querySelector("[data-legend]");
  if (!box) return;
  box.replaceChildren();
  const parts = data.series ?? (data.kind === "pie" ? data.items : []);
  legends.unobserve(box);
  if (parts.length < 2) return;
  const at = places(data);
  parts.forEach((one, number) => {
    const button = document.createElement("button"), name = document.createElement("span");
    button.type = "button";
    button.className = `c-${at[number]}`;
    button.title = one.total ? `${one.name}: ${one.total}` : one.name;
    button.setAttribute("aria-pressed", String(!hidden.has(number)));
    name.textContent = one.name;
    button.append(name);
    button.addEventListener("click", () => {
      if (!hidden.delete(number)) hidden.add(number);
      button.setAttribute("aria-pressed", String(!hidden.has(number)));
      redraw(element);
    });
    box.append(button);
  });
  box.append(moreOf(box));
  fit(box);
  legends.observe(box);
}

// What does not fit beside the title is counted, and shown below it when that is asked for.
function moreOf(box) {
  const more = document.createElement("button");
  more.type = "button";
  more.className = "more";
  more.addEventListener("click", () => {
    box.closest("header").classList.toggle("all-names");
    fit(box);
  });
  return more;
}

function fit(box) {
  const more = box.querySelector(".more"), all = [...box.querySelectorAll("button:not(.more)")];
  if (!more) return;
  const isOpen = box.closest("header").classList.contains("all-names");
  for (const button of all) button.hidden = false;
  more.hidden = !isOpen;
  more.setAttribute("aria-expanded", String(isOpen));
  more.textContent = "−";
  more.setAttribute("aria-label", box.dataset.less);
  if (isOpen) return;
  for (let shown = all.length; shown > 0 && box.scrollWidth > box.clientWidth; ) {
    all[--shown].hidden = true;
    more.hidden = false;
    more.textContent = `+${all.length - shown}`;
    more.setAttribute("aria-label", box.dataset.more.replace("%n%", all.length - shown));
  }
}

const legends = new ResizeObserver((entries) => entries.forEach(({ target }) => fit(target)));

// --- Going to the rows -----------------------------------------------------------------------------------
function follow(element, data, chart) {
  const go = (href) => href && location.assign(href);
  if (data.series) {
    let series = null;
    chart.on("mousemove", (event) => (series = event.componentType === "series" ? event.seriesIndex : null));
    chart.on("globalout", () => (series = null));
    chart.getZr().on("click", ({ offsetX, offsetY }) => {
      if (!chart.containPixel("grid", [offsetX, offsetY])) return;
      const place = Math.min(Math.max(Math.round(chart.convertFromPixel({ xAxisIndex: 0 }, offsetX)), 0), data.times.length - 2);
      const address = new URL(data.series[series]?.href ?? data.href, location.href);
      address.searchParams.set("from", data.times[place] > data.since ? data.times[place] : data.since);
      address.searchParams.set("to", data.times[place + 1] < data.until ? data.times[place + 1] : data.until);
      go(address.href);
    });
    chart.getZr().setCursorStyle("pointer");
  } else if (data.items) {
    const items = data.kind === "bars" ? [...data.items].reverse() : data.items;
    chart.on("click", ({ dataIndex }) => go(items[dataIndex]?.href));
  }
}

// --- One moment in all charts -------------------------------------------------------------------------
// Where the pointer is in one chart in time, the others show the same moment; tooltips stay where the pointer is.
const quiet = { type: "updateAxisPointer", dispatchAction: () => {} };

function point(element, moment) {
  const { chart, data } = shown.get(element);
  const place = moment && moment < data.times.at(-1) ? data.times.findLastIndex((start) => start <= moment) : -1;
  if (place < 0) return chart.dispatchAction({ ...quiet, currTrigger: "leave" });
  const x = chart.convertToPixel({ xAxisIndex: 0 }, place);
  chart.dispatchAction({ ...quiet, currTrigger: "mousemove", x, y: chart.getHeight() / 2 });
}

function share(element, chart, data) {
  let last = null;
  const tell = (moment) => {
    if (moment === last) return;
    last = moment;
    for (const [other, one] of shown) if (other !== element && one.data.times) point(other, moment);
  };
  chart.getZr().on("mousemove", ({ offsetX, offsetY }) => {
    const isInside = chart.containPixel("grid", [offsetX, offsetY]);
    tell(isInside ? data.times[Math.round(chart.convertFromPixel({ xAxisIndex: 0 }, offsetX))] ?? null : null);
  });
  chart.getZr().on("globalout", () => tell(null));
}

// --- Mounting --------------------------------------------------------------------------------------------
function redraw(element, more = {}) {
  const { chart, data, hidden } = shown.get(element);
  chart.setOption({ ...KINDS[data.kind](element, data, palette(), hidden), ...more }, { notMerge: true });
}

const resizing = new WeakMap();

// How many moments have names, and how much of those of columns is there, depends on the width: once it stays.
function resize(element) {
  const { chart } = shown.get(element) ?? {};
  const before = chart?.getWidth();
  chart?.resize();
  if (!chart || chart.getWidth() === before) return;
  clearTimeout(resizing.get(element));
  resizing.set(element, setTimeout(() => shown.has(element) && redraw(element, { animation: false }), STILL_MS));
}

const sizes = new ResizeObserver((entries) => {
  for (const { target, contentRect } of entries) {
    if (contentRect.width && contentRect.height) resize(target);
    else if (!target.isConnected) unmount(target);  // its panel was taken away
  }
});

// Bars that would be too thin to have names have a plot of their own height, which is scrolled.
function makeRoom(element, data) {
  element.style.minBlockSize = "";
  const height = data.kind === "bars" ? Math.min(data.items.length * BAR, TALLEST) : 0;
  const isTall = height > element.clientHeight;
  if (isTall) element.style.minBlockSize = `${height}px`;
  element.classList.toggle("tall", isTall);
  if (isTall) element.tabIndex = 0;
}

// Draws the chart whose data stand behind `element`; `before` says which names were hidden in the one it replaces.
export function mount(element, data, before = new Set()) {
  makeRoom(element, data);
  const chart = echarts.init(element, null, { renderer: "canvas" });
  const names = (data.series ?? data.items ?? []).map((one) => one.name);
  const hidden = new Set(names.flatMap((name, number) => (before.has(name) ? [number] : [])));
  shown.set(element, { chart, data, hidden });
  redraw(element);
  legend(element, data, hidden);
  follow(element, data, chart);
  if (data.times) share(element, chart, data);
  sizes.observe(element);
}

export function unmount(element) {
  const one = shown.get(element);
  if (!one) return new Set();
  const parts = one.data.series ?? one.data.items ?? [];
  sizes.unobserve(element);
  one.chart.dispose();
  shown.delete(element);
  return new Set([...one.hidden].map((number) => parts[number].name));
}

const again = () => shown.forEach((_, element) => redraw(element));
new MutationObserver(again).observe(document.documentElement, { attributeFilter: ["data-theme"] });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
