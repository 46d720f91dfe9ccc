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

export const get = (path, { timeout = 15000 } = {}) => ask(path, { method: "GET" }, timeout);

export const post = (path, body = null, { timeout = 15000 } = {}) => ask(path, {
  method: "POST", keepalive: true, body: body === null ? undefined : JSON.stringify(body),
  headers: { "x-gmps": "1", ...(body === null ? {} : { "content-type": "application/json" }) },
}, timeout);

async function ask(path, request, timeout) {
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), timeout);
  let response;
  try {
    response = await fetch(`/api/${path}`, { ...request, signal: patience.signal });
  } catch (error) {
    throw new Error(error.name === "AbortError" ? `no answer within ${timeout / 1000} s` : "the panel server does not answer");
  } finally {
    clearTimeout(timer); // an answer has begun: a busy page may take its time to read it
  }
  if (response.status === 401) location.assign("/login");
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.message || `the panel server answered ${response.status}; see its log`);
  return answer;
}

/** Show a sentence until it is dismissed; "" hides it. */
export function showBanner(text, { stop = false } = {}) {
  $("banner").hidden = text === "";
  setText("banner-text", text);
  document.body.classList.toggle("stop-failed", stop);
}
