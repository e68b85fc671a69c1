// The search box with suggestions as one types: a combobox by the ARIA pattern.

import { suggest } from "./api.js";
import { productAddress } from "./card.js";
import { element, marked } from "./dom.js";
import { say } from "./words.js";

const PAUSE_MS = 80;

/** A form; `go(address)` is told where to. */
export function suggestBox(query, go) {
  const input = element("input", {
    type: "search", name: "q", value: query, placeholder: say("searchFor"), maxLength: 512, autocomplete: "off", enterKeyHint: "search",
    role: "combobox", "aria-label": say("searchFor"), "aria-expanded": "false", "aria-controls": "suggestions", "aria-autocomplete": "list",
  });
  const list = element("ul", { id: "suggestions", role: "listbox", "aria-label": say("search"), hidden: true });
  const form = element("form", { class: "search", role: "search" }, input, element("button", { type: "submit" }, say("search")), list);
  let pending = new AbortController();
  let timer;
  let active = -1;

  const close = () => {
    clearTimeout(timer);
    pending.abort();
    list.hidden = true;
    active = -1;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
  };
  const choose = ({ text, kind, productId }) => {
    close();
    if (kind === "SUGGESTION_KIND_PRODUCT") return go(productAddress(productId));
    if (kind === "SUGGESTION_KIND_CATEGORY") return go(`/?q=${encodeURIComponent(text.split(" > ").at(-1))}&categories=${encodeURIComponent(text)}`);
    input.value = text;
    return go(`/?q=${encodeURIComponent(text)}`);
  };
  const show = (suggestions) => {
    list.replaceChildren(...suggestions.map((one, index) => {
      const option = element("li", { role: "option", id: `suggestion-${index}`, "aria-selected": "false" }, element("span", {}, marked(one.text, one.spans)), element("small", {}, one.kind === "SUGGESTION_KIND_CATEGORY" ? say("categories") : ""));
      option.addEventListener("pointerdown", (event) => {
        event.preventDefault();
        choose(one);
      });
      option.choice = one;
      return option;
    }));
    active = -1;
    list.hidden = !suggestions.length;
    input.setAttribute("aria-expanded", String(suggestions.length > 0));
  };
  const ask = async () => {
    pending.abort();
    pending = new AbortController();
    const text = input.value.trim();
    if (!text) return show([]);
    try {
      const { suggestions = [] } = await suggest({ text: text.slice(0, 128), limit: 8 }, pending.signal);
      show(suggestions);
    } catch (error) {
      if (error.name !== "AbortError") show([]);
    }
  };
  const move = (step) => {
    const options = [...list.children];
    if (list.hidden || !options.length) return;
    options[active]?.setAttribute("aria-selected", "false");
    active = (active + step + options.length) % options.length;
    options[active].setAttribute("aria-selected", "true");
    options[active].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", options[active].id);
  };
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, PAUSE_MS);
  });
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      move(event.key === "ArrowDown" ? 1 : -1);
    } else if (event.key === "Escape" && !list.hidden) {
      event.preventDefault();
      close();
    }
  });
  input.addEventListener("blur", close);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const chosen = list.children[active]?.choice;
    if (chosen) choose(chosen);
    else if (input.value.trim()) {
      close();
      go(`/?q=${encodeURIComponent(input.value.trim())}`);
    }
  });
  return form;
}
