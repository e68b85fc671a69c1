// Facets: what is chosen is in the page's address, and becomes the search's filter.

import { element } from "./dom.js";
import { say } from "./words.js";

const BOUNDS = [50, 100, 200, 500, 1000];
export const FACETS = [
  { key: "categories", limit: 12, ignoreOwnFilter: true },
  { key: "brand", limit: 8, ignoreOwnFilter: true },
  { key: "price", bounds: BOUNDS, ignoreOwnFilter: true },
  { key: "availability", ignoreOwnFilter: true },
  { key: "language", ignoreOwnFilter: true },
];
const NAMES = { categories: "categories", brand: "brand", price: "priceFacet", availability: "availability", language: "languageFacet" };

/** The filter of an address's choices; the bounds of a price are low <= price < high. */
export function filterOf(address) {
  const all = (key) => address.getAll(key);
  const filter = {};
  if (all("categories").length) filter.categories = all("categories");
  if (all("brand").length) filter.brands = all("brand");
  if (all("availability").length) filter.availabilities = all("availability").map((value) => `AVAILABILITY_${value.toUpperCase()}`);
  if (all("language").length) filter.languages = all("language");
  const prices = all("price").map((range) => {
    const [low, high] = range.split("-");
    return [low && `price >= ${Number(low)}`, high && `price < ${Number(high)}`].filter(Boolean).join(" AND ");
  });
  if (prices.length) filter.expression = prices.map((one) => `(${one})`).join(" OR ");
  return filter;
}

function choiceOf(key, { value, low, high }) {
  if (key !== "price") return { value, label: key === "categories" ? value : say(value) };
  const label = low === undefined ? `< ${high}` : high === undefined ? `≥ ${low}` : `${low} – ${high}`;
  return { value: `${low ?? ""}-${high ?? ""}`, label };
}

/** The facets as groups of checkboxes; `choose(key, value, on)` is told of each change. */
export function facetGroups(facets, address, choose) {
  return facets.filter(({ values = [] }) => values.length).map(({ key, values }) =>
    element("fieldset", {}, element("legend", {}, say(NAMES[key])), values.map((one) => {
      const { value, label } = choiceOf(key, one);
      const box = element("input", { type: "checkbox", name: key, value, checked: address.getAll(key).includes(value) });
      box.addEventListener("change", () => choose(key, value, box.checked));
      return element("label", {}, box, element("span", {}, label), element("small", {}, one.count ?? "0"));
    })));
}
