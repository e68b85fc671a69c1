// A failed call, said plainly.

import { element } from "./dom.js";
import { say } from "./words.js";

/** What a failed call looks like, with a way on. */
export function failure(error, again) {
  const words = error.code === "resource_exhausted" ? say("busy", { s: Math.max(error.retryAfterS, 1) }) : say("failed", { m: error.message });
  return element("div", { class: "failure", role: "alert" }, element("p", {}, words), element("button", { type: "button", onclick: again }, say("retry")));
}
