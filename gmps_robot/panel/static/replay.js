// One recorded episode: its pictures with its signals, its labels, its playing back on the twin.

import { $, clock, make, post, setText } from "./api.js";
import * as archive from "./archive.js";
import { COLOURS, draw, lineChart } from "./charts.js";
import * as ghost from "./ghost.js";
import { attempt, isOperator, live, onStatus } from "./live.js";
import { project } from "./motion.js";

let episode = null; // the row of /api/episodes/{id}
let signals = null;
let camera = null; // how the picture sees the table; null: not known
let step = 0;
let reading = new AbortController(); // of this episode: what nobody waits for any more is dropped
let playing = 0; // the timer's id; 0: it stands
let changed = () => {}; // tells the table that a label has come
const pictures = new Map(); // step -> picture or its promise, of this episode

export const current = () => episode?.episode ?? null;

const get = (path) => archive.get(path, reading.signal);

export function start(onChange) {
  changed = onChange;
  $("play").addEventListener("click", () => (playing ? pause() : play()));
  $("film-step").addEventListener("input", () => { pause(); showStep(Number($("film-step").value)); });
  $("on-twin").addEventListener("click", () => attempt(async () => {
    setText("film-words", "The twin plays it; look under Drive & teach.");
    setText("film-words", (await post(`episodes/${current()}/replay`, null, { timeout: 60000 })).message);
  }));
  const judge = (id, label) => $(id).addEventListener("click", () => give(label()));
  judge("label-success", () => ({ kind: "success", value: 1 }));
  judge("label-fail", () => ({ kind: "success", value: 0 }));
  judge("label-accept", () => ({ kind: "accepted", value: episode.accepted ? 0 : 1 }));
  judge("label-step", () => ({ kind: "reward", value: 1, step_from: step, step_to: step + 1 }));
  judge("label-stage", () => ({ kind: "stage", value: 1, step_from: step, step_to: step + 1 }));
  ghost.start(() => episode && showStep(step));
  onStatus(renderActs);
}

export function show() {
  renderActs();
  if (signals) requestAnimationFrame(drawSignals);
}

export async function open(id) {
  pause();
  reading.abort();
  reading = new AbortController();
  const { signal } = reading;
  await attempt(async () => {
    camera ??= await get("camera").catch(() => null); // not known: nothing is drawn over the picture
    signal.throwIfAborted();
    const [row, lines] = await Promise.all([get(`episodes/${id}`), get(`episodes/${id}/signals`)]);
    [episode, signals, step] = [row, lines, 0];
    pictures.clear();
    ghost.open(id, signal);
    renderFacts();
    $("film-step").max = Math.max(0, signals.t.length - 1);
    $("film-step").disabled = signals.t.length === 0;
    setText("film-words", "");
    await listLabels();
    renderActs();
    await showStep(step); // 0, unless somebody was quicker
    drawSignals();
  });
}

function renderFacts() {
  const { task_id, source, operator, checkpoint, seconds, steps, mode, flags, status, accepted, rig, quality } = episode;
  setText("replay-title", `${task_id}, ${source}`);
  const by = operator ? `by ${operator}` : checkpoint ? `of ${checkpoint}` : "";
  const numbers = Object.entries(quality ?? {}).filter(([, value]) => typeof value === "number")
    .map(([name, value]) => `${name.replaceAll("_", " ")} ${Number(value.toPrecision(3))}`);
  const parts = [`${by} on the ${mode}, ${seconds.toFixed(1)} s, ${steps} steps, rig ${rig}`, status === "complete" ? "" : status, accepted ? "for training" : "",
                 flags.length ? `flags: ${flags.join(", ").replaceAll("_", " ")}` : "", numbers.join(", ")];
  setText("replay-facts", parts.filter(Boolean).join("; ").trim());
}

function renderActs() {
  const there = episode !== null, may = there && isOperator() && live.lostSince === null;
  $("play").disabled = !there || !signals?.t.length;
  $("on-twin").disabled = !may || live.status?.mode !== "twin";
  for (const id of ["label-success", "label-fail", "label-accept", "label-step", "label-stage"]) $(id).disabled = !may;
  $("label-accept").firstElementChild.textContent = episode?.accepted ? "Not for training" : "Use for training";
}

// ---- Pictures and signals ---------------------------------------------------------------------------------------

function picture(k) {
  if (!pictures.has(k)) pictures.set(k, archive.picture(`/api/episodes/${current()}/frames/${k}.jpg`, reading.signal));
  return pictures.get(k);
}

async function showStep(k) {
  step = k;
  $("film-step").value = k;
  const t = signals.t[k] ?? 0;
  setText("film-at", `${k} of ${Math.max(0, signals.t.length - 1)}, ${t.toFixed(2)} s`);
  markStep(t);
  const { signal } = reading;
  try {
    const [image, outlines] = await Promise.all([picture(k), ghost.at(k)]);
    if (signal.aborted || step !== k) return;
    const canvas = $("film-picture");
    const larger = Math.max(1, Math.ceil(640 / image.naturalWidth)); // what is drawn over a small picture stays sharp
    canvas.width = larger * image.naturalWidth;
    canvas.height = larger * image.naturalHeight;
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    ghost.draw(canvas, outlines);
    drawPaths(canvas, k);
    canvas.dataset.step = k;
  } catch {
    if (signal.aborted) return;
    pictures.delete(k);
    setText("film-words", `Picture ${k} could not be read.`);
  }
}

/** Where tip and block went up to step `k`, from the recorded state, over the picture. */
function drawPaths(canvas, k) {
  if (!camera || episode.mode !== live.status?.mode) return; // this camera is not the one of the recording
  const pen = canvas.getContext("2d"), scale = canvas.width / camera.width;
  for (const [points, colour] of [[signals.tip, COLOURS[0]], [signals.object, COLOURS[1]]]) {
    if (!points?.length) continue;
    pen.strokeStyle = pen.fillStyle = colour;
    pen.lineWidth = canvas.width / 240;
    pen.beginPath();
    let last = null;
    for (const point of points.slice(0, k + 1)) {
      last = project(camera.projection, point)?.map((pixel) => pixel * scale) ?? last;
      if (last) pen.lineTo(...last);
    }
    pen.stroke();
    pen.beginPath();
    if (last) pen.arc(...last, canvas.width / 110, 0, 2 * Math.PI);
    pen.fill();
  }
}

function play() {
  if (step >= signals.t.length - 1) step = -1;
  $("play").firstElementChild.textContent = "Pause";
  const began = performance.now(), from = signals.t[Math.max(0, step)];
  playing = setInterval(() => {
    const now = from + (performance.now() - began) / 1000;
    let k = Math.max(0, step);
    while (k < signals.t.length - 1 && signals.t[k + 1] <= now) k++;
    if (k !== step) showStep(k);
    for (let ahead = 1; ahead <= 5 && k + ahead < signals.t.length; ahead++) picture(k + ahead).catch(() => {});
    if (k >= signals.t.length - 1) pause();
  }, 25);
}

function pause() {
  clearInterval(playing);
  playing = 0;
  $("play").firstElementChild.textContent = "Play";
}

function drawSignals() {
  const { t, tip, commanded, applied, reward, object } = signals;
  const column = (rows, i) => t.map((at, k) => [at, rows[k]?.[i] ?? null]);
  const [x, y] = COLOURS;
  const lines = [["x", column(applied, 0), { colour: x }], ["y", column(applied, 1), { colour: y }],
                 ["x asked", column(commanded, 0), { colour: x, dashed: true }],
                 ["y asked", column(commanded, 1), { colour: y, dashed: true }],
                 ["reward", t.map((at, k) => [at, reward[k] ?? 0]), { colour: COLOURS[2] }]];
  if (!draw("signal-chart", lineChart(lines, { x: "s", at: t[step] ?? 0 }))) { setTimeout(drawSignals, 100); return; }
  const path = tip.slice(1).reduce((sum, at, k) => sum + Math.hypot(...at.map((value, i) => value - tip[k][i])), 0);
  const moved = object?.length ? Math.hypot(object.at(-1)[0] - object[0][0], object.at(-1)[1] - object[0][1]) : null;
  setText("signal-words", `The tip went ${path.toFixed(2)} m${moved === null ? "" : `, the block ${moved.toFixed(2)} m`}.`);
}

let marking = 0;

function markStep() {
  if (marking) return; // a chart need not be drawn more often than it can be seen
  marking = setTimeout(() => { marking = 0; if (signals) drawSignals(); }, 100);
}

// ---- Labels -----------------------------------------------------------------------------------------------------

const WORDS = {
  success: ({ value }) => (value ? "success" : "fail"), accepted: ({ value }) => (value ? "kept for training" : "not for training"),
  reward: ({ value }) => `reward ${value}`, stage: ({ value, text }) => `stage ${text || value}`, flag: ({ text }) => `flag ${text}`,
};

async function listLabels() {
  const { labels } = await get(`episodes/${current()}/labels`);
  const old = new Set(labels.map((label) => label.supersedes).filter(Boolean));
  $("labels").replaceChildren(...labels.toReversed().map((label) => {
    const where = label.step_from === null ? "" : ` at step ${label.step_from}`;
    const when = new Date(label.created_at);
    const line = make("li", old.has(label.id) ? "label old" : "label");
    line.append(make("b", "", WORDS[label.kind](label) + where),
                make("span", "", `${label.author}, ${when.toLocaleDateString()} ${clock(when)}`));
    return line;
  }));
  if (!labels.length) $("labels").append(make("li", "label none", "Nobody has judged it yet."));
}

function give(label) {
  return attempt(async () => {
    await post(`episodes/${current()}/labels`, label);
    episode = await get(`episodes/${current()}`);
    renderFacts();
    renderActs();
    await listLabels();
    changed();
  });
}
