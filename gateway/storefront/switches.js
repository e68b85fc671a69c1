// The switches of language and theme.

import { element } from "./dom.js";
import { keep, kept } from "./kept.js";
import { chooseLanguage, language } from "./language.js";

const THEME = "vitrine.theme";

/** Shows the theme that was chosen; where none was, the browser's holds. */
export function applyTheme() {
  document.documentElement.dataset.theme = kept(THEME) ?? "";
}

/** Both, with words by `say`; `changed` is told of another language. */
export function switches(say, changed) {
  const other = language() === "zh" ? "en" : "zh";
  const inOther = element("button", { type: "button", class: "quiet", lang: other }, say("language"));
  inOther.addEventListener("click", () => {
    chooseLanguage(other);
    changed();
  });
  const theme = element("button", { type: "button", class: "quiet", "aria-label": say("theme"), title: say("theme") }, "◐");
  theme.addEventListener("click", () => {
    const chosen = document.documentElement.dataset.theme;
    const dark = chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
    keep(THEME, dark ? "light" : "dark");
    applyTheme();
  });
  return [inOther, theme];
}
