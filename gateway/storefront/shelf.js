// A shelf of recommendations.

import { recommend } from "./api.js";
import { card, grid, skeletons, tellShown } from "./card.js";
import { element } from "./dom.js";
import { currentVisitor } from "./visitors.js";
import { lacked, say } from "./words.js";

/**
 * A section that fills itself; it goes where nothing is to be shown, and says so where a part is away. `ready` resolves
 * to the products in it; those of `without` are left out.
 */
export function shelf(title, placement, { productIds = [], without = [], size = 6, visitor = currentVisitor(), signal, note, quiet = false } = {}) {
  const list = grid(title);
  list.append(...skeletons(size));
  const section = element("section", { class: "shelf", "aria-busy": "true", "data-placement": placement }, element("h2", {}, title), list);
  const filled = async () => {
    const message = { placement: `PLACEMENT_${placement}`, visitorId: visitor, productIds, excludeProductIds: await without, pageSize: size, explain: true };
    const answer = await recommend(message, signal);
    const results = answer.results ?? [];
    const context = { attributionToken: answer.attributionToken, placement: placement.toLowerCase() };
    list.replaceChildren(...results.map((result) => card(result, context)));
    section.removeAttribute("aria-busy");
    if (!results.length) section.remove();
    if (answer.degradations?.length) section.append(element("p", { class: "degraded", role: "status" }, lacked(answer.degradations)));
    if (note) section.append(note(results));
    if (!quiet && results.length) tellShown(results, context);
    return results.map(({ product }) => product.id);
  };
  section.ready = filled().catch((error) => {
    if (error.name === "AbortError") return [];
    list.replaceChildren();
    section.removeAttribute("aria-busy");
    section.append(element("p", { class: "degraded", role: "status" }, say("partFailed")));
    return [];
  });
  return section;
}
