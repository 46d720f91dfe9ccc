// What the hands want, as one velocity. Pure: no page, no socket, no clock of its own.
//
// Three sources: keys, the on-screen stick and lift, a gamepad. Whatever makes the page unsure that the hands are still
// there calls neutral(); after that every source has to be let go and taken anew before it counts again.

export const KEYS = { // event.code -> right, up as in the picture, lift
  KeyD: [1, 0, 0], ArrowRight: [1, 0, 0], KeyA: [-1, 0, 0], ArrowLeft: [-1, 0, 0],
  KeyW: [0, 1, 0], ArrowUp: [0, 1, 0], KeyS: [0, -1, 0], ArrowDown: [0, -1, 0],
  KeyQ: [0, 0, 1], PageUp: [0, 0, 1], KeyE: [0, 0, -1], PageDown: [0, 0, -1],
};
const DEAD_ZONE = 0.12; // of a gamepad's axis
const PAD_HOLD = [5, 4]; // shoulder buttons: one of them must be held
const GRIPPER_STEP = 0.1;

export class Motion {
  keys = new Set();
  stick = null; // [right, up] while a pointer holds it
  lift = null;
  pad = null; // [right, up, lift] while its shoulder button is held
  padFree = false; // the shoulder button was seen let go since the last neutral()
  speed = 0.6;
  gripper = -0.5;
  axes = { right: [0, 1], up: [-1, 0] }; // of the picture, on the table, in the base frame

  /** Whether any source is held. A stick held in its middle counts: the arm is to rest, under the hand. */
  get enable() { return this.keys.size > 0 || this.stick !== null || this.lift !== null || this.pad !== null; }

  press(code) { return code in KEYS && this.keys.size !== this.keys.add(code).size; }
  release(code) { return this.keys.delete(code); }

  /** Let go of everything. Returns whether anything was held. */
  neutral() {
    const held = this.enable;
    this.keys.clear();
    this.stick = this.lift = this.pad = null;
    this.padFree = false;
    return held;
  }

  /** Take in what the gamepad says, null for none. Returns whether the velocity may have changed. */
  readPad(pad) {
    const before = String(this.pad);
    const held = pad?.connected ? PAD_HOLD.some((i) => pad.buttons[i]?.pressed) : false;
    if (!held) this.padFree = Boolean(pad?.connected);
    this.pad = held && this.padFree ? [axis(pad, 0), -axis(pad, 1), -axis(pad, 3)] : null;
    if (this.pad && pad.buttons[0]?.pressed) this.gripper = Math.max(-1, this.gripper - GRIPPER_STEP);
    if (this.pad && pad.buttons[1]?.pressed) this.gripper = Math.min(1, this.gripper + GRIPPER_STEP);
    return String(this.pad) !== before;
  }

  /** [x, y, z] in the base frame, of length 1 at most, times the speed. */
  velocity() {
    let [right, up, lift] = [0, 0, 0];
    for (const code of this.keys) {
      right += KEYS[code][0]; up += KEYS[code][1]; lift += KEYS[code][2];
    }
    [right, up, lift] = [Math.sign(right), Math.sign(up), Math.sign(lift)];
    if (this.stick) { right += this.stick[0]; up += this.stick[1]; }
    if (this.lift !== null) lift += this.lift;
    if (this.pad) { right += this.pad[0]; up += this.pad[1]; lift += this.pad[2]; }
    const { axes } = this;
    const v = [right * axes.right[0] + up * axes.up[0], right * axes.right[1] + up * axes.up[1], lift];
    const scale = this.speed / Math.max(1, Math.hypot(...v));
    return v.map((value) => value * scale || 0); // no -0
  }
}

function axis(pad, index) {
  const value = pad.axes[index] ?? 0;
  return Math.abs(value) < DEAD_ZONE ? 0 : (value - Math.sign(value) * DEAD_ZONE) / (1 - DEAD_ZONE);
}

/** Pixel of a point [m] under a row-major 3x4 projection; null behind the camera. */
export function project(p, [x, y, z]) {
  const row = (i) => p[4 * i] * x + p[4 * i + 1] * y + p[4 * i + 2] * z + p[4 * i + 3];
  const depth = row(2);
  return depth > 0 ? [row(0) / depth, row(1) / depth] : null;
}

/** Unit directions on the table that look right and up in the picture, at the point [x, y, z]. */
export function pictureAxes(p, [x, y, z] = [0.6, 0, 0]) {
  const step = 0.01;
  const at = project(p, [x, y, z]), dx = project(p, [x + step, y, z]), dy = project(p, [x, y + step, z]);
  if (!at || !dx || !dy) return null;
  const [a, c] = [dx[0] - at[0], dx[1] - at[1]]; // pixel steps along x
  const [b, d] = [dy[0] - at[0], dy[1] - at[1]]; // and along y
  const det = a * d - b * c;
  if (Math.abs(det) < 1e-9) return null;
  return { right: unit([d / det, -c / det]), up: unit([b / det, -a / det]) };
}

function unit([x, y]) {
  const length = Math.hypot(x, y);
  return [x / length, y / length];
}
