// Begins when the layout is there: who am I, which view, keys, header and bottom bar. Views fill themselves.

import * as adapt from "./adapt.js";
import { $, clock, get, make, post, setText } from "./api.js";
import * as calibrate from "./calibrate.js";
import * as drive from "./drive.js";
import * as episodes from "./episodes.js";
import { live, onStatus, start as startLive, stopArm } from "./live.js";
import * as runs from "./runs.js";
import * as teach from "./teach.js";
import { Video } from "./teleop.js";

const VIEWS = ["drive", "adapt", "calibrate", "episodes", "runs"];
const OWN_ARROWS = "[role=tab], [role=listbox], [role=option], tr, input[type=range]";
const CAMERA_SILENT_MS = 2000;
const views = { adapt, calibrate, drive: teach, episodes, runs };
let video = null;

// NiceGUI renders the layout after this module has loaded.
const begin = () => ($("ready") ? start() : setTimeout(begin, 20));
begin();

async function start() {
  live.me = await get("me").catch(() => null);
  if (live.me === null) { setTimeout(start, 1000); return; } // not logged in: on its way to /login
  setText("who-name", live.me.role === "operator" ? live.me.name : `${live.me.name} (${live.me.role})`);
  document.body.dataset.role = live.me.role;
  $("log-out").addEventListener("click", () => post("logout").finally(() => location.assign("/login")));
  video = new Video($("camera"));
  onStatus(render);
  for (const module of [drive, teach, adapt, calibrate, episodes, runs]) module.start();
  for (const tab of document.querySelectorAll(".tab")) {
    tab.addEventListener("click", () => { location.hash = tab.dataset.view; });
    tab.addEventListener("keydown", onTabKey);
  }
  addEventListener("hashchange", showView);
  addEventListener("keydown", onKey, { capture: true });
  showView();
  startLive();
  setInterval(watchCamera, 500);
}

// ---- Views ------------------------------------------------------------------------------------------------------

function showView() {
  const name = VIEWS.includes(location.hash.slice(1)) ? location.hash.slice(1) : "drive";
  document.body.dataset.view = name;
  drive.leave(); // whatever moved the arm is let go
  for (const other of VIEWS) {
    $(`view-${other}`).hidden = other !== name;
    $(`tab-${other}`).setAttribute("aria-selected", String(other === name));
    $(`tab-${other}`).tabIndex = other === name ? 0 : -1;
  }
  views[name].show();
}

function onTabKey(event) {
  const turn = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!turn) return;
  const index = VIEWS.indexOf(event.currentTarget.dataset.view);
  const name = VIEWS[(index + turn + VIEWS.length) % VIEWS.length];
  location.hash = name;
  $(`tab-${name}`).focus();
  event.stopPropagation();
}

// ---- Keys -------------------------------------------------------------------------------------------------------

const types = (element) => element?.matches?.("textarea, select, input:not([type=range]):not([type=checkbox])") ?? false;

function onKey(event) {
  if (event.key === "Escape") { event.preventDefault(); stopArm(); return; }
  if (types(document.activeElement)) return;
  if (event.code === "Space") { // also on a focused button: a hurried STOP must never press something else
    event.preventDefault();
    if (!event.repeat) stopArm();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey) { drive.leave(); return; } // their keyup may never come
  if (event.key.startsWith("Arrow") && document.activeElement?.matches?.(OWN_ARROWS)) return;
  if (drive.onKey(event) || event.repeat) return;
  const wanted = document.querySelectorAll(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
  const button = [...wanted].find((one) => !one.disabled && one.offsetParent !== null);
  if (button) { event.preventDefault(); button.click(); }
}

// ---- Header, bottom bar, camera ---------------------------------------------------------------------------------

const silentSince = new Map(); // link -> time of day of its last word, "" when there never was one

function render(s) {
  document.body.dataset.mode = s.mode;
  document.body.classList.toggle("fault", s.guard.state === "FAULT" || s.guard.state === "ESTOP");
  document.body.classList.toggle("off", s.guard.state === "DISABLED" || s.guard.state === "IDLE");
  document.body.classList.toggle("runs", s.allowed.includes("stop"));
  setText("mode", s.mode === "twin" ? "TWIN" : "ROBOT");
  setText("guard", live.lostSince ? "Panel server is silent" : s.guard.words);
  $("guard").title = s.guard.words;
  for (const { name, silent, age_s } of s.links) {
    if (!silent) silentSince.delete(name);
    else if (!silentSince.has(name))
      silentSince.set(name, age_s === null ? "" : clock(new Date(Date.now() - 1000 * age_s)));
  }
  $("links").replaceChildren(...s.links.map((link) => {
    const age = link.age_s === null ? "never heard" : `last heard ${link.age_s} s ago`;
    const title = link.silent ? `${link.name}: ${age}. ${link.hint}` : `${link.name}: ${age}`;
    return make("li", link.silent ? "link silent" : "link", link.silent ? `${link.name} silent` : link.name, { title });
  }));
  adapt.noteSilence(silentSince);
  document.title = adapt.asks(s) ? `● ${s.headline} · GMPS panel` : "GMPS panel";
}

function watchCamera() {
  const now = performance.now(), { last } = video;
  const silent = last === null || now - last.at > CAMERA_SILENT_MS;
  $("camera-overlay").hidden = !silent;
  setText("camera-rate", silent ? "" : `${video.rate(now).toFixed(0)} pictures/s`);
  if (!silent) return;
  const link = live.status?.links.find((one) => one.name === "camera");
  const hint = link?.silent ? link.hint : "";
  const since = last !== null ? clock(last.date) : silentSince.get("camera");
  setText("camera-overlay", since ? `Camera silent since ${since}. ${last ? "The picture is old. " : ""}${hint}`
    : `No picture from the camera yet. ${hint}`);
}
