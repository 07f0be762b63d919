// One job with the official OpenAI client for Node: node openai.mjs '{"verb":"stream","api":"responses",...}'
import { done, job, keepingFetch, require } from "./common.mjs";

const { OpenAI } = require("openai");
const client = new OpenAI({
  baseURL: job.url + "/v1", apiKey: job.key ?? "none", fetch: keepingFetch, maxRetries: 0,
});
const api = { chat: client.chat.completions, responses: client.responses, embeddings: client.embeddings }[job.api ?? "chat"];
try {
  if (job.verb === "stream" || job.verb === "cancel") {
    const chunks = [];
    const stream = await api.create({ ...job.body, stream: true });
    for await (const chunk of stream) {
      chunks.push(chunk);
      if (job.verb === "cancel" && chunks.length === 5) break; // the client aborts its request
    }
    done({ chunks });
  } else if (job.verb === "helper") { // the client's own accumulator
    const stream = api.stream(job.body);
    const types = [];
    if (job.api === "responses") {
      for await (const event of stream) types.push(event.type);
      done({ types, response: await stream.finalResponse() });
    } else {
      stream.on("tool_calls.function.arguments.delta", () => types.push("arguments.delta"));
      stream.on("content.delta", () => types.push("content.delta"));
      done({ response: await stream.finalChatCompletion(), types });
    }
  } else if (job.verb === "models") {
    const listed = [];
    for await (const model of client.models.list()) listed.push(model.id);
    done({ listed, one: await client.models.retrieve(job.body.model) });
  } else {
    done({ response: await api.create(job.body) });
  }
} catch (error) {
  done({ error: { name: error.constructor.name, status: error.status, message: error.message, code: error.code, type: error.type, param: error.param } });
}
