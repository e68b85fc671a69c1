// "Why this?": who found a result, what its score is made of, which items led to it, which words counted.

import { product as read, search } from "./api.js";
import { element } from "./dom.js";
import { openPanel } from "./panel.js";
import { say } from "./words.js";

const number = (value, digits = 3) => Number(value).toFixed(digits);

function bars(rows) {
  const most = Math.max(...rows.map(({ value }) => Math.abs(value)), 1e-9);
  return element("table", { class: "bars" }, element("tbody", {}, rows.map(({ name, value, note }) =>
    element("tr", {},
      element("th", { scope: "row" }, name, note && element("small", {}, note)),
      element("td", { class: "track" }, element("span", { class: value < 0 ? "bar against" : "bar", style: { "--begin": 0, "--length": Math.abs(value) / most } })),
      element("td", { class: "number" }, number(value))))));
}

function section(title, ...content) {
  return element("section", {}, element("h3", {}, title), content);
}

function found(sources) {
  return section(say("sources"), element("ul", {}, sources.map(({ source, rank, score }) =>
    element("li", {}, say(rank ? "found" : "foundUnranked", { source: say(source), n: rank, s: number(score ?? 0) })))));
}

function contributions(reasons, title) {
  const rows = reasons.map(({ source, contribution, text, category, features = [] }) => ({
    name: say(source.replace("RECOMMENDATION_SOURCE_", "")),
    value: contribution ?? 0,
    note: [text, category, ...features.map(({ name, value }) => `${name} ${number(value ?? 0, 2)}`)].filter(Boolean).join(" · "),
  }));
  return section(title, bars(rows));
}

async function history(reasons, place) {
  const ids = [...new Set(reasons.flatMap(({ productIds = [] }) => productIds))].slice(0, 5);
  if (!ids.length) return;
  const products = await Promise.allSettled(ids.map((id) => read(id)));
  place.append(section(say("history"), element("ul", {}, products.map(({ value }, index) =>
    element("li", {}, element("a", { href: `/?p=${encodeURIComponent(ids[index])}` }, value?.product.title ?? ids[index]))))));
}

function words(text, tokens) {
  const letters = Array.from(text);
  const most = Math.max(...tokens.map(({ attribution = 0 }) => Math.abs(attribution)), 1e-9);
  const parts = [];
  let done = 0;
  for (const { start = 0, end, attribution = 0 } of tokens) {
    parts.push(letters.slice(done, start).join(""));
    const title = number(attribution);
    const style = { "--strength": Math.abs(attribution) / most };
    parts.push(element("span", { class: attribution < 0 ? "word against" : "word", title, style }, letters.slice(start, end).join("")));
    done = end;
  }
  return element("p", { class: "words" }, parts, letters.slice(done).join(""));
}

function attributions(explanation, query) {
  return section(say("attributions"), element("p", { class: "note" }, say("attributionsNote")), words(query, explanation.queryTokens ?? []), words(explanation.text ?? "", explanation.textTokens ?? []));
}

/** Shows why `result` is there; `request` is the search that found it, nothing for a recommendation. */
export async function showWhy(result, request) {
  const body = openPanel(say("why"), element("p", { class: "lead" }, result.product.title));
  if (result.rankProbability !== undefined) body.append(element("p", {}, say("probability", { n: Math.round(result.rankProbability * 100) })));
  if (result.sources?.length) body.append(found(result.sources));
  if (result.reasons?.length) {
    // A search's order is the ranker's, to which taste adds; of a recommendation they are all of it.
    body.append(contributions(result.reasons, say(request ? "tasteAdds" : "contributions")));
    await history(result.reasons, body);
  }
  if (request?.query && result.position <= 10) {
    const waits = element("p", { class: "note", role: "status" }, say("waitExplain"));
    body.append(waits);
    try {
      const answer = await search({ ...request, facets: [], highlight: false, explain: true, pageSize: 10, pageToken: "" });
      const explained = answer.results?.find(({ product }) => product.id === result.product.id)?.explanation;
      waits.replaceWith(explained ? attributions(explained, answer.reading?.modelText || request.query) : element("p", { class: "note" }, say("noExplanation")));
    } catch (error) {
      waits.textContent = say("failed", { m: error.message });
    }
  }
}
