// The arm as the twin has it, over the picture of a replayed step: by its measured joints, and where the command leads.

import { $ } from "./api.js";
import { get } from "./archive.js";
import { COLOURS } from "./charts.js";

const known = new Map(); // step -> its outlines or their promise, of the episode that is shown
let shown = null;
let dropped = null; // a signal: nobody waits for this episode any more

/** Another episode is shown, until `signal`. */
export async function open(episode, signal) {
  known.clear();
  [shown, dropped] = [episode, signal];
  const { why } = await outlines(0).catch(({ message }) => ({ why: message }));
  if (signal.aborted) return;
  $("ghost").disabled = why !== "";
  $("ghost-label").title = why ? `No ghost: ${why}` : $("ghost-label").dataset.hint;
}

/** `redraw` when the ghost comes or goes. */
export function start(redraw) {
  $("ghost-label").dataset.hint = $("ghost-label").title;
  $("ghost").addEventListener("change", redraw);
}

/** The outlines of a step; null where nobody wants to see them. */
export function at(step) {
  return $("ghost").checked && !$("ghost").disabled ? outlines(step).catch(() => null) : Promise.resolve(null);
}

function outlines(step) {
  if (!known.has(step)) known.set(step, get(`episodes/${shown}/ghost/${step}`, dropped));
  return known.get(step);
}

/** Lay the outlines over the picture that is drawn. */
export function draw(canvas, ghost) {
  if (!ghost || ghost.why) return;
  const pen = canvas.getContext("2d"), scale = canvas.width / ghost.width;
  pen.save();
  pen.scale(scale, canvas.height / ghost.height);
  pen.translate(0.5, 0.5); // a pixel's middle has whole coordinates
  pen.lineJoin = "round";
  pen.lineWidth = ghost.width / 320;
  lay(pen, ghost.arm, COLOURS[0], 0.22);
  pen.setLineDash([6, 4]);
  lay(pen, ghost.asked, COLOURS[1], 0.0);
  pen.restore();
}

function lay(pen, outlines, colour, fill) {
  pen.fillStyle = pen.strokeStyle = colour;
  const all = new Path2D();
  for (const outline of outlines) {
    outline.forEach(([x, y], k) => (k ? all.lineTo(x, y) : all.moveTo(x, y)));
    all.closePath();
  }
  pen.globalAlpha = fill;
  pen.fill(all); // all at once, so that what overlaps is not darker
  pen.globalAlpha = 0.9;
  pen.stroke(all);
}
