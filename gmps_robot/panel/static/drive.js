// Driving: who holds the arm, keys, sticks, sliders, and whether the arm follows.

import { $, post, setText } from "./api.js";
import { attempt, isOperator, live, onStatus } from "./live.js";
import { KEYS } from "./motion.js";
import { Teleop } from "./teleop.js";

const SPEED_KEYS = { Minus: -5, NumpadSubtract: -5, Equal: 5, NumpadAdd: 5 }; // [%]
const LEASE_GRACE_MS = 1500; // until the status must name us as who holds the arm
let teleop = null;
let asking = false; // for the lease
let heldSince = 0; // when this page took the arm
let lastAnswer = { armed: false, reason: "" };

export function start() {
  teleop = new Teleop(showAnswer);
  const { motion } = teleop;
  teleop.grip($("stick"), (at) => { motion.stick = at; moveKnob("stick", at ?? [0, 0]); });
  teleop.grip($("lift"), (at) => { motion.lift = at ? at[1] : null; moveKnob("lift", [0, at?.[1] ?? 0]); });
  slider("speed", (value) => { motion.speed = value / 100; return `${value} %`; });
  slider("gripper", (value) => { motion.gripper = value / 100; return gripperWords(value / 100); });
  $("take").addEventListener("click", async () => {
    if (asking) return;
    asking = true;
    await attempt(hold);
    asking = false;
    renderHold(live.status);
  });
  onStatus(renderHold);
  setInterval(() => {
    setText("pad-words", teleop.hasPad ? "Gamepad: hold a shoulder button" : "No gamepad seen");
    if (Math.abs(motion.gripper * 100 - $("gripper").value) > 1) showGripper(motion.gripper);
  }, 250);
}

/** Let go of the arm's motion: another view, a shortcut of the browser. The lease stays for now. */
export const leave = () => teleop?.letGo("the page was used for something else");

/** From now on the picture's right and up are these directions on the table. */
export function setAxes(axes) { teleop.motion.axes = axes; }

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

/** Take the arm, or give it back. */
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
