// The figures of GetOverview: the strip of the most important ones, and a table for each kind.

import { buckets, line } from "./chart.js";
import { element } from "./dom.js";
import { bytes, number, percent, span, time } from "./format.js";
import { table } from "./table.js";
import { say } from "./words.js";

const KEPT = 100;
// What the strip's lines are drawn from: this page's readings, newest last.
const readings = [];

// Without the calls that this page makes: where nobody shops, they would be all that is seen.
const methodsOf = ({ methods = [] }) => methods.filter(({ method }) => !method.includes("OpsService/"));
const sum = (values) => values.reduce((total, value) => total + (value ?? 0), 0);
const rateOf = (overview, method) => sum(methodsOf(overview).filter((one) => one.method === `/vitrine.v1.${method}`).map((one) => one.perSecond));
const searchTime = (overview) => methodsOf(overview).find(({ method }) => method === "/vitrine.v1.SearchService/Search")?.latencyS;
const shareOf = (overview, cache, tier) => (overview.caches ?? []).find((one) => one.cache === cache && one.tier === tier)?.share;

function failedShare(overview) {
  const methods = methodsOf(overview);
  const all = sum(methods.map(({ perSecond }) => perSecond));
  return all ? sum(methods.map(({ perSecond, failedShare: share = 0 }) => perSecond * share)) / all : 0;
}

function lowestRecall({ indexes = [] }) {
  const known = indexes.map(({ recall }) => recall).filter((recall) => recall !== undefined);
  return known.length ? Math.min(...known) : undefined;
}

// Each: name, value, how it is said, and whether it calls for somebody.
const STRIP = [
  ["searchRate", (o) => rateOf(o, "SearchService/Search"), number],
  ["recommendationRate", (o) => rateOf(o, "RecommendationService/Recommend"), number],
  ["searchHalf", (o) => searchTime(o)?.p50, time],
  ["searchMost", (o) => searchTime(o)?.p99, time],
  ["failedShare", failedShare, percent, (value) => value > 0.001],
  ["lacking", (o) => sum((o.degradations ?? []).filter(({ of }) => of === "search" || of === "recommendation").map(({ perSecond }) => perSecond)), (value) => number(value, 2), (value) => value > 0],
  ["answersKept", (o) => shareOf(o, "answers", "process"), percent],
  ["recall", lowestRecall, (value) => number(value, 3), (value, o) => (o.indexes ?? []).some(({ recall, recallFloor = 0 }) => recall < recallFloor)],
];

/** The strip; `show(overview)` fills it and adds a point to each line. */
export function strip() {
  const root = element("ul", { class: "strip", "aria-label": say("now") });
  return {
    root,
    show(overview) {
      readings.push(overview);
      if (readings.length > KEPT) readings.shift();
      root.replaceChildren(...STRIP.map(([name, value, said, alarming]) => {
        const now = value(overview);
        const words = now === undefined ? "–" : said(now);
        const calls = now !== undefined && alarming?.(now, overview);
        const values = readings.map(value).filter((one) => one !== undefined);
        return element("li", { class: calls ? "calls" : "", "data-figure": name },
          element("span", {}, say(name)), element("strong", {}, words, calls && element("span", { class: "hidden" }, ` ${say("look")}`)), line(values, `${say(name)}: ${say("lately")}`));
      }));
    },
  };
}

const drawn = (distribution, name) => distribution && buckets(distribution, say("shape", { what: name, half: time(distribution.p50), most: time(distribution.p99) }), time);
const times = (distribution) => [distribution ? time(distribution.p50) : "", distribution ? time(distribution.p99) : ""];
const alarm = (words) => element("span", { class: "alarm" }, words);
const column = (name, text = false) => ({ name: name && say(name), text });

/** All tables, in the order of the page; `show(overview)` fills them. */
export function tables() {
  const calls = table(say("calls"), [column("method", true), column("perSecond"), column("half"), column("nine"), column("most"), column("distribution", true), column("failedShare"), column("codes", true)], { empty: say("noCalls"), note: say("callsNote"), wide: true });
  const lacking = table(say("degradations"), [column("of", true), column("kind", true), column("perSecond"), column("sinceStart")], { empty: say("noDegradations") });
  const models = table(say("models"), [column("model", true), column("runs"), column("items"), column("runTime"), column("liveHalf"), column("liveMost"), column("waits", true), column("bulkMost"), column("waiting")], { empty: say("noModels"), wide: true });
  const caches = table(say("caches"), [column("cache", true), column("tier", true), column("share"), column("perSecond")], { empty: say("noCaches") });
  const stages = table(say("stages"), [column("of", true), column("stage", true), column("perSecond"), column("half"), column("most"), column("distribution", true)], { empty: say("noStages") });
  const indexes = table(say("indexes"), [column("address", true), column("products"), column("revision"), column("memory"), column("recallProbe"), column("floor"), column("alerts")], { empty: say("noIndexes") });
  const processes = table(say("processes"), [column("address", true), column("serves", true), column("well", true), column("memory"), column("processor"), column("inFlight"), column("upFor")], { empty: say("noProcesses") });
  return {
    roots: [calls, lacking, caches, models, stages, indexes, processes].map(({ root }) => root),
    show(overview) {
      const now = Date.parse(overview.time) / 1000;
      calls.fill(methodsOf(overview).map(({ method, perSecond, latencyS, failedShare: failed, codes = [] }) => {
        const name = method.replace("/vitrine.v1.", "");
        const others = codes.filter(({ code }) => code !== "OK").map(({ code, perSecond: rate }) => `${code} ${percent(rate / perSecond)}`);
        return [name, number(perSecond, 2), latencyS ? time(latencyS.p50) : "", latencyS ? time(latencyS.p90) : "", latencyS ? time(latencyS.p99) : "", drawn(latencyS, name), failed ? alarm(percent(failed)) : percent(0), others.join(", ")];
      }));
      lacking.fill((overview.degradations ?? []).map(({ of, kind, perSecond, total }) => [say(`of_${of}`), say(kind), perSecond ? alarm(number(perSecond, 2)) : "0", number(total, 0)]));
      models.fill((overview.models ?? []).map(({ model, batchItems, runS, liveWaitS, bulkWaitS, waitingTokens }) =>
        [say(`model_${model}`), number(batchItems?.perSecond, 2), batchItems ? number(batchItems.mean) : "", runS ? time(runS.p50) : "", ...times(liveWaitS), drawn(liveWaitS, say("waits")), bulkWaitS ? time(bulkWaitS.p99) : "", say("tokens", { n: number(waitingTokens, 0) })]));
      const redis = overview.redisWaitS ? [[say("redisWait"), overview.redisLeftAlone ? alarm(say("leftAlone")) : say("mostIn", { t: time(overview.redisWaitS.p99) }), "", number(overview.redisWaitS.perSecond, 2)]] : [];
      caches.fill([...(overview.caches ?? []).map(({ cache, tier, share, perSecond }) => [say(cache), say(`tier_${tier}`), percent(share), number(perSecond, 2)]), ...redis]);
      stages.fill((overview.stages ?? []).map(({ of, stage, latencyS }) => [say(`of_${of}`), stage, number(latencyS.perSecond, 2), ...times(latencyS), drawn(latencyS, stage)]));
      indexes.fill((overview.indexes ?? []).map(({ address, products, revision, memoryBytes, recall, recallFloor = 0, alerts }) =>
        [address, number(products, 0), number(revision, 0), bytes(memoryBytes), recall === undefined ? say("notYet") : recall < recallFloor ? alarm(number(recall, 3)) : number(recall, 3), number(recallFloor, 2), alerts ? alarm(number(alerts, 0)) : "0"]));
      processes.fill([
        ...(overview.processes ?? []).map(({ address, servers = [], well, memoryBytes, processors, callsInFlight, startTime }) =>
          [address, servers.join(", "), well ? say("yes") : alarm(say("no")), bytes(memoryBytes), percent(processors), number(callsInFlight, 0), span(now - Date.parse(startTime) / 1000, say)]),
        ...(overview.silent ?? []).map(({ address, reason }) => [address, "", alarm(say("silent", { why: reason })), "", "", "", ""]),
      ]);
    },
  };
}
