// The Drive & teach view: who holds the arm, keys, sticks, sliders; the task to teach and its goal; recording.

import { $, get, make, post, setText } from "./api.js";
import { attempt, isOperator, live, onStatus } from "./live.js";
import { KEYS, pictureAxes, project } from "./motion.js";
import { Teleop } from "./teleop.js";

const SPLIT = "train";
const SPEED_KEYS = { Minus: -5, NumpadSubtract: -5, Equal: 5, NumpadAdd: 5 }; // [%]
const LEASE_GRACE_MS = 1500; // until the status must name us as who holds the arm
let teleop = null;
let camera = null; // {width, height, projection}
let tasks = null; // the answer of /api/tasks
let busy = false; // a recorder command waits for its answer
let kept = ""; // what became of the last episode
let marked = { episode: "", count: 0 }; // live rewards of the open episode
let shownTask; // the id of the task that the list shows as chosen
let heldSince = 0; // when this page took the arm
let lastAnswer = { armed: false, reason: "" };

export function start() {
  teleop = new Teleop(showAnswer);
  const { motion } = teleop;
  teleop.grip($("stick"), (at) => { motion.stick = at; moveKnob("stick", at ?? [0, 0]); });
  teleop.grip($("lift"), (at) => { motion.lift = at ? at[1] : null; moveKnob("lift", [0, at?.[1] ?? 0]); });
  slider("speed", (value) => { motion.speed = value / 100; return `${value} %`; });
  slider("gripper", (value) => { motion.gripper = value / 100; return gripperWords(value / 100); });
  const acts = { take: hold, record, keep: () => save(true), "keep-fail": () => save(false), again, discard,
                 "teach-next": () => choose(tasks.next), "mark-1": () => mark("reward", 1),
                 "mark-half": () => mark("reward", 0.5), "mark-stage": () => mark("stage", 1) };
  for (const [id, work] of Object.entries(acts)) $(id).addEventListener("click", () => run(work));
  $("tasks").addEventListener("keydown", onTaskKey);
  $("camera").addEventListener("drawn", drawGoal);
  onStatus(render);
  setInterval(() => {
    setText("pad-words", teleop.hasPad ? "Gamepad: hold a shoulder button" : "No gamepad seen");
    if (Math.abs(motion.gripper * 100 - $("gripper").value) > 1) showGripper(motion.gripper);
  }, 250);
}

export async function show() {
  await attempt(async () => {
    await listTasks();
    camera ??= await get("camera");
    teleop.motion.axes = pictureAxes(camera.projection) ?? teleop.motion.axes;
  });
}

/** Let go of the arm's motion: another view, a shortcut of the browser. The lease stays for now. */
export const leave = () => teleop?.letGo("the page was used for something else");

/** Motion keys and those beside them; true when the key was ours. */
export function onKey(event) {
  if (document.body.dataset.view !== "drive") return false;
  const { code, repeat } = event;
  if (code in KEYS) {
    if (!repeat) teleop.press(code);
  } else if (code in SPEED_KEYS) {
    $("speed").value = Number($("speed").value) + SPEED_KEYS[code];
    $("speed").dispatchEvent(new Event("input"));
  } else if (code === "KeyG") {
    if (!repeat) { showGripper(teleop.motion.gripper > 0 ? -1 : 1); teleop.changed(); }
  } else return false;
  event.preventDefault();
  return true;
}

// ---- Control of the arm -----------------------------------------------------------------------------------------

async function hold() {
  if (teleop.session) {
    const session = teleop.session;
    teleop.letGo("the arm was given back");
    teleop.session = null;
    await post("lease", { action: "release", session });
  } else {
    teleop.session = (await post("lease", { action: "acquire" })).session;
    heldSince = performance.now();
    teleop.changed(); // says that nothing is held: without that the first press would be taken for an old one
  }
  lastAnswer = { armed: false, reason: "" };
  renderHold(live.status);
}

function showAnswer({ armed, reason, link }) {
  if (link !== undefined) setText("link-time", `link ${link < 9.95 ? link.toFixed(1) : link.toFixed(0)} ms`);
  lastAnswer = { armed, reason };
  renderHold(live.status);
}

function renderHold(status) {
  if (!status) return;
  const holder = status.lease.holder;
  if (teleop.session !== null && holder !== live.me.name && performance.now() - heldSince > LEASE_GRACE_MS) {
    teleop.letGo("the arm is not held any more");
    teleop.session = null;
  }
  const mine = teleop.session !== null;
  const { armed, reason } = lastAnswer;
  const limits = status.guard.limits.length ? `limited by ${status.guard.limits.join(", ")}` : "";
  let words = ["Nobody drives", "Take the arm to drive it from this page."], tone = "idle";
  if (!isOperator()) words = ["You watch", "Your login may look and press STOP."];
  else if (!mine && holder) { words = [`${holder} holds the arm`, "Wait until it is given back, or lapses."]; tone = "ask"; }
  else if (mine && armed) { words = ["The arm follows you", limits || "Let go and it rests."]; tone = "run"; }
  else if (mine && reason.startsWith("latched")) { words = ["Latched", reason.replace(/^latched:\s*/, "")]; tone = "warn"; }
  else if (mine) { words = ["You hold the arm", reason || "Hold a key, the stick or a gamepad's shoulder button to move."]; tone = "ready"; }
  setText("armed", words[0]);
  setText("armed-why", words[1]);
  $("hold-card").dataset.tone = tone;
  $("take").firstElementChild.textContent = mine ? "Give it back" : "Take the arm";
  $("take").classList.toggle("primary", !mine);
  $("take").disabled = live.lostSince !== null || !isOperator() || (!mine && holder !== "" && holder !== live.me.name);
  $("control-card").classList.toggle("off-hand", !mine);
}

function slider(id, set) {
  const update = () => setText(`${id}-words`, set(Number($(id).value)));
  $(id).addEventListener("input", () => { update(); teleop.changed(); });
  update();
}

const gripperWords = (value) => (value <= -0.95 ? "closed" : value >= 0.95 ? "open" : `${Math.round(50 + 50 * value)} % open`);

function showGripper(value) {
  teleop.motion.gripper = value;
  $("gripper").value = Math.round(value * 100);
  setText("gripper-words", gripperWords(value));
}

function moveKnob(id, [right, up]) {
  const knob = $(id).querySelector(".knob");
  knob.style.left = `${50 + 38 * right}%`;
  knob.style.top = `${50 - 38 * up}%`;
  $(id).classList.toggle("held", (id === "stick" ? teleop.motion.stick : teleop.motion.lift) !== null);
}

// ---- Tasks and their goals --------------------------------------------------------------------------------------

async function listTasks() {
  tasks = await get(`tasks?split=${SPLIT}`);
  renderTasks();
}

const chosen = () => live.status?.teach.task ?? null;

async function choose(index) {
  kept = (await post("scene/reset", { split: SPLIT, task: index }, { timeout: 40000 })).message;
}

function renderTasks() {
  if (!tasks) return;
  const missing = tasks.tasks.filter((task) => task.accepted < task.quota).length;
  setText("quota-words", `${tasks.accepted} of ${tasks.wanted} demos, ${missing} ${missing === 1 ? "goal" : "goals"} missing`);
  const share = Math.round(100 * Math.min(1, tasks.accepted / Math.max(1, tasks.wanted)));
  $("quota-bar").setAttribute("aria-valuenow", share);
  $("quota-bar").firstElementChild.style.width = `${share}%`;
  const now = chosen();
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

function drawGoal() {
  const overlay = $("goal-overlay"), { width, height } = $("camera");
  if (overlay.width !== width || overlay.height !== height) { overlay.width = width; overlay.height = height; }
  const pen = overlay.getContext("2d");
  pen.clearRect(0, 0, width, height);
  const task = chosen();
  if (document.body.dataset.view !== "drive" || !task || !camera || !tasks?.radius) return;
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

async function run(work) {
  if (busy) return;
  busy = true;
  render(live.status);
  await attempt(work);
  busy = false;
  render(live.status);
}

async function record() {
  kept = "";
  await post("recorder/start");
}

async function save(accepted) {
  const { episode } = recorder();
  await post(`episodes/${episode}/labels`, { kind: "success", value: accepted ? 1 : 0, key: `${episode}-success` });
  const { message } = await post("recorder/save", { episode, accepted });
  await listTasks();
  if (tasks.next !== null) await choose(tasks.next);
  kept = `${message || (accepted ? "Kept as a demonstration." : "Kept, marked as failed.")} ${kept}`.trim();
}

async function again() {
  await post("recorder/again", { episode: recorder().episode, reason: "taken again" });
  kept = "Put aside; recording again.";
}

async function discard() {
  const { message } = await post("recorder/discard", { episode: recorder().episode, reason: "discarded in the panel" });
  kept = message || "Put aside.";
  const task = chosen();
  if (task) await choose(task.index);
}

async function mark(kind, value) {
  const { episode, steps } = recorder();
  await post(`episodes/${episode}/labels`, { kind, value, step_from: steps, step_to: steps + 1, key: `${episode}-${kind}-${steps}` });
  marked = { episode, count: (marked.episode === episode ? marked.count : 0) + 1 };
}

function render(status) {
  if (!status) return;
  renderHold(status);
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
  const { state, seconds, steps, dropped, message } = recorder(), task = chosen();
  $("teach").dataset.state = state;
  setText("teach-headline", { recording: "Recording", refusing: "Cannot record", failed: "Recording failed" }[state]
    ?? (task ? "Ready to record" : "Choose a task"));
  const goal = task ? `Task ${task.index}: block into the green ring, x ${task.context[0].toFixed(2)} m, y ${task.context[1].toFixed(2)} m.` : "";
  const said = state === "recording" ? "" : message || kept || status.teach.message || "";
  setText("teach-line", `${goal} ${said}`.trim() || "Press Next task, or choose one below.");
  setText("record-seconds", state === "recording" ? `${seconds.toFixed(1)} s` : "");
  setText("record-steps", state === "recording" ? `${steps} steps${dropped ? `, ${dropped} dropped` : ""}` : "");
}
