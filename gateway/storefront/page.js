// The page: header, the view that the address names, and what is common to all views.

import { element } from "./dom.js";
import { compareView, homeView } from "./home_view.js";
import { locale } from "./language.js";
import { productView } from "./product_view.js";
import { searchView } from "./search_view.js";
import { suggestBox } from "./suggest_box.js";
import { applyTheme, switches } from "./switches.js";
import { addVisitor, chooseVisitor, currentIndex, visitors } from "./visitors.js";
import { say } from "./words.js";

let leaving = new AbortController();

function go(address) {
  history.pushState(null, "", address);
  show(true);
}

function visitorMenu() {
  const options = visitors().map((_, index) => element("option", { value: String(index), selected: index === currentIndex() }, say("visitorN", { n: index + 1 })));
  const select = element("select", { "aria-label": say("visitor") }, options, element("option", { value: "new" }, say("newVisitor")));
  select.addEventListener("change", () => {
    if (select.value === "new") addVisitor();
    else chooseVisitor(Number(select.value));
    show(false);
  });
  return select;
}

function header(query) {
  return [
    element("a", { class: "brand-mark", href: "/", "aria-label": say("home") }, element("img", { src: "/storefront/icon.svg", alt: "", width: 28, height: 28 }), element("span", {}, "Vitrine")),
    suggestBox(query, go),
    element("nav", { "aria-label": say("visitor") }, visitorMenu(), element("a", { href: "/?compare", title: say("compare") }, say("compareShort")), switches(say, () => show(false))),
  ];
}

/** Shows what the address names; `moved`: as a new page, from its top. */
function show(moved) {
  leaving.abort();
  leaving = new AbortController();
  const address = new URLSearchParams(location.search);
  const { signal } = leaving;
  document.documentElement.lang = locale();
  document.title = address.get("q") ? `${address.get("q")} · Vitrine` : "Vitrine";
  document.querySelector(".skip").textContent = say("skip");
  document.querySelector("header").replaceChildren(...header(address.get("q") ?? ""));
  document.querySelector("footer").textContent = say("footer");
  const view = address.has("p") ? productView(address.get("p"), signal) : address.has("q") ? searchView(address, go, signal) : address.has("compare") ? compareView(signal) : homeView(signal);
  const main = document.querySelector("main");
  main.replaceChildren(view);
  if (moved) {
    scrollTo(0, 0);
    main.focus({ preventScroll: true });
  }
}

applyTheme();
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href]");
  if (!link || event.defaultPrevented || event.button || event.metaKey || event.ctrlKey || event.shiftKey || link.origin !== location.origin || link.pathname !== "/" || link.hash) return;
  event.preventDefault();
  document.querySelector("dialog[open]")?.close();
  go(link.href);
});
addEventListener("popstate", () => show(false));
show(false);
