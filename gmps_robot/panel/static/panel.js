// The live part of the page: camera, status, buttons, STOP. No framework; talks to /ws/* and /api/* only.

const STOP_TIMEOUT_MS = 1500;
const COMMAND_TIMEOUT_MS = 15000;
const SERVER_SILENT_MS = 3500; // the server sends a status at least once per second
const CAMERA_SILENT_MS = 2000;

const $ = (id) => document.getElementById(id);
const clock = (date) => date.toLocaleTimeString([], { hour12: false });
let status = null; // the last message of /ws/status
let lastStatus = 0; // when it came, performance.now()
let serverLostSince = null;
const inFlight = new Set(); // actions that wait for their answer
const sentFor = new Map(); // action -> situation it was confirmed in; no second click in the same one

// NiceGUI renders the layout after this module has loaded.
const begin = () => ($("ready") ? start() : setTimeout(begin, 20));
begin();

function start() {
  for (const button of document.querySelectorAll("[data-action]"))
    button.addEventListener("click", () => send(button.dataset.action, button.dataset.value));
  $("form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!actionButton("start").disabled) send("start");
  });
  $("banner-close").addEventListener("click", () => showBanner(""));
  $("stop-button").addEventListener("pointerdown", stopArm); // not click: that would wait for the finger to leave
  $("stop-button").addEventListener("click", stopArm);
  window.addEventListener("keydown", onKey, { capture: true });
  listen("/ws/status", (event) => {
    status = JSON.parse(event.data);
    lastStatus = performance.now();
    render();
  });
  listen("/ws/camera", drawFrame, { binary: true });
  lastStatus = performance.now(); // a slow start of the page is not the server's silence
  setInterval(watchSilence, 500);
}

function listen(path, onMessage, { binary = false } = {}) {
  let delay = 300;
  const open = () => {
    const socket = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`);
    if (binary) socket.binaryType = "arraybuffer";
    socket.onopen = () => { delay = 300; };
    socket.onmessage = (event) => onMessage(event, socket);
    socket.onclose = () => { setTimeout(open, delay); delay = Math.min(delay * 2, 3000); };
  };
  open();
}

// ---- STOP -------------------------------------------------------------------------------------------------------

let lastStop = -Infinity;

async function stopArm() {
  if (performance.now() - lastStop < 400) return; // pointerdown and click are one press
  lastStop = performance.now();
  $("stop-button").classList.add("sending");
  let why = "";
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      await post("arm/stop", { reason: "STOP was pressed in the panel" }, STOP_TIMEOUT_MS);
      $("stop-button").classList.remove("sending");
      document.body.classList.remove("stop-failed");
      showBanner("");
      return;
    } catch (error) {
      why = error.message;
    }
  }
  $("stop-button").classList.remove("sending");
  document.body.classList.add("stop-failed");
  const act = status?.mode === "twin" ? "End the twin in its terminal." : "Press the robot's own emergency stop now.";
  showBanner(`STOP was not confirmed (${why}). ${act}`);
}

// ---- Commands ---------------------------------------------------------------------------------------------------

function bodyOf(action, value) {
  if (action === "label") return { value: Number(value), episode: status.episode };
  if (action === "arm/kill") return { reason: "KILL was pressed in the panel" };
  if (action === "stop") return { reason: "a person ended the session in the panel" };
  if (action !== "start") return null;
  const number = (id) => Number($(id).value);
  return { task: number("start-task"), split: $("start-split").value,
           episodes: number("start-episodes"), updates: number("start-updates") };
}

async function send(action, value) {
  if (inFlight.has(action) || !enabled(action)) return;
  if (action === "start" && !$("form").reportValidity()) return;
  const where = situation();
  inFlight.add(action);
  renderButtons();
  try {
    const answer = await post(action, bodyOf(action, value), COMMAND_TIMEOUT_MS);
    sentFor.set(action, where);
    setTimeout(() => { sentFor.delete(action); renderButtons(); }, 3000);
    status = answer;
    if (!document.body.classList.contains("stop-failed")) showBanner("");
  } catch (error) {
    showBanner(error.message);
  } finally {
    inFlight.delete(action);
    if (status) render();
  }
}

async function post(action, body, timeout) {
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), timeout);
  let response;
  try {
    response = await fetch(`/api/${action}`, {
      method: "POST", keepalive: true, signal: patience.signal,
      headers: body ? { "content-type": "application/json" } : {}, body: body ? JSON.stringify(body) : undefined,
    });
  } catch (error) {
    throw new Error(error.name === "AbortError" ? `no answer within ${timeout / 1000} s` : "the panel server does not answer");
  } finally {
    clearTimeout(timer); // an answer has begun: a busy page may take its time to read it
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.message || `the panel server answered ${response.status}; see its log`);
  return answer;
}

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.key === "Escape") { event.preventDefault(); stopArm(); return; }
  if (/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement?.tagName ?? "")) return;
  const button = document.querySelector(`[data-key="${CSS.escape(event.key.toLowerCase())}"]`);
  if (button && !button.disabled && button.offsetParent !== null) button.click();
}

// ---- Status -----------------------------------------------------------------------------------------------------

const situation = () => JSON.stringify([status.task, status.phase, status.stage, status.update, status.episode,
                                        status.paused, status.guard.state]);

const enabled = (action) =>
  status !== null && serverLostSince === null && status.allowed.includes(action) && !inFlight.has(action) &&
  sentFor.get(action) !== situation();

const actionButton = (action) => document.querySelector(`[data-action="${action}"]`);
const setText = (id, text) => { if ($(id).textContent !== text) $(id).textContent = text; };

function render() {
  const s = status;
  document.body.dataset.tone = s.tone;
  document.body.dataset.reward = s.reward;
  document.body.dataset.mode = s.mode;
  document.body.classList.toggle("fault", s.guard.state === "FAULT" || s.guard.state === "ESTOP");
  document.body.classList.toggle("off", s.guard.state === "DISABLED");
  document.body.classList.toggle("can-start", s.allowed.includes("start"));
  setText("mode", s.mode === "twin" ? "TWIN" : "ROBOT");
  setText("task", s.task);
  setText("headline", s.headline);
  noteSilence(s.links);
  setText("instruction", `${s.instruction} ${lastHeard(s.lost_link)}`.trim());
  setText("judge", s.task_text);
  setText("progress-text", s.progress_text);
  document.title = (s.tone === "ask" ? "● " : "") + `${s.headline} · GMPS panel`;
  const percent = Math.round(100 * s.progress);
  $("progress").setAttribute("aria-valuenow", percent);
  $("progress").firstElementChild.style.width = `${percent}%`;
  renderDots(s);
  renderSide("before", s.before);
  renderSide("after", s.after);
  setText("decision", s.decision_text);
  setText("guard", s.guard.words);
  setText("chart-words", s.returns.map((r, i) => `${i + 1}: ${r.toFixed(2)} ${s.successes[i] ? "success" : "fail"}`).join("; "));
  renderLinks(s.links);
  renderButtons();
}

const silentSince = new Map(); // link -> time of day of its last word, "" when there never was one

function noteSilence(links) {
  for (const { name, silent, age_s } of links) {
    if (!silent) silentSince.delete(name);
    else if (!silentSince.has(name))
      silentSince.set(name, age_s === null ? "" : clock(new Date(Date.now() - 1000 * age_s)));
  }
}

function lastHeard(name) {
  if (!silentSince.has(name)) return "";
  return silentSince.get(name) ? `Last heard at ${silentSince.get(name)}.` : "Not heard yet.";
}

function renderDots(s) {
  const key = s.dots.join();
  if ($("dots").dataset.key === key) return;
  $("dots").dataset.key = key;
  $("dots").replaceChildren(...s.dots.map((word, i) => {
    const dot = document.createElement("li");
    dot.className = `dot dot-${word}`;
    dot.title = `episode ${i + 1}: ${{ now: "running", todo: "to come" }[word] ?? word}`;
    return dot;
  }));
}

function renderSide(side, { successes, count, low, high, mean_return }) {
  const row = $(`side-${side}`);
  const percent = (share) => `${Math.round(100 * share)} %`;
  row.classList.toggle("empty", count === 0);
  row.querySelector(".fill").style.width = count ? percent(successes / count).replace(" ", "") : "0";
  row.querySelector(".interval").style.left = percent(low).replace(" ", "");
  row.querySelector(".interval").style.width = percent(high - low).replace(" ", "");
  row.querySelector(".side-text").textContent = count
    ? `${successes} of ${count}  (${percent(low)} to ${percent(high)})  return ${mean_return.toFixed(2)}` : "not tested yet";
}

function renderLinks(links) {
  $("links").replaceChildren(...links.map((link) => {
    const item = document.createElement("li");
    item.className = link.silent ? "link silent" : "link";
    item.textContent = link.silent ? `${link.name} silent` : link.name;
    const age = link.age_s === null ? "never heard" : `last heard ${link.age_s} s ago`;
    item.title = link.silent ? `${age}. ${link.hint}` : age;
    return item;
  }));
}

function renderButtons() {
  for (const button of document.querySelectorAll("[data-action]")) button.disabled = !enabled(button.dataset.action);
}

function showBanner(text) {
  $("banner").hidden = text === "";
  setText("banner-text", text);
  if (text === "") document.body.classList.remove("stop-failed");
}

// ---- Camera -----------------------------------------------------------------------------------------------------

let lastFrame = null; // when the last picture was drawn: { at: performance.now(), date }
const drawn = []; // times of the last pictures, for the rate

async function drawFrame(event, socket) {
  const seq = new DataView(event.data).getBigUint64(0, true);
  try {
    const picture = await createImageBitmap(new Blob([new Uint8Array(event.data, 16)], { type: "image/jpeg" }));
    const canvas = $("camera");
    if (canvas.width !== picture.width) canvas.width = picture.width;
    if (canvas.height !== picture.height) canvas.height = picture.height;
    canvas.getContext("2d").drawImage(picture, 0, 0);
    picture.close();
    canvas.dataset.seq = seq;
    lastFrame = { at: performance.now(), date: new Date() };
    drawn.push(lastFrame.at);
  } finally { // a damaged picture is skipped, not the end of the stream
    if (socket.readyState === WebSocket.OPEN) socket.send(String(seq));
  }
}

function watchSilence() {
  const now = performance.now();
  const lost = now - lastStatus > SERVER_SILENT_MS;
  if (lost && serverLostSince === null) {
    serverLostSince = new Date(Date.now() - (now - lastStatus));
    document.body.dataset.tone = "warn";
    setText("headline", "Panel server is silent");
    setText("instruction", `Nothing heard since ${clock(serverLostSince)}; what the page shows is old. Trying to reconnect. ` +
      "The arm is guarded without this page; to stop it now, use the robot's own emergency stop.");
    renderButtons();
  } else if (!lost && serverLostSince !== null) {
    serverLostSince = null;
    render();
  }
  document.body.classList.toggle("lost", lost);
  while (drawn.length && now - drawn[0] > 2000) drawn.shift();
  const silent = lastFrame === null || now - lastFrame.at > CAMERA_SILENT_MS;
  $("camera-overlay").hidden = !silent;
  setText("camera-rate", silent ? "" : `${(drawn.length / 2).toFixed(0)} pictures/s`);
  if (silent) setText("camera-overlay", cameraWords());
}

function cameraWords() {
  const link = status?.links.find((l) => l.name === "camera");
  const hint = link?.silent ? link.hint : "";
  if (lastFrame !== null) return `Camera silent since ${clock(lastFrame.date)}. The picture is old. ${hint}`;
  if (silentSince.get("camera")) return `Camera silent since ${silentSince.get("camera")}. ${hint}`;
  return `No picture from the camera yet. ${hint}`;
}
