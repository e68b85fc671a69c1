// The page's language: what was chosen, else the browser's.

import { keep, kept } from "./kept.js";

const KEY = "vitrine.language";

/** "zh" or "en". */
export function language() {
  const chosen = kept(KEY);
  return ["en", "zh"].includes(chosen) ? chosen : navigator.language.startsWith("zh") ? "zh" : "en";
}

export const locale = () => (language() === "zh" ? "zh-CN" : "en");

export function chooseLanguage(code) {
  keep(KEY, code);
}

/** A function that gives the words of a name by language, `{…}` filled in; the name itself where there are none. */
export function saying(words) {
  return (name, values = {}) => (words[language()][name] ?? name).replace(/\{(\w+)\}/g, (_, key) => values[key]);
}
