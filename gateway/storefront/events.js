// What the visitor does, told to the event store: the next answer knows of it.

import { writeEvents } from "./api.js";
import { identifier } from "./identifier.js";
import { currentVisitor } from "./visitors.js";

const session = identifier();
let refused = false;

/** Writes an event of `EVENT_TYPE_…`; resolves to whether it is durable. Shops without an event store have none. */
export async function tell(type, fields) {
  if (refused) return false;
  const event = { eventId: identifier(), eventType: `EVENT_TYPE_${type}`, visitorId: currentVisitor(), sessionId: session };
  try {
    const { outcomes = [] } = await writeEvents([{ ...event, ...fields }]);
    return outcomes.every((outcome) => !outcome.status?.code);
  } catch (error) {
    refused = error.code === "failed_precondition" || error.code === "permission_denied";
    return false;
  }
}

/** A product as events name it. */
export function eventProduct(product, position) {
  return {
    productId: product.id,
    ...(position ? { position } : {}),
    ...(product.price === undefined ? {} : { price: product.price }),
    ...(product.categories?.length ? { category: product.categories[0] } : {}),
  };
}
