// The public API as Connect JSON, and a record of the last calls for "How it was answered".

const KEPT = 12;
const record = [];

/** What the service refused, or could not do. */
export class CallError extends Error {
  constructor(code, message, retryAfterS) {
    super(message);
    this.code = code;
    this.retryAfterS = retryAfterS;
  }
}

/** The last calls, newest first: {method, message, milliseconds, answer}. */
export const lastCalls = () => [...record].reverse();

/** Calls `Service/Method`; rejects with CallError, or with an AbortError when `signal` says so. */
export async function call(method, message, signal) {
  const begun = performance.now();
  let response;
  try {
    response = await fetch(`/vitrine.v1.${method}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(message),
      signal,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new CallError("unavailable", error.message);
  }
  const answer = await response.json();
  if (!response.ok) throw new CallError(answer.code, answer.message, Number(response.headers.get("Retry-After")) || 0);
  record.push({ method, message, milliseconds: performance.now() - begun, answer });
  if (record.length > KEPT) record.shift();
  return answer;
}

export const search = (message, signal) => call("SearchService/Search", message, signal);
export const suggest = (message, signal) => call("SearchService/Suggest", message, signal);
export const recommend = (message, signal) => call("RecommendationService/Recommend", message, signal);
export const product = (id, signal) => call("CatalogService/GetProduct", { id }, signal);
export const writeEvents = (events) => call("UserEventService/WriteUserEvents", { events });
