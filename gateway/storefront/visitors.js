// Who is looking: visitors of this browser, each with an identifier of its own and a history at the shop.

import { identifier } from "./identifier.js";
import { keep, kept } from "./kept.js";

const KEY = "vitrine.visitors";

function stored() {
  let known;
  try {
    known = JSON.parse(kept(KEY));
  } catch {
    known = null;
  }
  if (!known?.all?.length) {
    known = { current: 0, all: [`web-${identifier()}`, `web-${identifier()}`] };
    keep(KEY, JSON.stringify(known));
  }
  return known;
}

export const visitors = () => stored().all;
export const currentIndex = () => stored().current;
export const currentVisitor = () => stored().all[stored().current];

export function chooseVisitor(index) {
  keep(KEY, JSON.stringify({ ...stored(), current: index }));
}

/** Adds a visitor of whom nothing is known, and chooses it. */
export function addVisitor() {
  const all = [...stored().all, `web-${identifier()}`];
  keep(KEY, JSON.stringify({ all, current: all.length - 1 }));
}
