// The panel of open alerts: always true, and never moving under the eyes of somebody who reads it.
//
// The server draws the list; this reads it again when something happened, and puts it in place. While
// somebody reads, lines change where they stand and new ones wait behind a button.

import { shortenMoments } from "./format.js";

const SETTLE = 200;
const TOUCHED_FOR = 15_000;

export class AlertPanel extends EventTarget {
  constructor(section, csrf) {
    super();
    this.section = section;
    this.csrf = csrf;
    this.list = section.querySelector("[data-alert-list]");
    this.news = section.querySelector("[data-news]");
    this.touched = -TOUCHED_FOR;
    this.title = document.title;
    section.addEventListener("submit", (event) => this.acknowledge(event));
    section.addEventListener("touchstart", () => (this.touched = performance.now()), { passive: true });
    section.addEventListener("pointerleave", () => this.fresh && this.refresh());
    this.news.addEventListener("click", () => this.replace());
    this.count();
  }

  refresh() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.read(), SETTLE);
  }

  async read() {
    const answer = await fetch(this.section.dataset.alerts);
    if (!answer.ok || answer.redirected) return;
    const fresh = document.createElement("template");
    fresh.innerHTML = await answer.text();
    this.fresh = fresh.content.querySelector("ol");
    shortenMoments(this.fresh);
    const added = this.added();
    this.announce(added);
    if (this.isRead() && this.lines(this.list).length) this.amend(added.length);
    else this.replace();
    this.dispatchEvent(new CustomEvent("read"));
  }

  isRead() {
    const held = this.section.matches(":hover") || this.list.contains(document.activeElement);
    return held || this.list.scrollTop > 0 || performance.now() - this.touched < TOUCHED_FOR;
  }

  lines(root) {
    return [...root.querySelectorAll("li.alert")];
  }

  added() {
    const there = new Set(this.lines(this.list).map((line) => line.id));
    return this.lines(this.fresh).filter((line) => !there.has(line.id));
  }

  amend(waiting) {
    for (const line of this.lines(this.list)) {
      const fresh = this.fresh.querySelector(`#${line.id}`);
      if (!fresh) line.dataset.state = "closed";
      else if (fresh.innerHTML !== line.innerHTML || fresh.dataset.state !== line.dataset.state) this.swap(line, fresh);
    }
    this.list.querySelector("ol").dataset.waiting = this.fresh.dataset.waiting;
    this.news.hidden = !waiting;
    this.news.textContent = waiting === 1 ? "Show 1 new alert" : `Show ${waiting} new alerts`;
    this.count(this.fresh);
  }

  swap(line, fresh) {
    const focused = line.contains(document.activeElement);
    const copy = fresh.cloneNode(true);
    const note = line.querySelector("[data-note]");
    if (!note.hidden) copy.querySelector("[data-note]").replaceWith(note);
    line.replaceWith(copy);
    if (focused) copy.querySelector("a").focus();
  }

  replace() {
    const focused = document.activeElement?.closest?.("li.alert")?.id;
    this.list.replaceChildren(this.fresh);
    this.fresh = null;
    this.news.hidden = true;
    if (focused) document.querySelector(`#${focused} a`)?.focus();
    this.count();
  }

  announce(added) {
    const asking = added.filter((line) => !("aside" in line.dataset));
    if (!asking.length) return;
    const names = asking.map((line) => `${line.querySelector(".sign .hidden").textContent}: ${line.querySelector("h3").textContent}`);
    this.section.querySelector("[data-announce]").textContent = `New alert, ${names.join("; ")}`;
  }

  count(root = this.list.querySelector("ol")) {
    this.section.querySelector("[data-alert-count]").textContent = this.lines(root).length;
    const waiting = Number(root.dataset.waiting);
    document.title = waiting ? `(${waiting}) ${this.title}` : this.title;
  }

  healths() {
    const root = this.fresh ?? this.list;
    return new Map(this.lines(root).map((line) => [Number(line.dataset.asset), line.dataset.health]));
  }

  async acknowledge(event) {
    const form = event.target;
    if (!form.dataset.acknowledge) return;
    event.preventDefault();
    const button = form.querySelector("button");
    button.disabled = true;
    const refusal = await this.post(form.dataset.acknowledge);
    if (refusal) this.note(form.closest("li"), refusal);
    button.disabled = false;
    this.read();
  }

  async post(url) {
    const headers = { "X-CSRFToken": this.csrf, "Content-Type": "application/json" };
    try {
      const answer = await fetch(url, { method: "POST", headers, body: "{}" });
      if (answer.ok) return "";
      const problem = await answer.json().catch(() => ({}));
      return problem.detail ?? "The server did not take it. Try again.";
    } catch {
      return "No connection to the server. Try again.";
    }
  }

  note(line, text) {
    const note = line.querySelector("[data-note]");
    note.textContent = text;
    note.hidden = false;
    this.section.querySelector("[data-announce]").textContent = text;
  }
}
