// How numbers, ages and moments are written; web/domain/display.py writes them in the same way.

export const zone = document.documentElement.dataset.zone || "UTC";

export function decimals(value) {
  const size = Math.abs(value);
  if (size >= 1000) return 0;
  if (size >= 100) return 1;
  return size >= 1 ? 2 : 3;
}

export function number(value, { precision = "", labels = "" } = {}) {
  if (value === null || !Number.isFinite(value)) return "–";
  const name = labels && JSON.parse(labels)[value];
  return name || value.toFixed(precision === "" ? decimals(value) : Number(precision));
}

export function age(seconds) {
  if (seconds >= 172_800) return `${Math.floor(seconds / 86_400)} days`;
  if (seconds >= 3600) return `${Math.floor(seconds / 3600)} h`;
  if (seconds >= 60) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds)} s`;
}

const day = new Intl.DateTimeFormat("en-GB", { timeZone: zone, day: "numeric", month: "short" });
const dayOfYear = new Intl.DateTimeFormat("en-GB", { timeZone: zone, day: "numeric", month: "short", year: "numeric" });
const clock = new Intl.DateTimeFormat("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit", second: "2-digit" });
const full = new Intl.DateTimeFormat("en-GB", { timeZone: zone, dateStyle: "full", timeStyle: "long" });

// The time alone today, with its day this year, with its year before that.
export function moment(at) {
  const today = new Date();
  if (dayOfYear.format(at) === dayOfYear.format(today)) return clock.format(at);
  const date = at.getFullYear() === today.getFullYear() ? day : dayOfYear;
  return `${date.format(at)}, ${clock.format(at).slice(0, 5)}`;
}

export function shortenMoments(root) {
  for (const element of root.querySelectorAll("time[data-moment]")) {
    const at = new Date(element.dateTime);
    element.textContent = moment(at);
    element.title = full.format(at);
    element.removeAttribute("data-moment");
  }
}
