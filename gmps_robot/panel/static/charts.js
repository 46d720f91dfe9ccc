// Options of the charts, and how they get into the elements that NiceGUI laid out for them.

const INK = "#a8b3c1", GRID = "#2a313b", SUCCESS = "#3ecf7a", FAIL = "#ff7b72", UPDATE = "#f5b83d";
const CROSS = "path://M0,2 L2,0 L6,4 L10,0 L12,2 L8,6 L12,10 L10,12 L6,8 L2,12 L0,10 L4,6 Z";
const STAGES = [["before", "Before", "#93a1b3"], ["adapt", "Adaptation", "#6cb2ff"], ["after", "After", "#c9a2ff"]];
export const VERDICTS = { success: SUCCESS, fail: FAIL, open: "#4a5563" };
export const COLOURS = ["#6cb2ff", "#f5b83d", "#3ecf7a", "#c9a2ff", "#ff7b72", "#5fd7d0"];
const LABEL = { color: INK, fontSize: 12 };
const BASE = { animation: false, textStyle: { fontFamily: "system-ui, sans-serif" } };

/** The chart inside the element `id`; null as long as NiceGUI has not made it. */
function chartOf(id) {
  const element = document.querySelector(`#${id} > .chart`);
  return (element && window.getElement?.(element.id.slice(1))?.chart) ?? null;
}

/** Draw; false when the chart is not there yet, so that the caller tries again. */
export function draw(id, option) {
  const chart = chartOf(id);
  if (!chart) return false;
  chart.setOption({ ...BASE, ...option }, { notMerge: true });
  return true;
}

/** Return per episode: before, adaptation and after side by side, success told by shape. The axis has room for all. */
export function returnChart(points) {
  const counts = { before: points.evaluation_episodes, adapt: points.episodes * points.updates,
                   after: points.evaluation_episodes };
  const starts = { before: 0, adapt: counts.before, after: counts.before + counts.adapt };
  const series = STAGES.map(([stage, word, colour]) => stageSeries(points[stage], word, colour, starts[stage], counts[stage], stage));
  series[1].markLine = {
    silent: true, symbol: "none", lineStyle: { color: UPDATE, type: "dashed" },
    data: Array.from({ length: points.updates }, (_, i) => ({ xAxis: counts.before + points.episodes * (i + 1) - 0.5 })),
    label: { formatter: "update", color: UPDATE, fontSize: 12, position: "end", rotate: 0, offset: [-24, 0] },
  };
  const names = Object.values(counts).flatMap((count) => Array.from({ length: count }, (_, i) => shownNumber(i + 1, count)));
  return {
    grid: { left: 44, right: 14, top: 30, bottom: 30 },
    xAxis: {
      type: "value", min: -0.5, max: names.length - 0.5, splitLine: { show: false }, axisTick: { show: false },
      interval: 0.5, // ticks start at the edge; every second one is an episode
      axisLine: { onZero: false, lineStyle: { color: GRID } },
      axisLabel: { ...LABEL, margin: 12, formatter: (v) => names[v] ?? "" },
    },
    yAxis: returnAxis(STAGES.flatMap(([stage]) => points[stage].map(([value]) => value))),
    tooltip: { trigger: "item", formatter: "{b}" },
    series,
  };
}

function shownNumber(number, count) {
  const every = count > 10 ? Math.max(1, Math.round(count / 20) * 5) : 1;
  return number % every === 0 || number === 1 ? String(number) : "";
}

function returnAxis(values) {
  const unit = values.every((value) => value >= 0 && value <= 1); // labels and stars: a fixed scale is easier to read
  return {
    type: "value", axisLabel: { ...LABEL, showMaxLabel: !unit }, splitLine: { lineStyle: { color: GRID } },
    axisLine: { show: false }, axisTick: { show: false }, splitNumber: 3,
    ...(unit ? { min: 0, max: 1.15, interval: 0.5 } : { scale: true }),
  };
}

function stageSeries(done, word, colour, start, count, stage) {
  return {
    type: "line", name: word, lineStyle: { color: colour, width: 1.5, opacity: 0.55 },
    data: done.map(([value, success], i) => ({
      value: [start + i, Number(value.toFixed(4))],
      name: `${word}, episode ${i + 1}: ${success ? "success" : "fail"}, return ${value.toFixed(2)}`,
      symbol: success ? "circle" : CROSS, symbolSize: 11, itemStyle: { color: success ? SUCCESS : FAIL },
    })),
    markArea: {
      silent: true, data: [[{ xAxis: start - 0.5, name: word }, { xAxis: start + count - 0.5 }]],
      itemStyle: { color: `rgba(255,255,255,${stage === "adapt" ? 0 : 0.05})` },
      label: { color: colour, position: "top", distance: 6, fontSize: 12 },
    },
  };
}

/** Bars side by side, or piled up where `series` has several: [[name, [height, ...], colour], ...]. */
export function barChart(names, series) {
  return {
    grid: { left: 34, right: 8, top: 8, bottom: 24 },
    tooltip: { trigger: "axis", axisPointer: { type: "shadow" } },
    xAxis: { type: "category", data: names, axisLabel: { ...LABEL, hideOverlap: true }, axisTick: { show: false },
             axisLine: { lineStyle: { color: GRID } } },
    yAxis: { type: "value", minInterval: 1, splitNumber: 2, axisLabel: LABEL, splitLine: { lineStyle: { color: GRID } } },
    series: series.map(([name, data, colour]) => ({
      type: "bar", name, data, stack: "all", barMaxWidth: 40, barCategoryGap: "18%", itemStyle: { color: colour },
    })),
  };
}

/** Lines over one x axis; `lines` is [[name, [[x, y], ...], style], ...], `at` a vertical mark. */
export function lineChart(lines, { x = "", at = null, legend = true } = {}) {
  const series = lines.map(([name, data, style = {}], i) => ({
    type: "line", name, data, lineStyle: { width: 1.8, type: style.dashed ? "dashed" : "solid" },
    itemStyle: { color: style.colour ?? COLOURS[i % COLOURS.length] }, symbol: data.length < 2 ? "circle" : "none",
  }));
  const shares = lines.every(([, data]) => data.every(([, value]) => value >= 0 && value <= 1));
  if (at !== null && series.length) series[0].markLine = {
    silent: true, symbol: "none", data: [{ xAxis: at }], lineStyle: { color: "#fff" }, label: { show: false },
  };
  return {
    grid: { left: 50, right: 14, top: legend ? 30 : 12, bottom: 34 },
    legend: legend ? { top: 0, textStyle: LABEL, inactiveColor: "#5b6675", itemHeight: 8, type: "scroll" } : { show: false },
    tooltip: { trigger: "axis", valueFormatter: (value) => Number(value).toPrecision(3) },
    xAxis: { type: "value", name: x, nameLocation: "middle", nameGap: 22, nameTextStyle: LABEL,
             axisLabel: { ...LABEL, hideOverlap: true, formatter: (value) => String(Number(value.toFixed(2))) },
             min: "dataMin", max: "dataMax", splitLine: { show: false }, axisLine: { onZero: false, lineStyle: { color: GRID } } },
    yAxis: { type: "value", ...(shares ? { min: 0, max: 1, interval: 0.5 } : { scale: true }), axisLabel: LABEL, splitNumber: 3, splitLine: { lineStyle: { color: GRID } } },
    series,
  };
}
