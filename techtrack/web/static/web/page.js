// Joins the parts of a page: the live client feeds the cards, the sparklines, the chart and the alerts.

import { AlertPanel } from "./alerts.js";
import { Cards } from "./cards.js";
import { shortenMoments } from "./format.js";
import { LiveClient, pageTicket } from "./live.js";
import { Sparks } from "./sparks.js";

const LINK = {
  connecting: "Connecting",
  live: "Live",
  lost: "Reconnecting",
  refused: "Not allowed",
  ended: "Logged out",
};

shortenMoments(document);

const topics = document.body.dataset.topics?.split(" ");
if (topics) {
  const csrf = document.querySelector("meta[name=csrf-token]").content;
  const live = new LiveClient({ topics, ticket: pageTicket(csrf) });
  const cards = new Cards(document);
  const sparks = new Sparks(document);
  const panel = new AlertPanel(document.querySelector("[data-alerts]"), csrf);
  const link = document.querySelector("[data-link]");

  let gap = false;

  cards.addEventListener("renewed", ({ detail }) => sparks.adopt(detail));
  live.addEventListener("state", ({ detail }) => {
    gap ||= detail === "lost";
    link.hidden = false;
    link.dataset.link = detail;
    link.querySelector("[data-link-text]").textContent = LINK[detail];
    if (detail === "ended") location.reload();
  });
  live.addEventListener("reading", ({ detail }) => {
    cards.take(detail);
    sparks.take(detail);
    document.dispatchEvent(new CustomEvent("reading", { detail }));
  });
  live.addEventListener("alert", () => panel.refresh());
  // The page is older than the subscription: what happened in between is read once.
  live.addEventListener("subscribed", () => {
    panel.refresh();
    if (gap) cards.renew();
    gap = false;
  });
  panel.addEventListener("read", () => cards.setHealth(panel.healths(), true));
  live.start();
}
