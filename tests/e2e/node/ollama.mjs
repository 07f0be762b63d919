// Ollama's own client for Node: node ollama.mjs '{"verb":"stream",...}'
import { ANSWER_SCHEMA, TOOL, job, require, run } from "./job.mjs";

const { Ollama } = require("ollama");
const client = new Ollama({ host: job.url, headers: { Authorization: `Bearer ${job.key}` } });
const ask = { model: job.model, messages: [{ role: "user", content: job.question }],
  options: { temperature: 0, num_predict: job.tokens } };

await run({
  async chat() {
    const answer = await client.chat(ask);
    return { text: answer.message.content, usage: answer.eval_count };
  },
  async stream() {
    const pieces = [];
    for await (const part of await client.chat({ ...ask, stream: true })) pieces.push(part.message.content);
    return { text: pieces.join(""), pieces: pieces.filter(Boolean).length };
  },
  async cancel() {
    let pieces = 0;
    const stream = await client.chat({ ...ask, stream: true });
    try {
      for await (const part of stream) {
        if (part.message.content && ++pieces === 5) stream.abort();
      }
    } catch (error) {
      if (error.name !== "AbortError") throw error;
    }
    return { pieces };
  },
  async tools() {
    const answer = await client.chat({ ...ask, messages: [{ role: "user", content: "What is the weather in Paris?" }], tools: [TOOL] });
    const [call] = answer.message.tool_calls;
    return { call: call.function.name, arguments: call.function.arguments };
  },
  async schema() {
    return { object: JSON.parse((await client.chat({ ...ask, format: ANSWER_SCHEMA })).message.content) };
  },
  async embeddings() {
    return { vectors: (await client.embed({ model: job.model, input: ["one", "two"] })).embeddings };
  },
});
