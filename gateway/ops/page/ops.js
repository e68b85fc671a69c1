// The operators' page: reads what the shop does again and again, for as long as it is looked at.

import { call, forgetKey, hasKey, keepKey } from "./api.js";
import { element } from "./dom.js";
import { strip, tables } from "./figures.js";
import { span } from "./format.js";
import { locale } from "./language.js";
import { queryTables } from "./queries.js";
import { releaseTable } from "./releases.js";
import { applyTheme, switches } from "./switches.js";
import { say } from "./words.js";

const EVERY_MS = 3_000;
// Lists change slowly, and the worst-ranked clicks read thousands of events.
const LISTS_EVERY = 10;

const notice = document.querySelector("#notice");
const main = document.querySelector("main");
let shop = false;
let paused = false;
let timer;
let views;
let last;
let turn = 0;

function warn(words) {
  // Set only when it changes: a screen reader says it each time.
  if (notice.textContent !== words) notice.textContent = words;
  notice.hidden = !words;
}

function header() {
  const state = element("span", { class: "state", role: "status" }, say(paused ? "paused" : "live"));
  const pause = element("button", { type: "button", class: "quiet", "aria-pressed": String(paused) }, say("pause"));
  pause.addEventListener("click", () => {
    paused = !paused;
    pause.setAttribute("aria-pressed", String(paused));
    state.textContent = say(paused ? "paused" : "live");
    next(0);
  });
  const forget = hasKey() && element("button", { type: "button", class: "quiet", onclick: () => { forgetKey(); askKey(""); } }, say("forgetKey"));
  document.documentElement.lang = locale();
  document.title = `${say("title")} · Vitrine`;
  document.querySelector(".skip").textContent = say("skip");
  document.querySelector("footer").textContent = say("footer");
  document.querySelector("header").replaceChildren(
    element("span", { class: "brand-mark" }, element("img", { src: "/ops/icon.svg", alt: "", width: 28, height: 28 }), element("span", {}, `Vitrine · ${say("title")}`)),
    element("span", { class: "window" }), state,
    element("nav", { "aria-label": say("title") }, pause, forget, shop && element("a", { href: "/" }, say("shop")), switches(say, () => { build(); show(); lists(); })));
}

/** Builds the page in the language of now. */
function build() {
  header();
  const done = element("p", { class: "note done", role: "status" });
  views = { strip: strip(), tables: tables(), releases: releaseTable((words) => { done.textContent = words; }), queries: queryTables(shop) };
  main.replaceChildren(element("h1", { class: "hidden" }, say("title")), views.strip.root, done,
    element("div", { class: "sections" }, views.tables.roots.slice(0, 3), views.queries.roots, views.releases.root, views.tables.roots.slice(3)));
}

function show() {
  if (!last) return;
  document.querySelector(".window").textContent = say("over", { t: span(last.windowS ?? 0, say) });
  views.strip.show(last);
  views.tables.show(last);
}

const lists = () => Promise.all([views.releases.load(), views.queries.load()]);

function next(wait) {
  clearTimeout(timer);
  if (!paused && !document.hidden) timer = setTimeout(read, wait);
}

async function read() {
  try {
    last = await call("OpsService/GetOverview");
  } catch (error) {
    if (error.needsKey) {
      askKey(hasKey() ? error.message : "");
      return;
    }
    warn(say("failed", { m: error.message }));
    next(EVERY_MS);
    return;
  }
  warn("");
  if (!views) build();
  show();
  if (turn++ % LISTS_EVERY === 0) await lists();
  next(EVERY_MS);
}

/** Asks for a key, and says what was wrong with the one before. */
function askKey(wrong) {
  clearTimeout(timer);
  views = last = undefined;
  turn = 0;
  header();
  warn(wrong);
  const field = element("input", { type: "password", id: "key", autocomplete: "off", required: true, spellcheck: false });
  const form = element("form", { class: "key" }, element("h1", {}, say("keyTitle")), element("p", { class: "note" }, say("keyNote")), element("label", { htmlFor: "key" }, say("key")), field, element("button", {}, say("enter")));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    keepKey(field.value.trim());
    read();
  });
  main.replaceChildren(form);
  field.focus();
}

applyTheme();
document.addEventListener("visibilitychange", () => next(0));
shop = (await fetch("/ops/config.json").then((response) => response.json())).storefront;
header();
read();
