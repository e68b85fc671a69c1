// OpsService and ReleaseService as Connect JSON, with the key that was typed: kept for as long as the tab is open.

const KEY = "vitrine.ops.key";

/** What the service refused, or could not do. */
export class CallError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }

  /** Whether another key may help. */
  get needsKey() {
    return this.code === "unauthenticated" || this.code === "permission_denied";
  }
}

let typed = null;

/** What `act` does with the tab's storage; null where the browser lets nothing be kept. */
function stored(act) {
  try {
    return act(sessionStorage);
  } catch {
    return null;
  }
}

const currentKey = () => typed ?? stored((kept) => kept.getItem(KEY));
export const hasKey = () => currentKey() !== null;

export function keepKey(key) {
  typed = key;
  stored((kept) => kept.setItem(KEY, key));
}

export function forgetKey() {
  typed = null;
  stored((kept) => kept.removeItem(KEY));
}

/** Calls `Service/Method`; rejects with CallError. */
export async function call(method, message = {}) {
  const key = currentKey();
  let response;
  try {
    response = await fetch(`/vitrine.v1.${method}`, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...(key ? { "x-api-key": key } : {}) },
      body: JSON.stringify(message),
    });
  } catch (error) {
    throw new CallError("unavailable", error.message);
  }
  const answer = await response.json();
  if (!response.ok) throw new CallError(answer.code, answer.message);
  return answer;
}
