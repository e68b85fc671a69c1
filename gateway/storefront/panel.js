// A dialog at the side; Escape and a click beside it close it, and focus goes back to where it was.

import { element } from "./dom.js";
import { say } from "./words.js";

export function openPanel(title, ...content) {
  const heading = element("h2", { id: "panel-title" }, title);
  const close = element("button", { class: "quiet", type: "button", onclick: () => panel.close() }, say("close"));
  const body = element("div", { class: "panel-body" }, content);
  const panel = element("dialog", { class: "panel", "aria-labelledby": "panel-title" }, element("div", { class: "panel-head" }, heading, close), body);
  panel.addEventListener("click", (event) => event.target === panel && panel.close());
  panel.addEventListener("close", () => panel.remove());
  document.body.append(panel);
  panel.showModal();
  return body;
}
