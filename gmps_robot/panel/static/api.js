// The panel's public API, as any program sees it, and the few lines of DOM that every view needs.

export const $ = (id) => document.getElementById(id);
export const clock = (date) => date.toLocaleTimeString([], { hour12: false });
export const setText = (id, text) => { if ($(id).textContent !== text) $(id).textContent = text; };
export const percent = (share) => `${Math.round(100 * share)} %`;

/** A new element with classes and text. */
export function make(tag, classes = "", text = "", attributes = {}) {
  const element = document.createElement(tag);
  element.className = classes;
  element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

/** `signal` ends it with an AbortError. */
export const get = (path, { timeout = 15000, signal } = {}) => ask(path, { method: "GET" }, timeout, signal);

export const post = (path, body = null, { timeout = 15000 } = {}) => ask(path, {
  method: "POST", keepalive: true, body: body === null ? undefined : JSON.stringify(body),
  headers: { "x-gmps": "1", ...(body === null ? {} : { "content-type": "application/json" }) },
}, timeout);

/** What goes wrong is an Error with a sentence for a person; `answered` tells whether the server has said it. */
async function ask(path, request, timeout, signal) {
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), timeout);
  signal?.addEventListener("abort", () => patience.abort());
  let response;
  try {
    response = await fetch(`/api/${path}`, { ...request, signal: patience.signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw new Error(error.name === "AbortError" ? `no answer within ${timeout / 1000} s` : "the panel server does not answer");
  } finally {
    clearTimeout(timer); // an answer has begun: a busy page may take its time to read it
  }
  if (response.status === 401) location.assign("/login");
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) {
    const words = answer.message || `the panel server answered ${response.status}; see its log`;
    throw Object.assign(new Error(words), { answered: true });
  }
  return answer;
}

/**
 * Show a sentence until it is dismissed; "" hides it.
 *
 * `stop`: it tells of a STOP that was not confirmed, and stays until one is called with false: confirmed, or dismissed.
 */
export function showBanner(text, { stop = null } = {}) {
  if (stop === null && document.body.classList.contains("stop-failed")) return;
  $("banner").hidden = text === "";
  setText("banner-text", text);
  document.body.classList.toggle("stop-failed", stop === true);
}
