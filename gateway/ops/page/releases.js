// Releases: which one serves, what their gates say, and the buttons that change it, each asked for once more.

import { call } from "./api.js";
import { element } from "./dom.js";
import { moment, number } from "./format.js";
import { openPanel } from "./panel.js";
import { table } from "./table.js";
import { say } from "./words.js";

const short = (digest = "") => digest.replace("sha256:", "").slice(0, 8);

/** Asks whether `act` shall be done, does it, and says what kept it from being done. */
function confirm(title, words, label, act) {
  const failed = element("p", { class: "failure", role: "alert", hidden: true });
  const yes = element("button", { type: "button" }, label);
  const no = element("button", { type: "button", class: "quiet" }, say("cancel"));
  const body = openPanel(title, element("p", {}, words), failed, element("p", { class: "acts" }, yes, no));
  const panel = body.closest("dialog");
  no.addEventListener("click", () => panel.close());
  yes.addEventListener("click", async () => {
    yes.disabled = true;
    failed.hidden = true;
    try {
      await act();
      panel.close();
    } catch (error) {
      failed.textContent = error.message;
      failed.hidden = false;
      yes.disabled = false;
    }
  });
  no.focus();
}

function gatesOf({ gates }) {
  if (!gates) return say("notMeasured");
  const faults = gates.faults ?? [];
  const said = [
    gates.recall !== undefined && `recall@10 ${number(gates.recall, 3)}`,
    gates.queries && `nDCG@10 ${number(gates.ndcg, 3)} (${say("against", { n: number(gates.ndcgServing, 3) })})`,
  ].filter(Boolean);
  return faults.length ? element("span", { class: "alarm" }, faults.join("; ")) : said.join(" · ") || say("passed");
}

/** The section; `load()` reads it anew, `told(words)` is what was done. */
export function releaseTable(told) {
  const columns = [["release", true], ["state", true], ["embedder", true], ["ranker", true], ["recommender", true], ["gates", true], ["created", true], ["change", true]];
  const list = table(say("releases"), columns.map(([name, text]) => ({ name: say(name), text })), { empty: say("noReleases"), wide: true });
  const back = element("button", { type: "button", class: "quiet", hidden: true }, say("rollback"));
  list.root.append(back);

  async function done(method, message, words) {
    const { releases } = await call(method, message);
    shown(releases ?? {});
    told(words);
  }

  function shown({ releases = [] }) {
    const serving = releases.find((one) => one.serving)?.release.name ?? say("firstModels");
    const before = releases.find((one) => one.previous)?.release.name ?? say("before");
    list.fill(releases.map(({ release, serving: serves, previous, faults = [] }) => {
      const state = faults.length ? element("span", { class: "alarm" }, faults.join("; ")) : serves ? element("strong", {}, say("serving")) : previous ? say("kept") : "";
      const flip = element("button", { type: "button", disabled: faults.length > 0, "aria-label": say("flipTo", { r: release.name }) }, say("flip"));
      flip.addEventListener("click", () => confirm(say("flipTo", { r: release.name }), say("flipAsk", { r: release.name, s: serving }), say("flip"),
        () => done("ReleaseService/FlipRelease", { name: release.name }, say("flipped", { r: release.name }))));
      return [release.name, state, short(release.embedderDigest), short(release.rankerDigest), short(release.recommenderDigest), gatesOf(release), release.createTime ? moment(release.createTime) : "", serves ? "" : flip];
    }));
    back.hidden = !releases.length;
    back.onclick = () => confirm(say("rollback"), say("rollbackAsk", { r: before, s: serving }), say("rollback"), () => done("ReleaseService/RollbackRelease", {}, say("rolledBack")));
  }

  return {
    root: list.root,
    async load() {
      try {
        shown(await call("ReleaseService/ListReleases"));
      } catch (error) {
        if (!error.needsKey) list.say(error.message);
      }
    },
  };
}
