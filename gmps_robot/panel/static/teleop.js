// The real-time part of the page: driving and the camera, over raw WebSockets, without any framework.

import { Motion } from "./motion.js";

const PERIOD_MS = 50; // 20 Hz, as the arm's control
const STALL_MS = 200; // a page that did not run for this long does not know what the hands do
const MOVE_MS = 33; // a stick that is dragged is not sent more often; the server counts
const IDLE_MS = 500; // a watcher asks for the link time this often

const NOT_ALLOWED = 4403; // close code: this login may not use that stream

const socketUrl = (path) => `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}${path}`;

/** Keep a WebSocket open: `onMessage(event, socket)` for what comes, `onChange(open, closeEvent)` when it opens or closes. */
export function listen(path, onMessage, { binary = false, onChange = () => {} } = {}) {
  let delay = 300, current = null;
  const open = () => {
    const socket = current = new WebSocket(socketUrl(path));
    if (binary) socket.binaryType = "arraybuffer";
    socket.onopen = () => { delay = 300; onChange(true); };
    socket.onmessage = (event) => onMessage(event, socket);
    socket.onclose = (event) => {
      onChange(false, event);
      if (event.code === NOT_ALLOWED) return;
      setTimeout(open, delay);
      delay = Math.min(delay * 2, 3000);
    };
  };
  open();
  return () => (current.readyState === WebSocket.OPEN ? current : null);
}

/**
 * Sends what the hands want 20 times per second and at once when it changes.
 *
 * `onAnswer({armed, reason, link})` tells what the server made of it; link is the way there and back [ms].
 */
export class Teleop {
  motion = new Motion();
  session = null; // of the lease this page holds
  #seq = 0;
  #lastTick = performance.now();
  #lastSent = -Infinity;
  #links = [];
  #wasPad = false;
  #drops = []; // one per stick: after neutral a finger that is still down counts no more

  constructor(onAnswer) {
    this.onAnswer = onAnswer;
    this.socket = listen("/ws/teleop", (event) => this.#answered(JSON.parse(event.data)), {
      onChange: (open) => { if (!open) { this.letGo("the connection to the panel server is lost"); this.#links = []; } },
    });
    const lost = (why) => () => this.letGo(why);
    addEventListener("blur", lost("the window lost the focus"));
    addEventListener("pagehide", lost("the page was left"));
    document.addEventListener("visibilitychange", () => { if (document.hidden) this.letGo("the page is hidden"); });
    addEventListener("gamepaddisconnected", lost("the gamepad is gone"));
    addEventListener("keyup", (event) => { if (this.motion.release(event.code)) this.changed(); }, { capture: true });
    setInterval(() => this.#tick(), PERIOD_MS);
  }

  /** A key went down; typing and shortcuts are the caller's business. Returns whether it moves the arm. */
  press(code) {
    const moves = this.motion.press(code);
    if (moves) this.changed();
    return moves;
  }

  /** Neutral, at once; every source must be let go before it counts again. */
  letGo(why) {
    const held = this.motion.neutral();
    for (const drop of this.#drops) drop();
    if (!held) return;
    this.changed();
    this.onAnswer({ armed: false, reason: `let go: ${why}` });
  }

  /** Send now. */
  changed() {
    const socket = this.socket();
    if (!socket) return;
    const { motion, session } = this;
    const enable = motion.enable && session !== null;
    this.#lastSent = performance.now();
    socket.send(JSON.stringify({
      session: session ?? "", seq: ++this.#seq, t_client: this.#lastSent, enable,
      v: enable ? motion.velocity() : [0, 0, 0], gripper: motion.gripper,
    }));
  }

  /** Make an element a stick: `set([right, up])` while a pointer holds it, `set(null)` when it is let go. */
  grip(element, set) {
    let pointer = null;
    const move = (event) => {
      if (event.pointerId !== pointer) return;
      const box = element.getBoundingClientRect();
      const right = (2 * (event.clientX - box.left)) / box.width - 1;
      const up = 1 - (2 * (event.clientY - box.top)) / box.height;
      const scale = Math.max(1, Math.hypot(right, up));
      set([right / scale, up / scale]);
      if (event.type === "pointerdown" || performance.now() - this.#lastSent >= MOVE_MS) this.changed();
    };
    const end = (event) => {
      if (event.pointerId !== pointer) return;
      pointer = null;
      set(null);
      this.changed();
    };
    element.addEventListener("pointerdown", (event) => {
      if (pointer !== null || event.button !== 0) return;
      pointer = event.pointerId;
      element.setPointerCapture(pointer);
      move(event);
    });
    element.addEventListener("pointermove", move);
    for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) element.addEventListener(name, end);
    this.#drops.push(() => { pointer = null; set(null); });
  }

  #tick() {
    const now = performance.now();
    if (now - this.#lastTick > STALL_MS) this.letGo("the page did not run for a moment");
    this.#lastTick = now;
    const pad = [...(navigator.getGamepads?.() ?? [])].find(Boolean) ?? null;
    if (this.#wasPad && !pad?.connected) this.letGo("the gamepad is gone");
    this.#wasPad = Boolean(pad?.connected);
    this.motion.readPad(pad);
    if (this.session !== null || now - this.#lastSent >= IDLE_MS) this.changed();
  }

  get hasPad() { return this.#wasPad; }

  #answered({ armed, reason, t_client }) {
    if (t_client !== null) this.#links.push(performance.now() - t_client); // null: nobody asked
    if (this.#links.length > 20) this.#links.shift();
    const sorted = [...this.#links].sort((a, b) => a - b);
    this.onAnswer({ armed, reason, link: sorted[sorted.length >> 1] });
  }
}

/** Draws the camera: the server sends the next picture when this one is on the canvas. */
export class Video {
  last = null; // when the last picture was drawn: { at: performance.now(), date }
  #drawn = []; // times of the last pictures, for the rate

  constructor(canvas) {
    this.canvas = canvas;
    listen("/ws/camera", (event, socket) => this.#draw(event, socket), { binary: true });
  }

  /** Pictures per second over the last two seconds. */
  rate(now) {
    while (this.#drawn.length && now - this.#drawn[0] > 2000) this.#drawn.shift();
    return this.#drawn.length / 2;
  }

  async #draw(event, socket) {
    const head = new DataView(event.data);
    const seq = head.getBigUint64(0, true), stamp = head.getBigUint64(8, true);
    try {
      const picture = await createImageBitmap(new Blob([new Uint8Array(event.data, 16)], { type: "image/jpeg" }));
      const { canvas } = this;
      if (canvas.width !== picture.width) canvas.width = picture.width;
      if (canvas.height !== picture.height) canvas.height = picture.height;
      canvas.getContext("2d").drawImage(picture, 0, 0);
      picture.close();
      canvas.dataset.seq = seq;
      this.last = { at: performance.now(), date: new Date() };
      this.#drawn.push(this.last.at);
      canvas.dispatchEvent(new CustomEvent("drawn", { detail: { seq: Number(seq), stamp } }));
    } finally { // a damaged picture is skipped, not the end of the stream
      if (socket.readyState === WebSocket.OPEN) socket.send(String(seq));
    }
  }
}
