// One job with the official OpenAI client for Node: node openai.mjs '{"verb":"stream",...}'
import { done, job, keepingFetch, require } from "./common.mjs";

const { OpenAI } = require("openai");
const client = new OpenAI({
  baseURL: job.url + "/v1", apiKey: job.key ?? "none", fetch: keepingFetch, maxRetries: 0,
});
try {
  if (job.verb === "stream" || job.verb === "cancel") {
    const chunks = [];
    const stream = await client.chat.completions.create({ ...job.body, stream: true });
    for await (const chunk of stream) {
      chunks.push(chunk);
      if (job.verb === "cancel" && chunks.length === 5) break; // the client aborts its request
    }
    done({ chunks });
  } else {
    done({ response: await client.chat.completions.create(job.body) });
  }
} catch (error) {
  done({ error: { name: error.constructor.name, status: error.status, message: error.message, code: error.code, type: error.type } });
}
