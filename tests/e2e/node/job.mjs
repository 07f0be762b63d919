// What the scripts of further Node clients share: one job in, as JSON in the first argument; one object out.
import { createRequire } from "node:module";

export const require = createRequire(process.env.CANDOR_NODE + "/package.json");
export const job = JSON.parse(process.argv[2]);
export const TOOL_NAME = "get_weather";
export const TOOL_SCHEMA = { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false };
export const TOOL = { type: "function", function: { name: TOOL_NAME, description: "The weather of a city", parameters: TOOL_SCHEMA } };
export const ANSWER_SCHEMA = { type: "object", properties: { capital: { type: "string" } }, required: ["capital"], additionalProperties: false };

export async function run(verbs) {
  let result;
  try {
    result = await verbs[job.verb]();
  } catch (error) { // what a program that uses the client would catch: its class and its words
    result = { error: { name: error.name ?? error.constructor.name, status: error.statusCode ?? error.status_code ?? error.status ?? null, message: String(error.message) } };
  }
  process.stdout.write(JSON.stringify(result));
}
