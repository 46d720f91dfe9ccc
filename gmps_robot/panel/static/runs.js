// The Runs view: training and adaptation runs of the catalogue, and the curves of the chosen one.

import { $, make, setText } from "./api.js";
import { get } from "./archive.js";
import { draw, lineChart } from "./charts.js";
import { attempt } from "./live.js";

let run = null; // the answer of /api/runs/{run}

export function start() {
  $("curve-name").addEventListener("change", drawCurve);
  $("run-rows").addEventListener("keydown", (event) => {
    const line = document.activeElement.closest("tr");
    const next = { ArrowDown: line?.nextElementSibling, ArrowUp: line?.previousElementSibling }[event.key];
    if (next) { event.preventDefault(); next.focus(); }
    if (event.key === "Enter" && line) choose(line);
  });
}

export function show() {
  return attempt(async () => {
    const { runs } = await get("runs");
    $("run-rows").replaceChildren(...runs.map(row));
    setText("runs-title", runs.length ? `Training and adaptation (${runs.length})` : "No run yet: gmps meta-train and sessions of Adapt write them");
    if (run) drawCurve();
  });
}

function row(one) {
  const line = make("tr", "run", "", { tabindex: "0", "data-run": one.run, "aria-selected": String(run?.run === one.run) });
  const started = one.started ? new Date(one.started).toLocaleString([], { dateStyle: "short", timeStyle: "short", hour12: false }) : "";
  line.append(...[started, one.name, one.kind, one.state].map((text) => make("td", "", text)));
  line.addEventListener("click", () => choose(line));
  return line;
}

function choose(line) {
  for (const other of $("run-rows").children) other.setAttribute("aria-selected", String(other === line));
  return attempt(async () => {
    run = await get(`runs/${line.dataset.run}`);
    const names = Object.keys(run.curves);
    setText("curve-title", `${run.name}, ${run.kind}`);
    $("curve-name").disabled = names.length === 0;
    $("curve-name").replaceChildren(...names.map((name) => make("option", "", name)));
    drawCurve();
  });
}

function drawCurve() {
  const name = $("curve-name").value, points = run?.curves[name] ?? [];
  const lines = name ? [[name, points]] : [];
  if (!draw("curve-chart", lineChart(lines, { x: "step", legend: false }))) { setTimeout(drawCurve, 100); return; }
  setText("curve-words", points.length ? `${name}: ${points[0][1]} at ${points[0][0]}, ${points.at(-1)[1]} at ${points.at(-1)[0]}` : "No points.");
}
