// The live client: one WebSocket to /ws/live/ that comes back by itself, goes on where it was, and tells nothing twice.
// It stands alone: pages elsewhere may copy this file (their origin must be one of CSRF_TRUSTED_ORIGINS).
//
//   const live = new LiveClient({ topics: ["alerts", "readings"], ticket: pageTicket(csrf) });
//   live.addEventListener("reading", (event) => event.detail.values);
//   live.start();
//
// Events, each with the server's frame in `detail`: reading, alert, task, delivery, subscribed (with the snapshot, after
// each connection), resync (what was missed is no longer kept: begin again from the snapshot of the subscribed that
// follows), refused (the server's "error"); and state, whose detail is "connecting", "live" (all that was missed has been
// told), "lost", "refused" (the topics are not for us) or "ended" (the session is over). The last two stay so.

const PROTOCOL = "techtrack.v1";
const SUBSCRIPTION = "a";
// Why the server closes for good: it does not know, or no longer knows, who this is; or the socket is not for us.
const UNKNOWN = 4401;
const NOT_ALLOWED = 4403;
// A ticket may have grown too old on the way, while the machine slept: others are tried, and then it is believed.
const TRIES = 3;
// Parts of a heartbeat: a silent line is asked, and given up when it does not answer. At 20 s it is found dead in 23.
const ASK = 0.75;
const ANSWER = 0.4;

/** What a `ticket` function throws when there will never be another one. */
export class Ended extends Error {}

/** Tickets of the session of this page, from the server that it came from. */
export function pageTicket(csrf, url = "/api/live/ticket/") {
  return async (signal) => {
    const answer = await fetch(url, { method: "POST", headers: { "X-CSRFToken": csrf }, signal });
    if (answer.status === 401 || answer.status === 403) throw new Ended("the session is over");
    if (!answer.ok) throw new Error(`no ticket: ${answer.status}`);
    return (await answer.json()).ticket;
  };
}

export class LiveClient extends EventTarget {
  // `ticket` gets a new ticket for each connection: it lives 30 s and opens one, so that no lasting secret is ever in a
  // message or an address. It is given an AbortSignal. `since` is the number of the last event that was handled. Times are in milliseconds.
  constructor({ topics, ticket, url = "/ws/live/", since = null, heartbeat = 20_000, firstWait = 500, longestWait = 30_000 }) {
    super();
    this.topics = topics;
    this.ticket = ticket;
    this.url = new URL(url, location.href.replace(/^http/, "ws"));
    this.since = since;
    this.heartbeat = heartbeat;
    this.firstWait = firstWait;
    this.longestWait = longestWait;
    this.failures = 0;
    this.attempt = 0;
    this.missed = 0;
    this.hurry = () => this.state === "lost" && this.connect();
  }

  start() {
    addEventListener("online", this.hurry);
    this.connect();
  }

  stop() {
    this.attempt += 1;
    clearTimeout(this.timer);
    removeEventListener("online", this.hurry);
    this.hangUp();
  }

  async connect() {
    this.attempt += 1;
    const attempt = this.attempt;
    clearTimeout(this.timer);
    this.become("connecting");
    let ticket, failure;
    try {
      ticket = await this.within(this.heartbeat, this.ticket);
    } catch (error) {
      failure = error;
    }
    // Somebody may have stopped it meanwhile, or begun anew.
    if (attempt !== this.attempt) return;
    if (failure instanceof Ended) this.finish("ended");
    else if (failure) this.lose();
    else this.open(ticket);
  }

  // On a dead line an answer would never come.
  within(time, ask) {
    const signal = AbortSignal.timeout(time);
    const late = new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    return Promise.race([ask(signal), late]);
  }

  open(ticket) {
    const socket = new WebSocket(this.url, [PROTOCOL]);
    this.socket = socket;
    this.subscribed = false;
    // What was given up may still say something, much later.
    const hear = (name, handle) => socket.addEventListener(name, (event) => socket === this.socket && handle(event));
    hear("open", () => {
      this.send({ type: "authenticate", ticket });
      this.send({ type: "subscribe", id: SUBSCRIPTION, topics: this.topics, ...(this.since === null ? {} : { since: this.since }) });
    });
    hear("message", (event) => this.receive(JSON.parse(event.data)));
    hear("close", (event) => this.closed(event.code));
    this.watch();
  }

  closed(code) {
    if (code === NOT_ALLOWED) this.finish("refused");
    else if (code === UNKNOWN && (this.subscribed || this.failures >= TRIES)) this.finish("ended");
    else this.lose();
  }

  receive(frame) {
    this.watch();
    switch (frame.type) {
      case "heartbeat":
      case "pong":
        return;
      case "subscribed":
        this.resume(frame);
        break;
      case "resync":
        this.since = null;
        this.tell("resync", frame);
        break;
      case "error":
        this.tell("refused", frame);
        if (frame.id === SUBSCRIPTION && !this.subscribed) this.finish("refused");
        break;
      default:
        if (this.isNew(frame)) this.tell(frame.type, frame);
        this.count(frame);
    }
  }

  resume(frame) {
    this.failures = 0;
    this.subscribed = true;
    this.until = frame.sequence;
    // Until what was missed has been told, a new connection must begin before it.
    this.missed = frame.missed ?? 0;
    this.tell("subscribed", frame);
    if (!this.missed) this.catchUp();
  }

  isNew({ sequence }) {
    if (sequence === undefined) return true;
    if (this.since !== null && sequence <= this.since) return false;
    this.since = sequence;
    return true;
  }

  count({ sequence }) {
    if (sequence === undefined || !this.missed) return;
    this.missed -= 1;
    if (!this.missed) this.catchUp();
  }

  catchUp() {
    this.since = Math.max(this.since ?? 0, this.until);
    this.become("live");
  }

  watch() {
    clearTimeout(this.watchdog);
    this.watchdog = setTimeout(() => {
      if (this.socket.readyState === WebSocket.OPEN) this.send({ type: "ping" });
      this.watchdog = setTimeout(() => this.lose(), this.heartbeat * ANSWER);
    }, this.heartbeat * ASK);
  }

  lose() {
    this.hangUp();
    this.become("lost");
    const wait = Math.min(this.longestWait, this.firstWait * 2 ** this.failures);
    this.failures += 1;
    // Half of it is chance: after an outage a hundred screens do not come back in the same moment.
    this.timer = setTimeout(() => this.connect(), wait * (0.5 + Math.random() / 2));
  }

  finish(state) {
    this.stop();
    this.become(state);
  }

  hangUp() {
    clearTimeout(this.watchdog);
    const socket = this.socket;
    // First: a dead line may take long to close, and is nobody's any more.
    this.socket = null;
    socket?.close(1000);
  }

  send(message) {
    this.socket.send(JSON.stringify(message));
  }

  become(state) {
    this.state = state;
    this.tell("state", state);
  }

  tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
