// What visitors search for, do not find, and find far down.

import { call } from "./api.js";
import { element } from "./dom.js";
import { moment, number, percent } from "./format.js";
import { table } from "./table.js";
import { say } from "./words.js";

const column = (name, text = false) => ({ name: say(name), text });

/** The tables; `load()` reads them anew. With `shop` a query leads to what it finds. */
export function queryTables(shop) {
  const linked = (query) => (shop ? element("a", { href: `/?q=${encodeURIComponent(query)}` }, query) : query);
  const top = table(say("topQueries"), [column("query", true), column("searches"), column("noResultsShare"), column("noWordsShare")], { empty: say("noQueries"), note: say("fading") });
  const without = table(say("noResults"), [column("query", true), column("times"), column("searches")], { empty: say("noneWithout") });
  const meaning = table(say("noWords"), [column("query", true), column("times"), column("searches")], { empty: say("noneByMeaning"), note: say("noWordsNote") });
  const clicks = table(say("worstClicks"), [column("query", true), column("clicks"), column("meanPosition"), column("worstPosition"), column("product", true)], { empty: say("noClicks"), note: say("worstClicksNote") });
  const since = element("p", { class: "note" });
  clicks.root.append(since);

  async function filled(target, method, message, rows) {
    try {
      target.fill(rows(await call(method, message)));
    } catch (error) {
      // Whether a key is missing the overview says; here it is what is kept that is away.
      if (!error.needsKey) target.say(error.message);
    }
  }
  const list = (target, orderBy, row) => filled(target, "OpsService/ListQueries", { orderBy: `QUERY_ORDER_${orderBy}` }, ({ queries = [] }) => queries.map(row));
  return {
    roots: [top, without, meaning, clicks].map(({ root }) => root),
    load: () => Promise.all([
      list(top, "SEARCHES", ({ query, searches, noResults = 0, noWords = 0 }) => [linked(query), number(searches), percent(noResults / searches), percent(noWords / searches)]),
      list(without, "NO_RESULTS", ({ query, searches, noResults }) => [linked(query), number(noResults), number(searches)]),
      list(meaning, "NO_WORDS", ({ query, searches, noWords }) => [linked(query), number(noWords), number(searches)]),
      filled(clicks, "OpsService/ListWorstRankedClicks", {}, ({ queries = [], eventsRead = 0, since: from }) => {
        since.textContent = from ? say("ofEvents", { n: number(eventsRead, 0), t: moment(from) }) : "";
        return queries.map(({ query, clicks: count, meanPosition, worstPosition, worstProductId }) =>
          [linked(query), number(count, 0), number(meanPosition), number(worstPosition, 0), shop ? element("a", { href: `/?p=${encodeURIComponent(worstProductId)}` }, worstProductId) : worstProductId]);
      }),
    ]),
  };
}
