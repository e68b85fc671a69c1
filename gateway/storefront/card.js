// A product in a list, and lists of them.

import { element, marked } from "./dom.js";
import { eventProduct, tell } from "./events.js";
import { picture } from "./picture.js";
import { showWhy } from "./why.js";
import { money, say } from "./words.js";

export const productAddress = (id) => `/?p=${encodeURIComponent(id)}`;

/** The price, the one before, and whether the product can be had. */
export function offer(product) {
  const before = product.originalPrice && money({ ...product, price: product.originalPrice });
  const state = product.availability?.replace("AVAILABILITY_", "").toLowerCase();
  return element("p", { class: "offer" },
    element("span", { class: "price" }, money(product)),
    before && element("s", {}, before),
    state && state !== "in_stock" && element("span", { class: "state" }, say(state)));
}

/** A result of a search or a recommendation; `context`: {request, attributionToken, placement}. */
export function card(result, context) {
  const { product, ad } = result;
  const title = result.highlights?.find(({ field }) => field === "title");
  const clicked = () => {
    const fields = { products: [eventProduct(product, result.position)], placement: context.placement };
    if (ad) tell("AD_CLICK", { ...fields, attributionToken: ad.adToken });
    else tell("SELECT_ITEM", { ...fields, attributionToken: context.attributionToken, ...(context.request?.query ? { query: context.request.query } : {}) });
  };
  return element("li", { class: "card" },
    element("a", { href: productAddress(product.id), onclick: clicked },
      picture(product),
      element("h3", { lang: product.language }, title ? marked(title.text, title.spans) : product.title)),
    element("p", { class: "brand" }, ad && element("span", { class: "ad" }, say("sponsored")), product.brand),
    offer(product),
    element("button", { type: "button", class: "why", onclick: () => showWhy(result, context.request), "aria-label": `${say("why")} ${product.title}` }, say("why")));
}

export function grid(label) {
  return element("ul", { class: "grid", "aria-label": label });
}

/** Places that hold the page's shape while an answer is on its way. */
export function skeletons(count) {
  return Array.from({ length: count }, () => element("li", { class: "card skeleton", "aria-hidden": "true" }, element("div", { class: "picture" }), element("p"), element("p")));
}

/** What was shown, told once the list is there; ads are told one by one, as each pays for itself. */
export function tellShown(results, context) {
  const own = results.filter(({ ad }) => !ad);
  if (own.length) tell("VIEW_ITEM_LIST", { products: own.map(({ product, position }) => eventProduct(product, position)), attributionToken: context.attributionToken, placement: context.placement });
  for (const { product, position, ad } of results) if (ad) tell("AD_IMPRESSION", { products: [eventProduct(product, position)], attributionToken: ad.adToken, placement: context.placement });
}
