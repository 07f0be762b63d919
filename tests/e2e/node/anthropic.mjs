// One job with the official Anthropic client for Node: node anthropic.mjs '{"verb":"stream",...}'
import { done, job, keepingFetch, require } from "./common.mjs";

const { Anthropic } = require("@anthropic-ai/sdk");
const client = new Anthropic({
  baseURL: job.url, apiKey: job.key ?? "none", fetch: keepingFetch, maxRetries: 0,
});
try {
  if (job.verb === "stream" || job.verb === "cancel") {
    const chunks = [];
    const stream = await client.messages.create({ ...job.body, stream: true });
    for await (const event of stream) {
      chunks.push(event);
      if (job.verb === "cancel" && chunks.length === 5) break;
    }
    done({ chunks });
  } else if (job.verb === "helper") {
    const pieces = { text: [], json: [], thinking: [] };
    const stream = client.messages.stream(job.body); // the client's own accumulator
    stream.on("text", (piece) => pieces.text.push(piece));
    stream.on("inputJson", (piece) => pieces.json.push(piece));
    stream.on("thinking", (piece) => pieces.thinking.push(piece));
    done({ response: await stream.finalMessage(), pieces });
  } else if (job.verb === "count") {
    done({ response: await client.messages.countTokens(job.body) });
  } else if (job.verb === "models") {
    const listed = [];
    for await (const model of client.models.list()) listed.push(model.id);
    done({ listed, one: await client.models.retrieve(job.body.model) });
  } else {
    done({ response: await client.messages.create(job.body) });
  }
} catch (error) {
  done({ error: { name: error.constructor.name, status: error.status, message: error.message, type: error.type } });
}
