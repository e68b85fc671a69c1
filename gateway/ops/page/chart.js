// Small drawings: how values lie, and how one went.

import { shape } from "./picture.js";

const WIDTH = 120;
const HEIGHT = 28;

function drawing(label, className) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("class", className);
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  return svg;
}

/** A distribution's buckets as bars, each with what it holds; `unit` says a bound. */
export function buckets({ bounds = [], counts = [] }, label, unit) {
  const svg = drawing(label, "buckets");
  const most = Math.max(...counts, 1e-9);
  const step = WIDTH / counts.length;
  counts.forEach((count, index) => {
    const height = count ? Math.max((count / most) * HEIGHT, 1.5) : 0;
    const bar = shape("rect", { x: index * step + 0.5, y: HEIGHT - height, width: step - 1, height }, svg);
    const range = index < bounds.length ? `≤ ${unit(bounds[index])}` : `> ${unit(bounds.at(-1))}`;
    shape("title", {}, bar).textContent = `${range}: ${Math.round(count)}`;
  });
  return svg;
}

/** The last values as a line from 0 up. */
export function line(values, label) {
  const svg = drawing(label, "line");
  const most = Math.max(...values, 1e-9);
  const points = values.map((value, index) => `${(index / Math.max(values.length - 1, 1)) * WIDTH},${HEIGHT - 2 - (value / most) * (HEIGHT - 4)}`);
  shape("polyline", { points: points.join(" ") }, svg);
  return svg;
}
