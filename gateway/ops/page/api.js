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

export const hasKey = () => sessionStorage.getItem(KEY) !== null;
export const keepKey = (key) => sessionStorage.setItem(KEY, key);
export const forgetKey = () => sessionStorage.removeItem(KEY);

/** Calls `Service/Method`; rejects with CallError. */
export async function call(method, message = {}) {
  const key = sessionStorage.getItem(KEY);
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
