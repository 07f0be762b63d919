// What both Node scripts share: the clients from .cache/node, and a fetch that keeps request bodies.
import { createRequire } from "node:module";

export const require = createRequire(process.env.CANDOR_NODE + "/package.json");
export const job = JSON.parse(process.argv[2]);
export const kept = { request: null, exchange: null, requestId: null };

export async function keepingFetch(url, init) {
  if (init?.body) kept.request = String(init.body);
  const response = await fetch(url, init);
  kept.exchange = response.headers.get("candor-exchange");
  kept.requestId = response.headers.get("x-request-id");
  return response;
}

export function done(result) {
  process.stdout.write(JSON.stringify({ ...kept, ...result }));
}
