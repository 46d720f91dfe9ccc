// Teaching: which task is next and where its goal is, recording, and what becomes of a take.

import { $, get, make, post, setText } from "./api.js";
import { setAxes } from "./drive.js";
import { attempt, isOperator, live, onStatus } from "./live.js";
import { pictureAxes, project } from "./motion.js";

const SPLIT = "train";
let camera = null; // {width, height, projection}; {} when it is not known
let tasks = null; // the answer of /api/tasks
let busy = false; // a command waits for its answer
let kept = ""; // what became of the last episode
let marked = { episode: "", count: 0 }; // live rewards of the open episode
let repeated = { episode: "", words: "" }; // the take that was begun by Again, and what a person must do for it
let shownTask; // the id of the task that the list shows as chosen

export function start() {
  const acts = { record, keep: () => save(true), "keep-fail": () => save(false), again, discard,
                 "teach-next": () => choose(tasks.next) };
  for (const [id, work] of Object.entries(acts)) $(id).addEventListener("click", () => run(work));
  const marks = { "mark-1": ["reward", 1], "mark-half": ["reward", 0.5], "mark-stage": ["stage", 1] };
  for (const [id, words] of Object.entries(marks)) // one does not wait for the one before
    $(id).addEventListener("click", () => attempt(() => mark(...words)));
  $("tasks").addEventListener("keydown", onTaskKey);
  $("camera").addEventListener("drawn", drawGoal);
  onStatus(render);
}

export const show = () => attempt(listTasks);

// ---- Tasks and their goals --------------------------------------------------------------------------------------

async function listTasks() {
  tasks = await get(`tasks?split=${SPLIT}`);
  renderTasks();
}

const chosen = () => live.status?.teach ?? null;

async function choose(index) {
  kept = (await post("scene/reset", { split: SPLIT, task: index }, { timeout: 60000 })).message;
}

function renderTasks() {
  if (!tasks) return;
  const missing = tasks.tasks.filter((task) => task.accepted < task.quota).length;
  setText("quota-words", `${tasks.accepted} of ${tasks.wanted} demos, ${missing} ${missing === 1 ? "goal" : "goals"} missing`);
  const share = Math.round(100 * Math.min(1, tasks.accepted / Math.max(1, tasks.wanted)));
  $("quota-bar").setAttribute("aria-valuenow", share);
  $("quota-bar").firstElementChild.style.width = `${share}%`;
  const now = chosen(), focused = [...$("tasks").children].indexOf(document.activeElement);
  shownTask = now?.task_id;
  $("tasks").replaceChildren(...tasks.tasks.map((task) => {
    const full = task.accepted >= task.quota, mine = now?.index === task.index && now.split === SPLIT;
    const chip = make("button", `task${full ? " full" : ""}${mine ? " chosen" : ""}${task.index === tasks.next ? " next" : ""}`, "", {
      type: "button", role: "option", "aria-selected": String(mine), tabindex: "-1",
      title: `${task.task_id}: goal x ${task.context[0].toFixed(3)} m, y ${task.context[1].toFixed(3)} m; ` +
        `${task.accepted} of ${task.quota} accepted, ${task.recorded} recorded`,
    });
    chip.append(make("b", "", String(task.index)), make("small", "", `${task.accepted}/${task.quota}`));
    chip.addEventListener("click", () => run(() => choose(task.index)));
    return chip;
  }));
  if (focused >= 0) $("tasks").children[focused]?.focus();
}

function onTaskKey(event) {
  const turn = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  const chips = [...$("tasks").children];
  const at = chips.indexOf(document.activeElement);
  if (turn && chips.length) {
    event.stopPropagation();
    chips[(at + turn + chips.length) % chips.length].focus();
  }
}

/** How the picture sees the table is known once there is one; without calibration the goal is not drawn. */
async function readCamera() {
  camera = {};
  await attempt(async () => {
    camera = await get("camera");
    const axes = pictureAxes(camera.projection);
    if (axes) setAxes(axes);
  });
}

function drawGoal() {
  const overlay = $("goal-overlay"), { width, height } = $("camera");
  if (overlay.width !== width || overlay.height !== height) { overlay.width = width; overlay.height = height; }
  if (camera === null) readCamera();
  const pen = overlay.getContext("2d");
  pen.clearRect(0, 0, width, height);
  const task = chosen();
  if (document.body.dataset.view !== "drive" || !task || !camera?.projection || !tasks) return;
  const scale = width / camera.width;
  pen.beginPath();
  for (let i = 0; i <= 48; i++) {
    const turn = (2 * Math.PI * i) / 48, [x, y] = task.context;
    const at = project(camera.projection, [x + tasks.radius * Math.cos(turn), y + tasks.radius * Math.sin(turn), 0]);
    if (at) pen.lineTo(at[0] * scale, at[1] * scale);
  }
  pen.fillStyle = "rgb(62 207 122 / 18%)";
  pen.fill();
  for (const [colour, size] of [["rgb(0 0 0 / 55%)", 5], ["#3ecf7a", 2.5]]) {
    pen.strokeStyle = colour;
    pen.lineWidth = (size * width) / 640;
    pen.stroke();
  }
}

// ---- Recording --------------------------------------------------------------------------------------------------

const recorder = () => live.status.recorder;

/** A sentence of the recorder for a line of the page: ids short, a capital first. */
const sentence = (text) => text.replace(/\b[0-9a-f]{32}\b/g, (id) => id.slice(0, 8)).replace(/^./, (first) => first.toUpperCase());

async function run(work) {
  if (busy) return;
  busy = true;
  render(live.status);
  await attempt(work);
  busy = false;
  render(live.status);
}

/** A key of one press: sent again it is the same label, and the next press is another one. */
const press = (episode, kind) => `${episode}-${kind}-${crypto.getRandomValues(new Uint32Array(1))[0].toString(36)}`;

async function record() {
  kept = "";
  await post("recorder/start", {});
}

async function save(accepted) {
  const { episode } = recorder();
  await post(`episodes/${episode}/labels`, { kind: "success", value: accepted ? 1 : 0, key: press(episode, "success") });
  const { message } = await post("recorder/save", { episode, accepted });
  await listTasks();
  if (tasks.next !== null) await choose(tasks.next);
  kept = `${sentence(message || (accepted ? "kept as a demonstration" : "kept, marked as failed"))}. ${kept}`.trim();
}

async function again() {
  const body = { episode: recorder().episode, reason: "taken again" };
  const { episode, message } = await post("recorder/again", body, { timeout: 60000 }); // an arm goes home between
  repeated = { episode, words: `Put aside; recording again. ${message}`.trim() };
  kept = "";
}

async function discard() {
  const { message } = await post("recorder/discard", { episode: recorder().episode, reason: "discarded in the panel" });
  const said = `${sentence(message || "put aside")}.`;
  const task = chosen();
  if (task) await choose(task.index);
  kept = `${said} ${kept}`.trim();
}

async function mark(kind, value) {
  const { episode } = recorder();
  await post(`episodes/${episode}/labels`, { kind, value, now: true, key: press(episode, kind) });
  marked = { episode, count: (marked.episode === episode ? marked.count : 0) + 1 };
  render(live.status);
}

function render(status) {
  if (!status) return;
  if (tasks && shownTask !== chosen()?.task_id) renderTasks();
  renderTeach(status);
  const { state, episode } = recorder(), free = !busy && isOperator() && live.lostSince === null;
  const open = state === "recording";
  for (const id of ["keep", "keep-fail", "again", "discard", "mark-1", "mark-half", "mark-stage"]) $(id).disabled = !free || !open;
  $("record").disabled = !free || open || state === "refusing" || chosen() === null;
  $("teach-next").disabled = !free || open || (tasks?.next ?? null) === null;
  for (const chip of $("tasks").children) chip.disabled = !free || open;
  setText("marks", open && marked.episode === episode && marked.count ? `${marked.count} marked` : "");
}

function renderTeach(status) {
  if (!status) return;
  const { state, episode, seconds, steps, dropped, message } = recorder(), task = chosen();
  $("teach").dataset.state = state;
  setText("teach-headline", { recording: "Recording", refusing: "Cannot record", failed: "Recording failed" }[state]
    ?? (task ? "Ready to record" : "Choose a task"));
  const goal = task ? `Task ${task.index}: block into the green ring, x ${task.context[0].toFixed(2)} m, y ${task.context[1].toFixed(2)} m.` : "";
  const said = { recording: repeated.episode === episode ? repeated.words : "", refusing: message, failed: message }[state] ?? kept;
  setText("teach-line", `${goal} ${said}`.trim() || "Press Next task, or choose one below.");
  setText("record-seconds", state === "recording" ? `${seconds.toFixed(1)} s` : "");
  setText("record-steps", state === "recording" ? `${steps} steps${dropped ? `, ${dropped} dropped` : ""}` : "");
}
