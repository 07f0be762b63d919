// What a program does with Ollama's own client for Node beyond chat: node ollama_calls.mjs '{"verb":"generate","body":{...}}'
import { done, job, keepingFetch, require } from "./common.mjs";

const { Ollama } = require("ollama");
const client = new Ollama({ host: job.url, fetch: keepingFetch });
try {
  if (job.stream || job.abortAfter) {
    const parts = [];
    const stream = await client[job.verb]({ ...job.body, stream: true });
    try {
      for await (const part of stream) {
        parts.push(part);
        if (parts.length === job.abortAfter) client.abort(); // all that run
      }
      done({ parts });
    } catch (error) {
      done({ parts, error: { name: error.name } });
    }
  } else {
    done({ response: await client[job.verb](job.body) });
  }
} catch (error) {
  done({ error: { name: error.name, status: error.status_code, message: error.message } });
}
