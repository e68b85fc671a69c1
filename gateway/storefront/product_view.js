// A product's page: what it is, what is like it, what goes with it, and what buyers say.

import { product as read, recommend } from "./api.js";
import { offer } from "./card.js";
import { element } from "./dom.js";
import { eventProduct, tell } from "./events.js";
import { failure } from "./failure.js";
import { showHow } from "./how.js";
import { picture } from "./picture.js";
import { shelf } from "./shelf.js";
import { currentVisitor } from "./visitors.js";
import { say } from "./words.js";

function stars(rating) {
  return element("span", { class: "stars", role: "img", "aria-label": `${rating} / 5` }, "★".repeat(Math.round(rating)) + "☆".repeat(5 - Math.round(rating)));
}

async function reviews(id, signal) {
  const message = { placement: "PLACEMENT_CONTENT", productIds: [id], visitorId: currentVisitor(), pageSize: 6 };
  const { results = [] } = await recommend(message, signal);
  const list = results.map(({ product }) =>
    element("li", { lang: product.language }, product.rating && stars(product.rating), product.title && element("h3", {}, product.title), element("p", {}, product.description)));
  return reviewSection(list.length ? element("ul", {}, list) : element("p", {}, say("noReviews")));
}

function reviewSection(content) {
  return element("section", { class: "reviews" }, element("h2", {}, say("reviews")), content);
}

/** An act that is told as an event, and says so once it is durable. */
function act(label, done, type, product, further = () => ({})) {
  const button = element("button", { type: "button" }, say(label));
  button.addEventListener("click", async () => {
    const fields = { products: [eventProduct(product)], placement: "product", ...(product.currencyCode ? { currencyCode: product.currencyCode } : {}), ...further() };
    if (await tell(type, fields)) button.textContent = say(done);
  });
  return button;
}

function details(product) {
  const rows = Object.entries(product.attributes ?? {}).map(([name, { text = [], numbers = [] }]) => [name.replaceAll("_", " "), [...text, ...numbers].join(", ")]);
  return rows.length ? [element("h2", { lang: document.documentElement.lang }, say("details")), element("dl", {}, rows.map(([name, value]) => [element("dt", {}, name), element("dd", {}, value)]))] : [];
}

export function productView(id, signal) {
  const view = element("div", { class: "product", "aria-busy": "true" }, element("div", { class: "skeleton" }, element("div", { class: "picture" })));
  const shown = async () => {
    const { product } = await read(id, signal);
    document.title = `${product.title} · Vitrine`;
    const path = product.categories?.[0];
    const similar = shelf(say("similar"), "SIMILAR", { productIds: [id], signal });
    view.replaceChildren(
      element("article", { lang: product.language },
        picture(product),
        element("div", {},
          path && element("p", { class: "path", lang: product.language }, element("a", { href: `/?q=${encodeURIComponent(path.split(" > ").at(-1))}&categories=${encodeURIComponent(path)}` }, path)),
          element("h1", {}, product.title), element("p", { class: "brand" }, product.brand), offer(product),
          element("p", { class: "acts", lang: document.documentElement.lang },
            act("addToCart", "added", "ADD_TO_CART", product),
            act("buy", "bought", "PURCHASE", product, () => ({ transactionId: `web-${Date.now()}` })),
            element("button", { type: "button", class: "quiet", onclick: () => showHow(["GetProduct", "Recommend", "WriteUserEvents"]) }, say("how"))),
          element("p", { class: "description" }, product.description), details(product))),
      similar,
      shelf(say("goesWith"), "COMPLEMENTARY", { productIds: [id], without: similar.ready, signal }));
    view.removeAttribute("aria-busy");
    reviews(id, signal).then((section) => view.append(section), (error) => {
      if (error.name !== "AbortError") view.append(reviewSection(element("p", { class: "degraded", role: "status" }, say("partFailed"))));
    });
    await tell("VIEW_ITEM", { products: [eventProduct(product)], placement: "product", ...(product.currencyCode ? { currencyCode: product.currencyCode } : {}) });
    if (!signal.aborted) view.append(shelf(say("forYou"), "HOME", { signal }));
  };
  const open = () => shown().catch((error) => {
    if (error.name === "AbortError") return;
    view.removeAttribute("aria-busy");
    view.replaceChildren(error.code === "not_found" ? element("p", { class: "none" }, say("notFound")) : failure(error, open));
  });
  open();
  return view;
}
