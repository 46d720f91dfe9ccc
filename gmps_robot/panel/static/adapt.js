// The Adapt view: what happens now, what a person must do, how the episodes went, before against after.

import { $, get, make, percent, post, setText } from "./api.js";
import { draw, returnChart } from "./charts.js";
import { attempt, describe, isOperator, live, onStatus, send, take } from "./live.js";

let silentSince = new Map();
let shownReturns = "";

export const noteSilence = (since) => { silentSince = since; };
export const asks = (status) => status.tone === "ask";

export function start() {
  onStatus(render);
  describe("start", () => {
    if (!$("form").reportValidity()) return null;
    const number = (id) => Number($(id).value);
    return { task: number("start-task"), split: $("start-split").value,
             episodes: number("start-episodes"), updates: number("start-updates") };
  });
  $("form").addEventListener("submit", (event) => { event.preventDefault(); send("start"); });
  $("start-checkpoint").addEventListener("change", choose);
}

export function show() {
  shownReturns = "";
  if (live.status) render(live.status);
  attempt(listCheckpoints);
}

async function listCheckpoints() {
  const { checkpoints, current } = await get("checkpoints");
  const select = $("start-checkpoint");
  select.replaceChildren(...checkpoints.map(({ name, kind }) => {
    const option = make("option", "", kind && !name.includes(kind) ? `${name} (${kind})` : name);
    option.value = name;
    return option;
  }));
  select.value = current;
}

async function choose() {
  const name = $("start-checkpoint").value;
  if (!await attempt(async () => take(await post("checkpoint", { name }, { timeout: 40000 })))) attempt(listCheckpoints);
}

function render(s) {
  document.body.dataset.tone = live.lostSince ? "warn" : s.tone;
  document.body.dataset.reward = s.reward;
  document.body.classList.toggle("asked", s.allowed.includes("reset_done"));
  document.body.classList.toggle("can-start", s.allowed.includes("start"));
  $("start-checkpoint").disabled = !s.allowed.includes("start") || !isOperator();
  setText("headline", live.lostSince ? "Panel server is silent" : s.headline);
  setText("instruction", live.lostSince ? "What the page shows is old." : `${s.instruction} ${lastHeard(s.lost_link)}`.trim());
  setText("judge", s.task_text);
  setText("progress-text", s.progress_text);
  setText("task", s.task);
  const share = Math.round(100 * s.progress);
  $("progress").setAttribute("aria-valuenow", share);
  $("progress").firstElementChild.style.width = `${share}%`;
  renderDots(s.dots);
  renderSide("before", s.before);
  renderSide("after", s.after);
  setText("decision", s.decision_text);
  setText("chart-words", s.returns.map((r, i) => `${i + 1}: ${r.toFixed(2)} ${s.successes[i] ? "success" : "fail"}`).join("; "));
  const returns = JSON.stringify(s.chart);
  if (returns !== shownReturns && document.body.dataset.view === "adapt" && draw("return-chart", returnChart(s.chart)))
    shownReturns = returns;
}

function lastHeard(name) {
  if (!silentSince.has(name)) return "";
  return silentSince.get(name) ? `Last heard at ${silentSince.get(name)}.` : "Not heard yet.";
}

function renderDots(dots) {
  const key = dots.join();
  if ($("dots").dataset.key === key) return;
  $("dots").dataset.key = key;
  $("dots").replaceChildren(...dots.map((word, i) => make("li", `dot dot-${word}`, "", {
    title: `episode ${i + 1}: ${{ now: "running", todo: "to come" }[word] ?? word}`,
  })));
}

function renderSide(side, { successes, count, low, high, mean_return }) {
  const row = $(`side-${side}`), css = (share) => `${Math.round(100 * share)}%`;
  row.classList.toggle("empty", count === 0);
  row.querySelector(".fill").style.width = count ? css(successes / count) : "0";
  row.querySelector(".interval").style.left = css(low);
  row.querySelector(".interval").style.width = css(high - low);
  row.querySelector(".side-text").textContent = count
    ? `${successes} of ${count}  (${percent(low)} to ${percent(high)})  return ${mean_return.toFixed(2)}` : "not tested yet";
}
