// What this browser keeps between visits; where it may keep nothing, until the page is left.

const here = new Map();

/** The text kept under a key, or null. */
export function kept(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return here.get(key) ?? null;
  }
}

export function keep(key, text) {
  try {
    localStorage.setItem(key, text);
  } catch {
    here.set(key, text);
  }
}
