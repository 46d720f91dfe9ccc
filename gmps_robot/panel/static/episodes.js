// The Episodes view: the table of what was recorded, with filters and pages. The chosen one is shown by replay.js.

import { $, make, setText } from "./api.js";
import { get } from "./archive.js";
import { attempt } from "./live.js";
import * as replay from "./replay.js";
import * as statistics from "./statistics.js";

const PAGE = 50;
const SETTLE_MS = 200; // a key that is held walks on: what is passed by is not read
let offset = 0;
let total = 0;
let listing = new AbortController(); // of the newest question: an older one is dropped
let walking = 0; // the timer's id

export function start() {
  for (const field of document.querySelectorAll("[data-filter]")) {
    field.addEventListener("input", () => { offset = 0; list(); });
  }
  $("filters").addEventListener("submit", (event) => event.preventDefault());
  $("page-back").addEventListener("click", () => { offset = Math.max(0, offset - PAGE); list(); });
  $("page-on").addEventListener("click", () => { offset += PAGE; list(); });
  $("episode-rows").addEventListener("keydown", onRowKey);
  $("show-statistics").disabled = false;
  $("show-statistics").addEventListener("click", () => showStatistics($("statistics-card").hidden));
  statistics.start();
  replay.start(list);
  showStatistics(true); // until an episode is chosen
}

export function show() { list(); replay.show(); }

/** Show figures over all that pass the filters, or the chosen episode. */
function showStatistics(wanted) {
  $("statistics-card").hidden = !wanted;
  $("replay-card").hidden = wanted;
  $("show-statistics").firstElementChild.textContent = wanted ? "Chosen episode" : "Statistics";
  $("show-statistics").disabled = wanted && replay.current() === null;
  if (wanted) statistics.render();
  else replay.show();
}

function list() {
  const query = new URLSearchParams();
  for (const field of document.querySelectorAll("[data-filter]"))
    if (field.value.trim()) query.set(field.dataset.filter, field.value.trim());
  listing.abort();
  listing = new AbortController();
  const { signal } = listing, page = new URLSearchParams({ ...Object.fromEntries(query), limit: PAGE, offset });
  statistics.load(query, signal);
  return attempt(async () => render(await get(`episodes?${page}`, signal)));
}

function render({ total: count, episodes }) {
  total = count;
  $("episode-rows").replaceChildren(...episodes.map(row));
  const last = offset + episodes.length;
  setText("episode-count", total ? `${offset + 1} to ${last} of ${total}` : "No episode fits. Record one under Drive & teach, or change the filters.");
  $("page-back").disabled = offset === 0;
  $("page-on").disabled = last >= total;
}

function row(episode) {
  const { started, task_id, source, operator, checkpoint, seconds, success, reward, accepted, flags, status } = episode;
  const line = make("tr", `episode${status === "discarded" ? " discarded" : ""}`, "", { tabindex: "0", "data-episode": episode.episode });
  line.setAttribute("aria-selected", String(replay.current() === episode.episode));
  const judged = success === null ? "" : success ? "✓ success" : "✕ fail";
  const grade = reward !== null && ![0, 1].includes(reward) ? ` ${reward.toFixed(2)}` : "";
  const cells = [day(started), task_id, source, operator || checkpoint, `${seconds.toFixed(1)} s`];
  line.append(...cells.map((text) => make("td", "", text)),
              make("td", success === null ? "" : success ? "is-success" : "is-fail", judged + grade), flagCell(flags, status, accepted));
  line.addEventListener("click", () => choose(line));
  return line;
}

function flagCell(flags, status, accepted) {
  const cell = make("td", "flags");
  if (accepted) cell.append(make("span", "flag flag-kept", "for training"));
  const words = status === "complete" ? flags : [status, ...flags];
  cell.append(...words.map((word) => make("span", `flag flag-${word}`, word.replaceAll("_", " "))));
  return cell;
}

const day = (iso) => new Date(iso).toLocaleString([], { month: "short", day: "2-digit", hour: "2-digit", minute: "2-digit", hour12: false });

function choose(line) {
  for (const other of $("episode-rows").children) other.setAttribute("aria-selected", String(other === line));
  showStatistics(false);
  replay.open(line.dataset.episode);
}

function onRowKey(event) {
  const line = document.activeElement.closest("tr");
  if (!line) return;
  if (event.key === "Enter" && !event.repeat) choose(line);
  const next = { ArrowDown: line.nextElementSibling, ArrowUp: line.previousElementSibling }[event.key];
  if (!next) return;
  event.preventDefault();
  next.focus();
  clearTimeout(walking);
  walking = setTimeout(() => choose(next), event.repeat ? SETTLE_MS : 0);
}
