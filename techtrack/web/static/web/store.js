// The figures of the store, and its checks, rebuilds and imports with how far they are: all of it from the API.

import { age, number, shortenMoments } from "./format.js";

const LOOK = 30_000;
const LOOK_AT_RUN = 1000;
const RUNS = 5;
const PROBLEMS = 20;
const STATES = { waiting: "waits", running: "runs", done: "done", failed: "failed", interrupted: "interrupted" };
const MEANING = {
  log: "not folded yet, or not yet read by all",
  chunks: "every reading, by asset and hour",
  rollups: "statistics, by asset and hour",
  days: "statistics, by asset and local day",
  latest: "the newest values of assets",
};

const whole = new Intl.NumberFormat("en-GB");
const csrf = document.querySelector("meta[name=csrf-token]").content;
const find = (name) => document.querySelector(`[data-store-${name}]`);
const note = find("note");

function element(name, text = "", ...children) {
  const made = document.createElement(name);
  made.append(text, ...children);
  return made;
}

function say(text) {
  note.textContent = text;
  note.hidden = !text;
}

function size(bytes) {
  if (bytes === null) return "";
  return bytes >= 1e6 ? `, ${number(bytes / 1e6)} MB` : `, ${number(bytes / 1e3)} kB`;
}

function fact(name, text) {
  return element("div", "", element("dt", name), element("dd", text));
}

function show(figures) {
  const since = figures.lag.since && (Date.now() - Date.parse(figures.lag.since)) / 1000;
  const shown = {
    values: whole.format(figures.values),
    density: number(figures.bytes_per_value),
    waiting: whole.format(figures.lag.readings),
    age: since === null ? "–" : age(Math.max(0, since)),
  };
  for (const [name, text] of Object.entries(shown)) document.querySelector(`[data-figure=${name}]`).textContent = text;
  find("figures").hidden = false;
  const tables = figures.tables.map(({ name, rows, bytes }) => fact(name, `${whole.format(rows)} rows${size(bytes)}: ${MEANING[name]}`));
  find("tables").replaceChildren(...tables);
  const consumers = figures.consumers.map(({ name, behind, dead }) =>
    fact(name, `${behind ? `${whole.format(behind)} behind` : "up to date"}${dead ? "; it seems to be gone for good, and the log is kept for it" : ""}`));
  find("consumers").replaceChildren(...consumers);
  const damaged = figures.damaged_chunks + figures.damaged_segments;
  say(damaged ? `${whole.format(damaged)} damaged rows are set aside; a check names them.` : "");
}

function moment(text) {
  const at = element("time", text);
  at.dateTime = text;
  at.setAttribute("data-moment", "");
  return at;
}

function progress(done, total, label) {
  const bar = element("progress");
  bar.max = Math.max(total, 1);
  bar.value = done;
  bar.setAttribute("aria-label", label);
  return bar;
}

function line(run) {
  const item = element("li");
  const what = element("span", `${run.kind === "check" ? "Check" : "Rebuild"}: ${STATES[run.state] ?? run.state}`);
  const at = moment(run.created_at);
  const told = element("span", `${whole.format(run.done)} of ${whole.format(run.total)} hours, ${run.found ? `${whole.format(run.found)} wrong` : "nothing wrong"} · `, at);
  item.append(what, told);
  if (run.state === "running") what.append(" ", progress(run.done, run.total, "Hours gone through"));
  if (run.error) what.append(` · ${run.error}`);
  return [item, ...run.problems.slice(0, PROBLEMS).map(wrong)];
}

function wrong({ name, asset, hour, detail }) {
  const place = [name ?? (asset === null ? null : `asset ${asset}`), hour].filter(Boolean).join(", ");
  return element("li", "", element("span", place ? `${place}: ${detail}` : detail));
}

function imported(run) {
  const what = element("span", run.name);
  if (!run.finished_at) what.append(" ", progress(run.rows_done, run.rows_total, "Rows loaded"));
  const rate = run.rate === null ? "" : `, ${whole.format(Math.round(run.rate))} a second`;
  const told = `${whole.format(run.rows_done)} of ${whole.format(run.rows_total)} rows${rate} · `;
  return element("li", "", what, element("span", told, moment(run.started_at)));
}

let timer;

async function read(path) {
  const answer = await fetch(path).catch(() => null);
  if (answer?.ok) return answer.json();
  say("The store cannot be read at the moment.");
  return null;
}

async function lookAtRuns() {
  clearTimeout(timer);
  const page = await read(`/api/store/runs/?page_size=${RUNS}`);
  const runs = page?.results ?? [];
  if (page) find("runs").replaceChildren(...runs.flatMap(line));
  shortenMoments(find("runs"));
  const busy = runs.some(({ state }) => state === "waiting" || state === "running");
  for (const button of document.querySelectorAll("[data-store-ask]")) button.disabled = busy;
  timer = setTimeout(lookAtRuns, busy ? LOOK_AT_RUN : LOOK);
}

async function lookAtImports() {
  const page = await read(`/api/imports/?page_size=${RUNS}`);
  const runs = page?.results ?? [];
  if (page) find("imports").replaceChildren(...runs.map(imported));
  find("imported").hidden = !find("imports").childElementCount;
  shortenMoments(find("imports"));
  setTimeout(lookAtImports, runs.some(({ finished_at: end }) => !end) ? LOOK_AT_RUN : LOOK);
}

async function look() {
  const figures = await read("/api/store/");
  if (figures) show(figures);
  setTimeout(look, LOOK);
}

async function ask(kind) {
  const answer = await fetch(`/api/store/${kind}/`, { method: "POST", headers: { "X-CSRFToken": csrf } }).catch(() => null);
  if (!answer?.ok) say(answer ? (await answer.json()).detail : "The platform does not answer.");
  lookAtRuns();
}

for (const button of document.querySelectorAll("[data-store-ask]")) {
  button.addEventListener("click", () => ask(button.dataset.storeAsk));
}
look();
lookAtRuns();
lookAtImports();
