// Reading the archive: three requests at once at most. A browser has six per host, and STOP must never wait for one.

import { get as ask } from "./api.js";

const LANES = 3;
let taken = 0;
const waiting = [];

/** Do `work` as soon as a lane is free. Throws what it throws; an AbortError once `signal` says that nobody waits for it. */
async function inTurn(work, signal) {
  if (taken < LANES) taken++;
  else await new Promise((go) => waiting.push(go)); // whoever is done hands the lane on
  try {
    signal?.throwIfAborted();
    const answer = await work();
    signal?.throwIfAborted();
    return answer;
  } finally {
    if (waiting.length) waiting.shift()();
    else taken--;
  }
}

export const get = (path, signal) => inTurn(() => ask(path, { signal }), signal);

/** A picture, decoded. */
export const picture = (path, signal) => inTurn(async () => {
  const image = new Image(), drop = () => image.removeAttribute("src");
  signal.addEventListener("abort", drop);
  image.src = path;
  await image.decode().finally(() => signal.removeEventListener("abort", drop));
  return image;
}, signal);
