// A section with a table whose rows come and go, while its place, its heading and the focus in it stay.

import { element } from "./dom.js";

/** `columns`: {name, text} where `text` columns are words and others figures; `fill(rows)` takes cells in their order. */
export function table(title, columns, { empty, note, wide = false } = {}) {
  const body = element("tbody");
  const nothing = element("p", { class: "note", hidden: true });
  const head = element("tr", {}, columns.map(({ name, text }) => element("th", { scope: "col", class: text ? "" : "number" }, name)));
  const grid = element("table", {}, element("thead", {}, head), body);
  const scroll = element("div", { class: "scroll", tabIndex: 0, role: "region", "aria-label": title }, grid);
  const root = element("section", { class: wide ? "figures wide" : "figures" }, element("h2", {}, title), note && element("p", { class: "note" }, note), scroll, nothing);
  const say = (words) => {
    nothing.textContent = words ?? "";
    nothing.hidden = !words;
    scroll.hidden = Boolean(words);
  };
  return {
    root,
    /** Says words instead of rows. */
    say,
    fill(rows) {
      // Not under the hands of somebody who is at a link or button of it.
      if (body.contains(document.activeElement)) return;
      body.replaceChildren(...rows.map((cells) => element("tr", {}, cells.map((cell, index) => {
        const { text } = columns[index];
        return index ? element("td", { class: text ? "" : "number" }, cell) : element("th", { scope: "row" }, cell);
      }))));
      say(rows.length ? "" : empty);
    },
  };
}
