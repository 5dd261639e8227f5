// Draws what `tracing/views/dashboards/charts.py` sends:
//   lines, areas, stacks: times (of each bucket, and the end of the last), since, until, series [{name, values, unit, href, total, rest, before}], marks
//   bars, columns, pie:   items [{name, values, href, rest}], metrics
//   histogram:            bars [[from, until, how many]]
import * as echarts from "../vendor/echarts/echarts.js";
import { write, writeShort, writeTime } from "./chart-words.js";

const COLOURS = 8;
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

const valueAxis = (unit, colours) => ({
  type: "value", splitNumber: 3, axisLine: { show: false }, axisTick: { show: false },
  axisLabel: { color: colours["text-3"], fontSize: 11, formatter: (value) => writeShort(value, unit) },
  splitLine: { lineStyle: { color: colours.line } },
});

const categoryAxis = (data, colours, more = {}) => ({
  type: "category", data, axisTick: { show: false }, axisLine: { lineStyle: { color: colours.line } },
  axisLabel: { color: colours["text-3"], fontSize: 11, hideOverlap: true, ...more },
});

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

// --- Kinds -----------------------------------------------------------------------------------------------
// A value between two that are not there has no line to stand on, and gets a dot.
function dotted(values) {
  return values.map((value, at) => {
    const isAlone = value !== null && (values[at - 1] ?? null) === null && (values[at + 1] ?? null) === null;
    return isAlone ? value : { value, symbol: "none" };
  });
}

function inTime(element, data, colours, hidden) {
  const starts = data.times.slice(0, -1), at = places(data);
  const isStacked = data.kind !== "lines" && !data.series.some((one) => one.before);
  const series = data.series.map((one, number) => {
    const own = tint(at[number], colours);
    const values = hidden.has(number) ? [] : data.kind === "stacks" && !one.before ? one.values.map((value) => value || null) : dotted(one.values);
    const common = { name: one.name, data: values, color: own, emphasis: { focus: "series" }, stack: isStacked ? "all" : undefined };
    if (data.kind === "stacks" && !one.before) return { ...common, type: "bar", barCategoryGap: "18%", barMinHeight: 1 };
    return {
      ...common, type: "line", symbol: "circle", symbolSize: 5, showSymbol: true, connectNulls: false,
      lineStyle: { width: 1.5, color: own, type: one.before ? "dashed" : "solid", opacity: one.before ? 0.6 : 1 },
      areaStyle: data.kind === "areas" && !one.before ? { color: own, opacity: 0.25 } : undefined,
    };
  });
  if (data.marks?.length && series.length) series[0].markLine = markLine(data, starts, colours);
  const units = [...new Set(data.series.map((one) => one.unit))];
  return {
    ...frame(element, colours), series,
    xAxis: categoryAxis(starts, colours, { formatter: (text) => writeTime(text, data.bucket, true) }),
    yAxis: valueAxis(units.length > 1 ? "" : units[0], colours),
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
function markLine(data, starts, colours) {
  const marks = data.marks
    .map((mark) => ({ ...mark, place: starts.findLastIndex((start) => start <= mark.at) }))
    .filter((mark) => mark.place >= 0);
  return {
    symbol: "none", silent: true, animation: false, lineStyle: { color: colours["text-3"], type: "dotted", width: 1 },
    label: { color: colours["text-3"], fontSize: 10, position: "insideEndTop", formatter: ({ name }) => name.slice(0, 24) },
    data: marks.map((mark) => ({ xAxis: mark.place, name: mark.name })),
  };
}

function asBars(element, data, colours) {
  const isDown = data.kind === "bars";
  const items = isDown ? [...data.items].reverse() : data.items;
  const names = items.map((one) => one.name);
  const cut = (name) => (name.length > 24 ? `${name.slice(0, 23)}…` : name);
  const labels = categoryAxis(names, colours, { formatter: cut, color: colours["text-2"], fontFamily: getComputedStyle(element).fontFamily });
  const series = data.metrics.map((name, number) => ({
    type: "bar", name, barMaxWidth: 22, barMinHeight: 1, data: items.map((one) => one.values[number]),
    color: colours.series[number % COLOURS], cursor: "pointer",
    label: { show: data.labels || isDown, position: isDown ? "right" : "top", color: colours["text-2"], fontSize: 11, formatter: ({ value }) => writeShort(value ?? 0, data.unit) },
  }));
  const values = isDown ? { ...valueAxis(data.unit, colours), axisLabel: { show: false }, splitLine: { show: false } } : valueAxis(data.unit, colours);
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
  return {
    ...frame(element, colours),
    series: [{
      type: "pie", radius: ["52%", "82%"], center: ["50%", "50%"], label: { show: false }, itemStyle: { borderColor: colours.surface, borderWidth: 1 },
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
    yAxis: valueAxis("", colours),
    series: [{ type: "bar", barCategoryGap: "6%", data: data.bars.map((bar) => bar[2] || null), color: colours.series[0], barMinHeight: 1 }],
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
}

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

// --- Mounting --------------------------------------------------------------------------------------------
function redraw(element) {
  const { chart, data, hidden } = shown.get(element);
  chart.setOption(KINDS[data.kind](element, data, palette(), hidden), { notMerge: true });
}

const sizes = new ResizeObserver((entries) => {
  for (const { target, contentRect } of entries) if (contentRect.width && contentRect.height) shown.get(target)?.chart.resize();
});

// Draws the chart whose data stand behind `element`; `before` says which names were hidden in the one it replaces.
export function mount(element, data, before = new Set()) {
  const chart = echarts.init(element, null, { renderer: "canvas" });
  const names = (data.series ?? data.items ?? []).map((one) => one.name);
  const hidden = new Set(names.flatMap((name, number) => (before.has(name) ? [number] : [])));
  shown.set(element, { chart, data, hidden });
  redraw(element);
  legend(element, data, hidden);
  follow(element, data, chart);
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
