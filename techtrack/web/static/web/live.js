// The live client: one WebSocket to /ws/live/ that comes back by itself and resumes where it was.
//
//   const live = new LiveClient({ topics: ["alerts", "readings"], csrf });
//   live.addEventListener("reading", (event) => event.detail.values);
//   live.start();
//
// Events, each with the server's frame in `detail`: reading, alert, subscribed, resync, refused (the server's "error");
// and state, whose detail is "connecting", "live", "lost" or "ended" (the session is over; it stays so).

const PROTOCOL = "techtrack.v1";
const SUBSCRIPTION = "a";
const SESSION_ENDED = 4401;
// The server's heart beats every 20 s: two beats missed and a little more is a dead line.
const SILENCE = 45_000;
const FIRST_WAIT = 500;
const LONGEST_WAIT = 30_000;

export class LiveClient extends EventTarget {
  constructor({ topics, csrf, url = "/ws/live/", ticketUrl = "/api/live/ticket/" }) {
    super();
    this.topics = topics;
    this.csrf = csrf;
    this.url = new URL(url, location.href.replace(/^http/, "ws"));
    this.ticketUrl = ticketUrl;
    this.since = null;
    this.failures = 0;
    this.stopped = false;
  }

  start() {
    this.stopped = false;
    this.connect();
    addEventListener("online", () => this.hurry());
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
    clearTimeout(this.watchdog);
    this.socket?.close(1000);
  }

  async connect() {
    this.tell("state", "connecting");
    const ticket = await this.ticket();
    if (ticket && !this.stopped) this.open(ticket);
  }

  // A ticket is for one connection and lives 30 s, so that no lasting secret is ever in a message or an address.
  async ticket() {
    try {
      const answer = await fetch(this.ticketUrl, { method: "POST", headers: { "X-CSRFToken": this.csrf } });
      if (answer.ok) return (await answer.json()).ticket;
      if (answer.status === 401 || answer.status === 403) this.end();
      else this.retry();
    } catch {
      this.retry();
    }
    return null;
  }

  open(ticket) {
    const socket = new WebSocket(this.url, [PROTOCOL]);
    this.socket = socket;
    socket.addEventListener("open", () => {
      this.send({ type: "authenticate", ticket });
      this.subscribe();
      this.expectFrame();
    });
    socket.addEventListener("message", (event) => this.receive(JSON.parse(event.data)));
    socket.addEventListener("close", (event) => {
      clearTimeout(this.watchdog);
      if (event.code === SESSION_ENDED) this.end();
      else if (!this.stopped) this.retry();
    });
  }

  subscribe() {
    const since = this.since === null ? {} : { since: this.since };
    this.send({ type: "subscribe", id: SUBSCRIPTION, topics: this.topics, ...since });
  }

  receive(frame) {
    this.expectFrame();
    if (Number.isInteger(frame.sequence)) this.since = Math.max(this.since ?? 0, frame.sequence);
    switch (frame.type) {
      case "subscribed":
        this.failures = 0;
        this.tell("state", "live");
        this.tell("subscribed", frame);
        break;
      case "resync":
        // What happened meanwhile is no longer kept: whoever listens reads everything again. "subscribed" follows.
        this.since = null;
        this.tell("resync", frame);
        break;
      case "error":
        this.tell("refused", frame);
        break;
      case "heartbeat":
        break;
      default:
        this.tell(frame.type, frame);
    }
  }

  expectFrame() {
    clearTimeout(this.watchdog);
    this.watchdog = setTimeout(() => this.socket.close(4000, "silent"), SILENCE);
  }

  retry() {
    this.tell("state", "lost");
    const wait = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** this.failures);
    this.failures += 1;
    // Half of it is chance: after an outage a hundred screens do not come back in the same moment.
    this.timer = setTimeout(() => this.connect(), wait * (0.5 + Math.random() / 2));
  }

  hurry() {
    if (this.stopped || this.socket?.readyState === WebSocket.OPEN) return;
    clearTimeout(this.timer);
    this.connect();
  }

  end() {
    this.stop();
    this.tell("state", "ended");
  }

  send(message) {
    this.socket.send(JSON.stringify(message));
  }

  tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, { detail }));
  }
}
