// Assets on a page: their newest values move, and grey out when the asset falls silent.

import { age, moment, number, shortenMoments } from "./format.js";

const TICK = 1000;
// A screen shows no more than people can read: values that come faster are drawn four times a second.
const DRAW_EVERY = 250;

export class Cards extends EventTarget {
  constructor(root) {
    super();
    this.cards = new Map();
    this.arrived = new Map();
    this.drawing = false;
    for (const element of root.querySelectorAll("[data-codes]")) this.adopt(element);
    setInterval(() => this.tick(), TICK);
  }

  adopt(element) {
    const known = element.dataset.age;
    this.cards.set(Number(element.dataset.asset), {
      element,
      seen: element.querySelector("[data-seen]"),
      numbers: new Map([...element.querySelectorAll("[data-parameter]")].map((cell) => [cell.dataset.parameter, cell])),
      codes: new Set(element.dataset.codes.trim().split(/\s+/)),
      awaited: "awaited" in element.dataset,
      patience: Number(element.dataset.patience),
      // Measured on this machine's own steady clock: nobody's wall clock has to be right.
      heardAt: known === "" ? null : performance.now() / 1000 - Number(known),
      at: null,
    });
  }

  take({ asset, timestamp, values }) {
    const waiting = this.arrived.get(asset) ?? { values: {} };
    Object.assign(waiting.values, values);
    waiting.timestamp = timestamp;
    this.arrived.set(asset, waiting);
    if (this.drawing) return;
    this.drawing = true;
    setTimeout(() => requestAnimationFrame(() => this.draw()), DRAW_EVERY);
  }

  draw() {
    this.drawing = false;
    for (const [asset, { timestamp, values }] of this.arrived) this.show(asset, new Date(timestamp), values);
    this.arrived.clear();
  }

  show(asset, at, values) {
    const card = this.cards.get(asset);
    if (!card) return;
    card.heardAt = performance.now() / 1000;
    // Who speaks for the first time is well, until an alert says otherwise.
    if (card.element.dataset.health === "unknown") this.setHealth(new Map([[asset, "good"]]), false);
    // Late readings are welcome and are history: the newest value stays.
    if (card.at && at < card.at) return;
    card.at = at;
    for (const [code, value] of Object.entries(values)) {
      const cell = card.numbers.get(code);
      if (cell) cell.textContent = number(value, cell.dataset);
      // A parameter that the page has never seen: the server draws the card anew, with its name and unit.
      else if (!card.codes.has(code)) this.renew([card]);
    }
    this.judge(card);
  }

  async renew(cards = [...this.cards.values()]) {
    const due = cards.filter((card) => !card.renewing);
    if (!due.length) return;
    for (const card of due) card.renewing = true;
    const answer = await fetch(location.href).catch(() => null);
    if (!answer?.ok || answer.redirected) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const { element } of due) {
      const fresh = page.getElementById(element.id);
      if (!fresh) continue;
      element.replaceWith(fresh);
      shortenMoments(fresh);
      this.adopt(fresh);
      this.dispatchEvent(new CustomEvent("renewed", { detail: fresh }));
    }
  }

  tick() {
    for (const card of this.cards.values()) this.judge(card);
  }

  judge(card) {
    if (card.heardAt === null) return;
    const seconds = performance.now() / 1000 - card.heardAt;
    const silent = seconds > card.patience;
    const was = card.element.classList.contains("silent");
    if (silent !== was) card.element.classList.toggle("silent", silent);
    if (card.at === null && !silent) return;
    const since = card.at ?? card.since ?? (card.since = new Date(card.seen.querySelector("time")?.dateTime));
    const words = silent && card.awaited ? `Silent for ${age(seconds)}, since ${moment(since)}` : `Measured ${moment(since)}`;
    if (card.seen.textContent !== words) card.seen.textContent = words;
  }

  // How an asset is follows from its open alerts, which another part of the page has just read.
  setHealth(healths, complete) {
    for (const [asset, { element }] of this.cards) {
      const health = healths.get(asset) ?? (complete && element.dataset.health !== "unknown" ? "good" : null);
      if (!health || health === element.dataset.health) continue;
      element.dataset.health = health;
      element.querySelector(".health").textContent = WORDS[health] ?? health;
    }
  }
}

const WORDS = { good: "Normal", unknown: "Not judged", warning: "Warning", critical: "Critical" };
