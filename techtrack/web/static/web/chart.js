// The history of one parameter of one asset: average line within the band of extremes, growing as readings arrive;
// stretches that somebody marked as suspect, bad or missing are shaded, and the span shown can be taken away as a file.

import { number, zone } from "./format.js";

// About so many pixels for a point of the line.
const PIXELS = 2;
const MOST_MARKS = 200;
// Below the plot stand the readings under the cursor.
const LEGEND = 36;
const REREAD = 60_000;
const DRAW_EVERY = 1000;
// A hole this many times as wide as the usual distance is drawn as a hole.
const HOLE = 3;

const holder = document.querySelector("[data-chart]");
const form = document.querySelector("[data-chart-form]");

class Chart {
  constructor() {
    this.note = holder.querySelector("[data-chart-note]");
    this.asset = Number(holder.dataset.asset);
    this.limits = JSON.parse(holder.dataset.limits);
    this.newest = Date.parse(holder.dataset.to) || Date.now();
    this.oldest = Date.parse(holder.dataset.from) || this.newest;
    this.data = [[], [], [], []];
    this.marks = [];
    form.addEventListener("change", () => this.read());
    form.addEventListener("submit", (event) => event.preventDefault());
    document.addEventListener("reading", ({ detail }) => this.take(detail));
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.build());
    new ResizeObserver(() => this.plot?.setSize(this.size())).observe(holder);
    setInterval(() => document.hidden || this.read(), REREAD);
    this.read();
  }

  get parameter() {
    return form.elements.parameter.value;
  }

  get unit() {
    return form.elements.parameter.selectedOptions[0].dataset.unit;
  }

  get range() {
    return Number(form.elements.range.value);
  }

  async read() {
    const wanted = `${this.parameter} ${this.range}`;
    this.wanted = wanted;
    // Counted back from the newest reading: an asset that fell silent still shows its last hours.
    const from = new Date(this.range ? this.newest - this.range * 1000 : this.oldest).toISOString();
    const span = { from, to: new Date(this.newest + 1000).toISOString(), parameter: this.parameter };
    this.offer(span);
    const points = Math.max(100, Math.round(holder.clientWidth / PIXELS));
    const [history, marks] = await Promise.all([
      ask("/api/history/", { asset: this.asset, ...span, interval: "auto", points, timezone: zone }),
      ask("/api/data/quality/", { asset: this.asset, ...span, page_size: MOST_MARKS }),
    ]);
    // Whoever has chosen something else meanwhile does not want this any more.
    if (this.wanted !== wanted) return;
    if (!history) return this.say("The history cannot be read at the moment.");
    this.marks = doubtful(marks?.results ?? []);
    this.fill(history.series[0]?.rows ?? []);
  }

  // The readings themselves, of the span that is shown.
  offer(span) {
    for (const link of document.querySelectorAll("[data-download]")) {
      const { door, name, format } = link.dataset;
      link.href = `${door}?${new URLSearchParams({ [name]: this.asset, ...span, format })}`;
    }
  }

  fill(rows) {
    const points = rows.filter((row) => row[2] !== null).map(([at, , avg, min, max]) => [Date.parse(at) / 1000, avg, min, max]);
    this.usual = usualDistance(points.map(([at]) => at));
    this.data = [[], [], [], []];
    for (const point of points) this.push(point);
    this.say(points.length ? "" : "No readings in this range.");
    this.build();
  }

  push([at, avg, min, max]) {
    const [times] = this.data;
    const last = times.at(-1);
    if (last !== undefined && at <= last) return;
    if (this.usual && at - last > HOLE * this.usual) this.add(last + this.usual, null, null, null);
    this.add(at, avg, min, max);
  }

  add(...point) {
    point.forEach((value, index) => this.data[index].push(value));
  }

  take({ asset, timestamp, values }) {
    const value = values[this.parameter];
    if (asset !== this.asset || typeof value !== "number") return;
    this.newest = Math.max(this.newest, Date.parse(timestamp));
    this.push([Date.parse(timestamp) / 1000, value, value, value]);
    if (this.pending || !this.plot) return;
    this.pending = true;
    setTimeout(() => requestAnimationFrame(() => this.redraw()), DRAW_EVERY);
  }

  redraw() {
    this.pending = false;
    const start = this.range ? this.newest / 1000 - this.range : -Infinity;
    const first = this.data[0].findIndex((at) => at >= start);
    if (first > 0) this.data = this.data.map((column) => column.slice(first));
    this.say("");
    this.plot.setData(this.data);
  }

  build() {
    this.plot?.destroy();
    this.plot = new uPlot(this.options(), this.data, holder);
  }

  size() {
    return { width: holder.clientWidth, height: holder.clientHeight - LEGEND };
  }

  options() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const font = `12px ${getComputedStyle(document.body).fontFamily}`;
    const axis = { stroke: colour("muted"), font, grid: { stroke: colour("grid"), width: 1 }, ticks: { show: false } };
    const show = (plot, value) => (value === null || value === undefined ? "–" : `${number(value)} ${this.unit}`);
    const line = { value: show, points: { show: false } };
    return {
      ...this.size(),
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
      cursor: { points: { size: 7, width: 2 }, y: false },
      scales: { y: { range: (plot, low, high) => this.reach(low, high) } },
      axes: [{ ...axis, values: TIMES }, { ...axis, size: 54, space: 44, values: (plot, ticks) => alike(ticks) }],
      series: [
        { value: "{YYYY}-{MM}-{DD} {HH}:{mm}:{ss}", label: "Time" },
        { ...line, label: "Average", stroke: colour("series"), width: 2 },
        { ...line, label: "Minimum", stroke: "transparent" },
        { ...line, label: "Maximum", stroke: "transparent" },
      ],
      bands: [{ series: [3, 2], fill: colour("band") }],
      hooks: {
        drawClear: [(plot) => this.drawMarks(plot, colour("grid"), colour("muted"), font)],
        draw: [(plot) => this.drawLimit(plot, colour("critical"), font)],
      },
    };
  }

  // The limit of an open alert belongs into the picture, if the picture stays readable.
  reach(low, high) {
    if (low === null) return [0, 1];
    const limit = this.limits[this.parameter];
    const span = high - low || Math.abs(high) || 1;
    const near = limit !== undefined && limit < high + 2 * span && limit > low - 2 * span;
    const [bottom, top] = near ? [Math.min(low, limit), Math.max(high, limit)] : [low, high];
    const air = (top - bottom || span) * 0.08;
    return [bottom - air, top + air];
  }

  drawLimit(plot, colour, font) {
    const limit = this.limits[this.parameter];
    if (limit === undefined) return;
    const { ctx, bbox } = plot;
    const y = plot.valToPos(limit, "y", true);
    if (y < bbox.top || y > bbox.top + bbox.height) return;
    ctx.save();
    ctx.strokeStyle = ctx.fillStyle = colour;
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    ctx.font = font.replace("12px", `${12 * devicePixelRatio}px`);
    ctx.textAlign = "left";
    ctx.fillText(`limit ${number(limit)}`, bbox.left + 8 * devicePixelRatio, y - 6 * devicePixelRatio);
    ctx.restore();
  }

  drawMarks(plot, ground, ink, font) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.font = font.replace("12px", `${12 * devicePixelRatio}px`);
    for (const { from, to, quality } of this.marks) {
      const left = Math.max(plot.valToPos(from, "x", true), bbox.left);
      const right = plot.valToPos(to, "x", true);
      if (right < bbox.left) continue;
      ctx.fillStyle = ground;
      ctx.fillRect(left, bbox.top, Math.max(right - left, devicePixelRatio), bbox.height);
      ctx.fillStyle = ink;
      ctx.fillText(quality, left + 4 * devicePixelRatio, bbox.top + 14 * devicePixelRatio);
    }
    ctx.restore();
  }

  say(text) {
    this.note.textContent = text;
    this.note.hidden = !text;
  }
}

async function ask(path, query) {
  const answer = await fetch(`${path}?${new URLSearchParams(query)}`).catch(() => null);
  return answer?.ok ? answer.json() : null;
}

// Of several marks on a moment the last one counts: cut where one begins or ends, and keep what is not good.
function doubtful(marks) {
  const said = marks
    .map(({ id, from, to, quality }) => ({ place: Number(id.split("-")[1]), from: Date.parse(from) / 1000, to: Date.parse(to) / 1000, quality }))
    .sort((one, other) => one.place - other.place);
  const edges = [...new Set(said.flatMap(({ from, to }) => [from, to]))].sort((one, other) => one - other);
  const found = [];
  for (const [index, from] of edges.slice(0, -1).entries()) {
    const quality = said.findLast((mark) => mark.from <= from && from < mark.to)?.quality ?? "good";
    if (quality === "good") continue;
    const before = found.at(-1);
    if (before?.to === from && before.quality === quality) before.to = edges[index + 1];
    else found.push({ from, to: edges[index + 1], quality });
  }
  return found;
}

// uPlot's own table of time axis labels, with 24 hours and days before months.
const TIMES = [
  [31_536_000, "{YYYY}", null, null, null, null, null, null, 1],
  [2_419_200, "{MMM}", "\n{YYYY}", null, null, null, null, null, 1],
  [86_400, "{D} {MMM}", "\n{YYYY}", null, null, null, null, null, 1],
  [3600, "{HH}:{mm}", "\n{D} {MMM} {YYYY}", null, "\n{D} {MMM}", null, null, null, 1],
  [60, "{HH}:{mm}", "\n{D} {MMM} {YYYY}", null, "\n{D} {MMM}", null, null, null, 1],
  [1, "{HH}:{mm}:{ss}", "\n{D} {MMM} {YYYY}", null, "\n{D} {MMM}", null, null, null, 1],
];

function usualDistance(times) {
  const distances = times.slice(1).map((at, index) => at - times[index]);
  distances.sort((one, other) => one - other);
  return distances[Math.floor(distances.length / 2)] ?? 0;
}

// As many decimals as the finest tick needs, on all of them.
function alike(ticks) {
  const digits = ticks.map((tick) => String(Number(tick.toPrecision(6))).split(".")[1]?.length ?? 0);
  return ticks.map((tick) => tick.toFixed(Math.max(0, ...digits)));
}

if (holder && form) new Chart();
