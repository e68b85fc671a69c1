// Elements made from plain values; text is never read as HTML.

/** An element with properties (`onclick` and others listen, `aria-…` and `data-…` are attributes) and children. */
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key === "style") for (const [part, said] of Object.entries(value)) made.style.setProperty(part, said);
    else if (key === "class") made.className = value;
    else if (key in made && !key.includes("-") && key !== "list") made[key] = value;
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat(Infinity).filter((child) => child !== undefined && child !== null && child !== false));
  return made;
}

/** Text of which the spans (in code points) are marked. */
export function marked(text, spans = []) {
  const letters = Array.from(text);
  const parts = [];
  let done = 0;
  for (const { start = 0, end } of spans) {
    parts.push(letters.slice(done, start).join(""), element("mark", {}, letters.slice(start, end).join("")));
    done = end;
  }
  parts.push(letters.slice(done).join(""));
  return parts.filter((part) => part !== "");
}
