// What there is to say of all the episodes that pass the filters: counts, success, length, smoothness, when they were judged.

import { $, make, percent, setText } from "./api.js";
import { get } from "./archive.js";
import { COLOURS, VERDICTS, barChart, draw } from "./charts.js";
import { attempt } from "./live.js";

const MEASURES = { seconds: "s", speed: "m/s", jerk: "m/s³" };
let found = null; // the answer of /api/statistics

export function start() { $("group-by").addEventListener("change", render); }

/** Ask for the episodes of `query`, URLSearchParams as of /api/episodes; `signal` drops the question. */
export function load(query, signal) {
  return attempt(async () => {
    found = await get(`statistics?${query}`, signal);
    render();
  });
}

/** Draw what is known, once the view is seen. */
export function render() {
  if (!found || $("statistics-card").hidden || $("view-episodes").hidden) return;
  const { all, measures } = found;
  setText("statistics-title", `${all.episodes} ${all.episodes === 1 ? "episode" : "episodes"}, ${minutes(all.minutes)} recorded`);
  const means = Object.entries(MEASURES).filter(([name]) => measures[name].mean !== null)
    .map(([name, unit]) => `${{ seconds: "length", speed: "speed", jerk: "jerk" }[name]} ${short(measures[name].mean)} ${unit}`);
  setText("statistics-facts", [all.judged ? `Success ${share(all)}` : "Nobody has judged them yet",
                               means.length ? `on average: ${means.join(", ")}` : ""].filter(Boolean).join("; "));
  renderGroups(found.groups[$("group-by").value]);
  requestAnimationFrame(drawCharts);
}

function renderGroups(groups) {
  $("group-rows").replaceChildren(...groups.map((group) => {
    const line = make("tr");
    line.append(...[group.name || "nobody", group.episodes, minutes(group.minutes), group.judged ? share(group) : "not judged"]
      .map((text) => make("td", "", String(text))));
    return line;
  }));
}

function drawCharts() {
  const groups = found.groups[$("group-by").value].slice(0, 12);
  const failed = ({ judged, successes }) => judged - successes;
  const done = [
    draw("group-chart", barChart(groups.map(({ name }) => name || "nobody"), [
      ["success", groups.map(({ successes }) => successes), VERDICTS.success], ["fail", groups.map(failed), VERDICTS.fail],
      ["not judged", groups.map(({ episodes, judged }) => episodes - judged), VERDICTS.open],
    ])),
    ...Object.keys(MEASURES).map((name) => {
      const { start, width, counts } = found.measures[name];
      return bars(name, counts.map((count, k) => [short(start + k * width), count]));
    }),
    bars("judged", Object.entries(found.judged)),
    bars("moments", found.moments.map((count, k) => [`${10 * k} %`, count])),
    bars("flags", Object.entries(found.flags)),
  ];
  if (!done.every(Boolean)) setTimeout(render, 100); // NiceGUI has not made all of them yet
}

function bars(name, pairs) {
  const seen = pairs.some(([, count]) => count);
  setText(`${name}-words`, seen ? pairs.map(([what, count]) => `${what}: ${count}`).join(", ") : "none");
  const names = pairs.map(([what]) => String(what).replaceAll("_", " "));
  return draw(`${name}-chart`, barChart(names, [["episodes", pairs.map(([, count]) => count), COLOURS[0]]]));
}

const minutes = (count) => (count < 1 ? `${Math.round(60 * count)} s` : `${count.toFixed(1)} min`);
const short = (value) => String(Number(value.toPrecision(3)));
const share = ({ successes, judged, low, high }) =>
  `${successes} of ${judged}: ${percent(successes / judged)} (${Math.round(100 * low)} to ${percent(high)})`;
