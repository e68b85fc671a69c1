// Figures as people read them.

import { locale } from "./language.js";

export const number = (value, digits = 1) => new Intl.NumberFormat(locale(), { maximumFractionDigits: digits }).format(value ?? 0);
export const percent = (share) => new Intl.NumberFormat(locale(), { style: "percent", maximumFractionDigits: 1 }).format(share ?? 0);
export const bytes = (value) => `${number((value ?? 0) / 2 ** 20, 0)} MiB`;

/** A time in seconds. */
export function time(seconds = 0) {
  if (seconds >= 1) return `${number(seconds, 2)} s`;
  return `${number(seconds * 1000, seconds < 0.01 ? 2 : 0)} ms`;
}

/** How long something goes on, in seconds. */
export function span(seconds, say) {
  if (seconds < 120) return say("seconds", { n: number(seconds, 0) });
  return seconds < 7200 ? say("minutes", { n: number(seconds / 60, 0) }) : say("hours", { n: number(seconds / 3600, 0) });
}

export const moment = (text) => new Date(text).toLocaleString(locale(), { dateStyle: "medium", timeStyle: "short" });
