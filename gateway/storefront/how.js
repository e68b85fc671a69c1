// "How it was answered": the stages' times, caches, depth, what was missing, and the calls as lines to copy.

import { lastCalls } from "./api.js";
import { element } from "./dom.js";
import { openPanel } from "./panel.js";
import { lacked, listed, say } from "./words.js";

const STAGES = ["visitor", "gather", "embed", "lexical", "popular", "ads", "retrieve", "fuse", "turn", "rank", "taste", "highlight", "explain", "arrange"];

/** Stages with where they begin: the search by words runs beside the embedding, all else one after the other. */
export function waterfall(timings, milliseconds) {
  const took = Object.fromEntries(timings.map(({ stage, durationMs }) => [stage, durationMs ?? 0]));
  const bars = [];
  let at = 0;
  for (const stage of STAGES.filter((name) => name in took)) {
    const begin = stage === "lexical" && "embed" in took ? at - took.embed : at;
    bars.push({ stage: say(stage), begin: Math.max(begin, 0), length: took[stage] });
    at = Math.max(at, begin + took[stage]);
  }
  const total = took.total ?? at;
  if (total > at) bars.push({ stage: say("other"), begin: at, length: total - at });
  if (milliseconds > total) bars.push({ stage: say("network"), begin: total, length: milliseconds - total });
  return bars;
}

function grpcurl({ method, message }, config) {
  const body = JSON.stringify(message).replaceAll("'", `'\\''`);
  const plain = config.tls ? "" : "-plaintext ";
  return `grpcurl ${plain}-d '${body}' ${location.hostname}:${config.grpc_port} vitrine.v1.${method}`;
}

function drawn({ answer, milliseconds }) {
  const whole = Math.max(milliseconds, answer.timings?.find(({ stage }) => stage === "total")?.durationMs ?? 0);
  const rows = waterfall(answer.timings ?? [], milliseconds).map(({ stage, begin, length }) =>
    element("tr", {},
      element("th", { scope: "row" }, stage),
      element("td", { class: "track" }, element("span", { class: "bar", style: { "--begin": begin / whole, "--length": length / whole } })),
      element("td", { class: "number" }, `${length.toFixed(1)} ms`)));
  return element("table", { class: "waterfall" }, element("caption", {}, `${say("stages")} · ${milliseconds.toFixed(0)} ms`), element("tbody", {}, rows));
}

/** What was asked for. */
function subject({ method, message }) {
  const asked = message.query ?? message.placement ?? message.id;
  return [asked, message.pageToken && say("more"), method.endsWith("/Search") && message.explain && say("why")].filter(Boolean).join(" · ");
}

export async function showHow(methods) {
  const shown = lastCalls().filter(({ method }) => methods.includes(method.split("/")[1]));
  // What was answered before can be told while the gateway is away; only its port for gRPC is not known then.
  const config = await fetch("/storefront/config.json").then((response) => response.json()).catch(() => null);
  // Calls that only went on stand behind what the page was made of.
  shown.sort((one, other) => Boolean(one.message.pageToken) - Boolean(other.message.pageToken));
  const parts = shown.slice(0, 6).map((one) => {
    const facts = [
      one.answer.cached?.length && say("cached", { parts: listed(one.answer.cached) }),
      one.answer.rankDepth && say("depth", { n: one.answer.rankDepth }),
      one.answer.degradations?.length && lacked(one.answer.degradations),
    ].filter(Boolean);
    const line = config ? grpcurl(one, config) : "";
    const command = element("code", {}, line);
    const copy = element("button", { type: "button", class: "quiet" }, say("copy"));
    copy.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(line);
        copy.textContent = say("copied");
      } catch {
        // The clipboard is there on secure origins only, where the visitor lets us: else it is marked, to be copied.
        getSelection().selectAllChildren(command);
      }
    });
    return element("section", {}, element("h3", {}, one.method, element("small", {}, subject(one))), drawn(one), element("ul", {}, facts.map((fact) => element("li", {}, fact))), line ? element("div", { class: "command" }, command, copy) : null);
  });
  openPanel(say("how"), parts);
}
