// Who is looking: visitors of this browser, each with an identifier of its own and a history at the shop.

import { identifier } from "./identifier.js";

const KEY = "vitrine.visitors";

function stored() {
  let kept;
  try {
    kept = JSON.parse(localStorage.getItem(KEY));
  } catch {
    kept = null;
  }
  if (!kept?.all?.length) {
    kept = { current: 0, all: [`web-${identifier()}`, `web-${identifier()}`] };
    localStorage.setItem(KEY, JSON.stringify(kept));
  }
  return kept;
}

export const visitors = () => stored().all;
export const currentIndex = () => stored().current;
export const currentVisitor = () => stored().all[stored().current];

export function chooseVisitor(index) {
  localStorage.setItem(KEY, JSON.stringify({ ...stored(), current: index }));
}

/** Adds a visitor of whom nothing is known, and chooses it. */
export function addVisitor() {
  const all = [...stored().all, `web-${identifier()}`];
  localStorage.setItem(KEY, JSON.stringify({ all, current: all.length - 1 }));
}
