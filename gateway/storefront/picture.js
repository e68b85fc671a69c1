// A product's picture: the shop's own where it has one, else one drawn from its category and colour.

import { element } from "./dom.js";

const SVG = "http://www.w3.org/2000/svg";
const COLOURS = {
  black: "#22262b", white: "#e9e7e1", red: "#c0392b", blue: "#2a6fbb", navy: "#1f3a63", green: "#2f8f5b", beige: "#d8c7a6",
  pink: "#e59ab0", grey: "#8b9199", gray: "#8b9199", silver: "#b9bec4", gold: "#c9a24b", brown: "#80583a", yellow: "#e3b93b",
  purple: "#7a5aa6", orange: "#dd7f33", 黑: "#22262b", 白: "#e9e7e1", 红: "#c0392b", 海蓝: "#2a6fbb", 蓝: "#2a6fbb", 绿: "#2f8f5b",
  米: "#d8c7a6", 粉: "#e59ab0", 灰: "#8b9199", 银: "#b9bec4", 金: "#c9a24b", 棕: "#80583a", 黄: "#e3b93b", 紫: "#7a5aa6", 橙: "#dd7f33",
};

// Outlines in a square of 120, by what a category's name holds; any other category has one of the last, always the same.
const KINDS = [
  [/head|ear(phone|bud)|耳机|耳麦/i, "M22 66 A38 38 0 0 1 98 66 V92 Q98 98 92 98 H84 Q78 98 78 92 V74 Q78 68 84 68 H88 A28 28 0 0 0 32 68 H36 Q42 68 42 74 V92 Q42 98 36 98 H28 Q22 98 22 92 Z"],
  [/shoe|boot|sneaker|鞋|靴/i, "M16 92 C18 70 34 76 46 54 L68 72 C84 78 102 76 104 92 V98 H16 Z"],
  [/shirt|jacket|dress|coat|cloth|hoodie|sweater|pants|jeans|衣|衫|裤|外套|裙/i, "M24 46 L44 26 Q60 38 76 26 L96 46 L84 58 L78 52 V98 H42 V52 L36 58 Z"],
  [/watch|手表|手环/i, "M46 22 H74 L78 42 H82 V80 H78 L74 100 H46 L42 80 H38 V42 H42 Z M48 50 V72 H72 V50 Z"],
  [/phone|tablet|reader|手机|平板/i, "M42 22 H78 Q84 22 84 28 V94 Q84 100 78 100 H42 Q36 100 36 94 V28 Q36 22 42 22 Z M42 30 V88 H78 V30 Z"],
  [/keyboard|键盘/i, "M14 50 H106 V84 H14 Z M22 58 H32 V64 H22 Z M38 58 H48 V64 H38 Z M54 58 H64 V64 H54 Z M70 58 H80 V64 H70 Z M86 58 H96 V64 H86 Z M34 72 H86 V78 H34 Z"],
  [/laptop|notebook|monitor|tv|television|笔记本|显示器|电视/i, "M22 30 H98 V80 H22 Z M28 36 V74 H92 V36 Z M10 86 H110 V94 H10 Z"],
  [/speaker|soundbar|音箱|音响/i, "M38 22 H82 V100 H38 Z M60 30 A8 8 0 1 0 60.1 30 Z M60 56 A17 17 0 1 0 60.1 56 Z"],
  [/bag|backpack|suitcase|包|箱/i, "M46 38 V30 Q46 22 60 22 Q74 22 74 30 V38 H90 Q96 38 96 44 V94 Q96 100 90 100 H30 Q24 100 24 94 V44 Q24 38 30 38 Z M52 38 H68 V31 Q68 28 60 28 Q52 28 52 31 Z"],
  [/camera|tripod|lens|相机|三脚架|镜头/i, "M20 44 H42 L48 34 H72 L78 44 H100 V92 H20 Z M60 52 A16 16 0 1 0 60.1 52 Z"],
  [/cup|mug|kettle|bottle|coffee|杯|壶|瓶|咖啡/i, "M34 40 H82 V48 H90 Q102 48 102 62 Q102 78 86 80 L82 98 H38 Z M84 56 V72 Q94 70 94 62 Q94 56 90 56 Z"],
];
const OTHERS = [
  ["", "M44 26 H76 Q86 26 86 36 V88 Q86 98 76 98 H44 Q34 98 34 88 V36 Q34 26 44 26 Z"],
  ["", "M60 26 A36 36 0 1 0 60.1 26 Z"],
  ["", "M18 44 L60 28 L102 44 V84 L60 100 L18 84 Z"],
  ["", "M40 98 L34 48 H86 L80 98 Z"],
];

function hash(text) {
  let value = 2166136261;
  for (const letter of text) value = Math.imul(value ^ letter.codePointAt(0), 16777619);
  return value >>> 0;
}

/** An element of SVG in `parent`. */
export function shape(name, attributes, parent) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  parent.append(made);
  return made;
}

function colourOf(product, seed) {
  const said = (product.attributes?.color?.text?.[0] ?? "").toLowerCase();
  const known = Object.keys(COLOURS).find((name) => said.includes(name));
  return known ? COLOURS[known] : `hsl(${seed % 360} 45% 45%)`;
}

function drawn(product) {
  const kind = product.categories?.[0]?.split(" > ").at(-1) ?? product.title;
  const seed = hash(kind);
  const fill = colourOf(product, seed);
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 120 120");
  svg.setAttribute("aria-hidden", "true");
  svg.style.setProperty("--hue", hash(product.categories?.[0]?.split(" > ")[0] ?? "") % 360);
  shape("rect", { width: 120, height: 120 }, svg);
  shape("ellipse", { cx: 60, cy: 101, rx: 34, ry: 5, fill: "#0002" }, svg);
  const body = (KINDS.find(([words]) => words.test(kind)) ?? OTHERS[seed % OTHERS.length])[1];
  shape("path", { d: body, fill, stroke: "#0003", "stroke-width": 2, "fill-rule": "evenodd" }, svg);
  return svg;
}

/** Names under .example resolve nowhere (RFC 2606): they stand for pictures that a made-up shop does not have. */
function address(product) {
  return product.imageUris?.find((uri) => {
    try {
      return !new URL(uri, location.href).hostname.endsWith(".example");
    } catch {
      return false;
    }
  });
}

/** The picture in a frame of fixed proportions. */
export function picture(product) {
  const frame = element("div", { class: "picture" });
  const uri = address(product);
  if (!uri) {
    frame.append(drawn(product));
    return frame;
  }
  const onerror = () => frame.replaceChildren(drawn(product));
  frame.append(element("img", { src: uri, alt: "", loading: "lazy", referrerPolicy: "no-referrer", onerror }));
  return frame;
}
