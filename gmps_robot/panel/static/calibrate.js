// The Calibrate view: what the views of the board show so far, what to show next, and taking them.

import { $, post, setText } from "./api.js";
import { attempt, isOperator, live, onStatus } from "./live.js";

const ACTS = { "capture-start": "start", "capture-stop": "stop", "capture-take": "take" };
const SHOWN = { true: "", false: "none" };
let busy = false; // a command waits for its answer

export function start() {
  for (const [id, action] of Object.entries(ACTS)) $(id).addEventListener("click", () => run(action));
  $("camera").addEventListener("drawn", drawGrid);
  onStatus(render);
}

export const show = () => render(live.status);

async function run(action) {
  if (busy) return;
  busy = true;
  render(live.status);
  await attempt(() => post("calibrate", { action }));
  busy = false;
  render(live.status);
}

function render(status) {
  if (!status) return;
  const { phase, headline, hint, message, rows, allowed } = status.calibration;
  $("capture-card").dataset.phase = phase;
  setText("capture-headline", headline);
  setText("capture-hint", hint);
  setText("capture-message", message);
  for (const [id, action] of Object.entries(ACTS))
    $(id).disabled = busy || !isOperator() || live.lostSince !== null || !allowed.includes(action);
  $("capture-stop").style.display = SHOWN[phase === "capturing"];
  $("capture-start").style.display = SHOWN[phase !== "capturing"];
  $("coverage-card").style.display = SHOWN[rows.length > 0];
  rows.forEach(({ share, words }, index) => {
    const row = $("coverage-rows").children[index];
    row.classList.toggle("full", share === 1);
    row.querySelector(".fill").style.width = `${Math.round(100 * share)}%`;
    row.querySelector(".side-text").textContent = share === 1 ? `✓ ${words}` : words;
  });
}

/** The grid over the picture: what views have covered is green and ticked. The overlay was cleared by the view Drive. */
function drawGrid() {
  const { cells, columns } = live.status?.calibration ?? { cells: [] };
  if (document.body.dataset.view !== "calibrate" || !cells.length) return;
  const { width, height } = $("goal-overlay"), pen = $("goal-overlay").getContext("2d");
  const wide = width / columns, high = (height * columns) / cells.length;
  pen.font = `700 ${Math.round(high / 5)}px system-ui, sans-serif`;
  pen.strokeStyle = "rgb(255 255 255 / 45%)";
  cells.forEach((share, index) => {
    const x = (index % columns) * wide, y = Math.floor(index / columns) * high;
    pen.fillStyle = `rgb(62 207 122 / ${Math.round(30 * share)}%)`;
    pen.fillRect(x, y, wide, high);
    pen.strokeRect(x, y, wide, high);
    pen.fillStyle = "#fff";
    if (share === 1) pen.fillText("✓", x + 6, y + high / 4);
  });
}
