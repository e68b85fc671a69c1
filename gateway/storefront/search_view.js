// Results of a search: facets, order, endless pages.

import { search } from "./api.js";
import { card, grid, skeletons, tellShown } from "./card.js";
import { element } from "./dom.js";
import { tell } from "./events.js";
import { FACETS, facetGroups, filterOf } from "./facets.js";
import { failure } from "./failure.js";
import { showHow } from "./how.js";
import { shelf } from "./shelf.js";
import { currentVisitor } from "./visitors.js";
import { lacked, say } from "./words.js";

const PAGE = 24;
const ORDERS = ["relevance", "price", "price desc", "newest", "popularity"];

/** The view of `address` (URLSearchParams with q, the facets and order); `go(address)` leads elsewhere. */
export function searchView(address, go, signal) {
  const query = address.get("q") ?? "";
  const order = ORDERS.includes(address.get("order")) ? address.get("order") : "relevance";
  const request = { query, visitorId: currentVisitor(), pageSize: PAGE, filter: filterOf(address), orderBy: order, facets: FACETS, highlight: true };
  const changed = (change) => {
    const next = new URLSearchParams(address);
    change(next);
    go(`/?${next}`);
  };

  const list = grid(query);
  list.append(...skeletons(PAGE / 2));
  const count = element("h1", { role: "status" }, say("loading"));
  const notes = element("div", { class: "notes" });
  const failed = element("div", {});
  const sort = element("select", { id: "order" }, ORDERS.map((one) => element("option", { value: one, selected: one === order }, say(one))));
  sort.addEventListener("change", () => changed((next) => next.set("order", sort.value)));
  const facets = element("div", { class: "facets" });
  const clear = element("button", { type: "button", class: "quiet", onclick: () => go(`/?q=${encodeURIComponent(query)}`) }, say("clear"));
  const aside = element("details", { class: "filters", open: matchMedia("(min-width: 60rem)").matches }, element("summary", {}, say("filters")), facets, clear);
  const more = element("button", { type: "button", class: "more", hidden: true }, say("more"));
  const end = element("p", { class: "end", hidden: true }, say("end"));
  const how = element("button", { type: "button", class: "quiet", onclick: () => showHow(["Search"]) }, say("how"));
  const ads = query ? shelf(say("sponsoredShelf"), "ADS", { size: 3, signal }) : "";
  const results = element("div", { class: "results" },
    element("div", { class: "bar-line" }, count, element("label", { htmlFor: "order" }, say("sort"), sort), how), notes, list, failed, more, end, ads);

  let pageToken = "";
  let running = false;
  const next = async () => {
    if (running) return;
    running = true;
    more.disabled = true;
    const first = !pageToken;
    try {
      const answer = await search({ ...request, pageToken }, signal);
      const found = answer.results ?? [];
      const context = { request, attributionToken: answer.attributionToken, placement: "search" };
      const cards = found.map((result) => card(result, context));
      if (first) {
        list.replaceChildren(...cards);
        shown(answer);
      } else list.append(...cards);
      pageToken = answer.nextPageToken ?? "";
      more.hidden = !pageToken;
      end.hidden = Boolean(pageToken) || !list.children.length;
      failed.replaceChildren();
      if (found.length) tellShown(found, context);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (first) {
        list.replaceChildren();
        count.replaceChildren(query);
      }
      failed.replaceChildren(failure(error, next));
      // Not again by itself, however near the end is: a shop that is busy would be asked without a pause.
      return;
    } finally {
      running = false;
      more.disabled = false;
    }
    if (pageToken && nearEnd.seen) next();
  };
  const shown = (answer) => {
    const total = answer.totalSize ?? answer.results?.length ?? 0;
    count.replaceChildren(say("results", { n: Number(total).toLocaleString() }), query ? ` ${say("resultsShown", { q: query })}` : "");
    facets.replaceChildren(...facetGroups(answer.facets ?? [], address, (key, value, on) => changed((to) => (on ? to.append(key, value) : to.delete(key, value)))));
    const corrected = answer.reading?.correctedQuery;
    notes.replaceChildren(
      ...(corrected ? [element("p", {}, say("corrected", { q: corrected }))] : []),
      ...(answer.degradations?.length ? [element("p", { class: "degraded", role: "status" }, lacked(answer.degradations))] : []),
      ...(answer.results?.length ? [] : [element("p", { class: "none" }, say("none"))]),
    );
    if (query) tell("SEARCH", { query, attributionToken: answer.attributionToken, placement: "search" });
  };

  const nearEnd = { seen: false };
  const watch = new IntersectionObserver(([entry]) => {
    nearEnd.seen = entry.isIntersecting;
    if (entry.isIntersecting && pageToken && !failed.hasChildNodes()) next();
  }, { rootMargin: "600px" });
  watch.observe(more);
  signal.addEventListener("abort", () => watch.disconnect());
  more.addEventListener("click", next);
  next();
  return element("div", { class: "searching" }, aside, results);
}
