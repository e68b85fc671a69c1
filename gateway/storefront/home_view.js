// The first page, and the one that shows two visitors beside each other.

import { element } from "./dom.js";
import { showHow } from "./how.js";
import { shelf } from "./shelf.js";
import { visitors } from "./visitors.js";
import { say } from "./words.js";

const KNOWN_BY_NOTHING = new Set(["RECOMMENDATION_SOURCE_NEWEST", "RECOMMENDATION_SOURCE_POPULAR", "RECOMMENDATION_SOURCE_TRENDING", "RECOMMENDATION_SOURCE_FRESH", "RECOMMENDATION_SOURCE_AVAILABILITY"]);

/** A line for visitors of whom nothing led to the results. */
function unknown(results) {
  const known = results.some(({ reasons = [] }) => reasons.some(({ source }) => !KNOWN_BY_NOTHING.has(source)));
  return known ? "" : element("p", { class: "note" }, say("forYouNew"));
}

export function homeView(signal) {
  return element("div", { class: "home" },
    element("h1", { class: "hidden" }, say("title")),
    shelf(say("forYou"), "HOME", { size: 12, signal, note: unknown }),
    shelf(say("sponsoredShelf"), "ADS", { size: 3, signal }),
    element("p", {}, element("button", { type: "button", class: "quiet", onclick: () => showHow(["Recommend"]) }, say("how"))));
}

/** The first two visitors' shelves; nothing is told, since neither of them looks. */
export function compareView(signal) {
  const columns = visitors().slice(0, 2).map((visitor, index) => shelf(say("visitorN", { n: index + 1 }), "HOME", { size: 8, visitor, signal, note: unknown, quiet: true }));
  return element("div", { class: "compare" }, element("h1", {}, say("compare")), element("p", { class: "note" }, say("compareNote")), element("div", { class: "columns" }, columns));
}
