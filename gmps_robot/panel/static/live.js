// What the panel server says of the whole stack, kept fresh, and the commands that go back.

import { $, clock, post, showBanner } from "./api.js";
import { listen } from "./teleop.js";

const STOP_TIMEOUT_MS = 1500;
const SERVER_SILENT_MS = 3500; // the server sends a status at least once per second

export const live = {
  status: null, // the last message of /ws/status
  lostSince: null, // since when the server is silent; null while it speaks
  me: null, // {name, role, mode}
};

const hearers = []; // called with the status whenever it may have changed
const inFlight = new Set(); // actions that wait for their answer
const sentFor = new Map(); // action -> situation it was confirmed in; no second click in the same one
let lastStatus = 0; // when it came, performance.now()

export const onStatus = (hear) => hearers.push(hear);
export const isOperator = () => live.me !== null && live.me.role !== "viewer";

/** Take a status, from the stream or as the answer to a command, and tell every view. */
export function take(status) {
  live.status = status;
  renderButtons(); // KILL does not wait for what a view makes of the news
  for (const hear of hearers) hear(status);
}

export function start() {
  listen("/ws/status", (event) => {
    lastStatus = performance.now();
    if (stop.owed && !stop.sending) sendStop();
    watchServer();
    take(JSON.parse(event.data));
  }, { onChange: (open, event) => { if (!open && event.code === 4401) location.assign("/login"); } });
  lastStatus = performance.now(); // a slow start of the page is not the server's silence
  setInterval(watchServer, 500);
  for (const button of document.querySelectorAll("[data-action]"))
    button.addEventListener("click", () => send(button.dataset.action, button.dataset.value));
  $("banner-close").addEventListener("click", () => showBanner("", { stop: false }));
  $("stop-button").addEventListener("pointerdown", stopArm); // not click: that would wait for the finger to leave
  $("stop-button").addEventListener("click", stopArm);
}

function watchServer() {
  const now = performance.now();
  const lost = now - lastStatus > SERVER_SILENT_MS;
  if (lost === (live.lostSince !== null)) return;
  live.lostSince = lost ? new Date(Date.now() - (now - lastStatus)) : null;
  document.body.classList.toggle("lost", lost);
  if (lost) {
    showBanner(`Panel server is silent since ${clock(live.lostSince)}; what the page shows is old. Trying to reconnect. ` +
      "The arm is guarded without this page; to stop it now, use the robot's own emergency stop.");
  } else showBanner("");
  for (const hear of hearers) if (live.status) hear(live.status);
  renderButtons();
}

// ---- STOP -------------------------------------------------------------------------------------------------------

const stop = {
  pressed: -Infinity, // performance.now()
  confirmed: -Infinity, // when the last one that the arm confirmed was sent
  sending: 0, // how many are under way
  // Time of day of one that no server has answered: it is sent again as soon as one speaks.
  owed: sessionStorage.getItem("owed-stop") ?? "",
};
// Whoever sees a page hang reloads it.
window.addEventListener("pagehide", () => sessionStorage.setItem("owed-stop", stop.owed));

export function stopArm() {
  if (performance.now() - stop.pressed < 400) return; // pointerdown and click are one press
  stop.pressed = performance.now();
  sendStop();
}

/** Over plain HTTP, up to three times; shouts when the arm does not confirm. */
async function sendStop() {
  const began = performance.now(), late = stop.owed, at = late || clock(new Date());
  stop.owed = at;
  stop.sending++;
  $("stop-button").classList.add("sending");
  let failure = null;
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      await post("arm/stop", { reason: "STOP was pressed in the panel" }, { timeout: STOP_TIMEOUT_MS });
      sent();
      stop.confirmed = began;
      stop.owed = "";
      showBanner(late && `The STOP of ${late} has reached the arm only now: it is stopped.`, { stop: false });
      return;
    } catch (error) {
      failure = error;
    }
  }
  sent();
  if (stop.confirmed > began) return; // a later one was
  const act = live.status?.mode === "twin" ? "End the twin in its terminal." : "Press the robot's own emergency stop now.";
  stop.owed = failure.answered ? "" : at;
  const again = stop.owed && " This page sends it again as soon as the server speaks.";
  showBanner(`STOP was not confirmed (${failure.message}). ${act}${again}`, { stop: true });
}

function sent() {
  stop.sending--;
  $("stop-button").classList.toggle("sending", stop.sending > 0);
}

// ---- Commands ---------------------------------------------------------------------------------------------------

const bodies = { // action -> its body, from the button's value; null: not now
  label: (value) => ({ value: Number(value), episode: live.status.episode }),
  "arm/kill": () => ({ reason: "KILL was pressed in the panel" }),
  stop: () => ({ reason: "a person ended the session in the panel" }),
};

/** Let a view say what is sent with an action; a maker that returns null keeps it from being sent. */
export const describe = (action, body) => { bodies[action] = body; };

const situation = () => {
  const s = live.status;
  return JSON.stringify([s.task, s.phase, s.stage, s.update, s.episode, s.paused, s.guard.state]);
};

const enabled = (action) =>
  live.status !== null && live.lostSince === null && isOperator() && live.status.allowed.includes(action) &&
  !inFlight.has(action) && sentFor.get(action) !== situation();

export async function send(action, value) {
  if (inFlight.has(action) || !enabled(action)) return;
  const body = action in bodies ? bodies[action](value) : undefined;
  if (body === null) return;
  const where = situation();
  inFlight.add(action);
  renderButtons();
  try {
    const answer = await post(action, body ?? null);
    sentFor.set(action, where);
    setTimeout(() => { sentFor.delete(action); renderButtons(); }, 3000);
    showBanner("");
    inFlight.delete(action);
    take(answer);
  } catch (error) {
    showBanner(error.message);
  } finally {
    inFlight.delete(action);
    renderButtons();
  }
}

/** Run a view's own command; what goes wrong is shown in its own words. Returns whether it went well. */
export async function attempt(work) {
  try {
    await work();
    showBanner("");
    return true;
  } catch (error) {
    if (error.name !== "AbortError") showBanner(error.message); // else nobody waits for it any more
    return false;
  }
}

function renderButtons() {
  for (const button of document.querySelectorAll("[data-action]")) button.disabled = !enabled(button.dataset.action);
}
