/**
 * Vitrine's public API from TypeScript: a search, a streamed upsert, an event, and what refusals say.
 *
 * ADDRESS is the gateway's gRPC address, API_KEY the key to show (unset: none), CA the PEM file of the authority of
 * its certificate (unset: no TLS).
 */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";

import { create } from "@bufbuild/protobuf";
import { type Client, Code, ConnectError, type Interceptor, createClient } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";

import { CatalogService, CatalogServiceUpsertProductsRequestSchema } from "../gen/vitrine/v1/catalog_service_pb.js";
import { Degradation } from "../gen/vitrine/v1/common_pb.js";
import { ProductSchema } from "../gen/vitrine/v1/product_pb.js";
import { type SearchResponse, SearchService } from "../gen/vitrine/v1/search_service_pb.js";
import { EventType } from "../gen/vitrine/v1/user_event_pb.js";
import { UserEventService } from "../gen/vitrine/v1/user_event_service_pb.js";
import { patiently, tellError, tellStatus } from "./refusal.js";

const visitor = "example-typescript";

/** A channel that shows the API key in every call. */
function connect() {
  const { ADDRESS: address = "127.0.0.1:50051", API_KEY: key, CA: ca } = process.env;
  const showKey: Interceptor = (next) => (request) => {
    if (key) {
      request.header.set("x-api-key", key);
    }
    return next(request);
  };
  return createGrpcTransport({
    baseUrl: `${ca ? "https" : "http"}://${address}`,
    interceptors: [showKey],
    nodeOptions: ca ? { ca: readFileSync(ca) } : {},
  });
}

/** Asks within 5 s. The deadline travels with the call: the gateway drops the work when it is over. */
async function search(searches: Client<typeof SearchService>): Promise<SearchResponse> {
  const found = await searches.search(
    {
      query: "智能手表",
      pageSize: 3,
      visitorId: visitor,
      filter: { expression: "price < 2000 AND availability = in_stock" },
    },
    { timeoutMs: 5_000 },
  );
  console.log(`search: ${found.results.length} of ${found.totalSize ?? "an unknown number"}`);
  for (const { position, product, rankProbability } of found.results) {
    const price = `${product?.price?.toFixed(2)} ${product?.currencyCode}`;
    console.log(`  ${position}. ${product?.title} (${product?.id}, ${price}, p ${rankProbability?.toFixed(3)})`);
  }
  for (const part of found.degradations) {
    console.log(`  without: ${Degradation[part]}`);
  }
  return found;
}

/** Sends three requests of two products on one stream. The last product has no title: it alone is refused. */
async function upsert(catalogue: Client<typeof CatalogService>): Promise<string[]> {
  async function* requests() {
    for (const start of [1, 3, 5]) {
      const products = [product(start), product(start + 1)];
      if (start === 5) {
        products[1]!.title = "";
      }
      yield create(CatalogServiceUpsertProductsRequestSchema, { products });
    }
  }
  const written: string[] = [];
  for await (const answer of catalogue.upsertProducts(requests(), { timeoutMs: 30_000 })) {
    console.log(`upsert: ${answer.outcomes.length} products, revision ${answer.revision}`);
    for (const { id, status } of answer.outcomes) {
      if (status?.code) {
        tellStatus(status);
      } else {
        written.push(id);
      }
    }
  }
  return written;
}

function product(number: number) {
  return create(ProductSchema, {
    id: `example-typescript-${number}`,
    title: `Trail running shoes, model ${number}`,
    brand: "Norvik",
    categories: ["Shoes > Running shoes"],
    price: 79.5 + number,
    currencyCode: "EUR",
    attributes: { color: { text: ["red"] } },
  });
}

/** Says that the visitor opened the first result; the attribution token tells which answer led there. */
async function view(events: Client<typeof UserEventService>, found: SearchResponse): Promise<void> {
  const productId = found.results[0]?.product?.id;
  if (!productId) {
    throw new Error("the search found nothing to look at");
  }
  const event = {
    // Made once: the same event may be sent again and is written once.
    eventId: randomUUID(),
    eventType: EventType.VIEW_ITEM,
    visitorId: visitor,
    attributionToken: found.attributionToken,
    products: [{ productId, position: 1 }],
  };
  const written = await events.writeUserEvents({ events: [event] }, { timeoutMs: 5_000 });
  for (const { status } of written.outcomes) {
    if (status?.code) {
      throw new ConnectError(status.message, status.code);
    }
  }
  console.log(`event: ${written.outcomes.length} written, ${written.duplicates} of them known already`);
}

/** Shows what a bad filter is answered with. */
async function askWrongly(searches: Client<typeof SearchService>): Promise<void> {
  try {
    await searches.search({ query: "shoes", filter: { expression: "colour = red" } }, { timeoutMs: 5_000 });
  } catch (error) {
    const refusal = ConnectError.from(error);
    if (refusal.code !== Code.InvalidArgument) {
      throw refusal;
    }
    tellError(refusal);
    return;
  }
  throw new Error("a bad filter was answered");
}

/** Makes 60 calls at once; where the key has a rate, some are refused with the time to wait. */
async function askTooOften(catalogue: Client<typeof CatalogService>, id: string): Promise<void> {
  const read = () => catalogue.getProduct({ id }, { timeoutMs: 30_000 });
  const calls = await Promise.allSettled(Array.from({ length: 60 }, read));
  const refusals = calls.filter((call) => call.status === "rejected").map((call) => ConnectError.from(call.reason));
  const other = refusals.find((refusal) => refusal.code !== Code.ResourceExhausted);
  if (other) {
    throw other;
  }
  console.log(`rate: ${refusals.length} of ${calls.length} calls refused`);
  const last = refusals.at(-1);
  if (last) {
    tellError(last);
    await patiently(30_000, read);
    console.log("  answered after waiting");
  }
}

/** Takes out what `upsert` wrote. */
async function tidy(catalogue: Client<typeof CatalogService>, ids: string[]): Promise<void> {
  const gone = await patiently(10_000, () => catalogue.deleteProducts({ ids }, { timeoutMs: 10_000 }));
  console.log(`delete: ${gone.outcomes.length} products, revision ${gone.revision}`);
}

const transport = connect();
const searches = createClient(SearchService, transport);
const catalogue = createClient(CatalogService, transport);
const found = await search(searches);
const ids = await upsert(catalogue);
await view(createClient(UserEventService, transport), found);
await askWrongly(searches);
await askTooOften(catalogue, ids[0]!);
await tidy(catalogue, ids);
