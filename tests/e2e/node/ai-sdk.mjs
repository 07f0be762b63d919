// Vercel's AI SDK over the OpenAI or the Anthropic API: job.over
import { ANSWER_SCHEMA, TOOL_NAME, TOOL_SCHEMA, job, require, run } from "./job.mjs";

const { embedMany, generateText, jsonSchema, Output, streamText, tool } = require("ai");
const { createOpenAICompatible } = require("@ai-sdk/openai-compatible");
const { createAnthropic } = require("@ai-sdk/anthropic");
const settings = { baseURL: job.url + "/v1", apiKey: job.key };
const provider = job.over === "openai"
  ? createOpenAICompatible({ name: "candor", includeUsage: true, supportsStructuredOutputs: true, ...settings })
  : createAnthropic(settings);
const ask = { model: provider(job.model), prompt: job.question, temperature: 0, maxOutputTokens: job.tokens, maxRetries: 0 };

await run({
  async chat() {
    const answer = await generateText(ask);
    return { text: answer.text, usage: answer.usage.outputTokens };
  },
  async stream() {
    const pieces = [];
    let failed;
    const { textStream } = streamText({ ...ask, onError: ({ error }) => { failed = error; } });
    for await (const piece of textStream) pieces.push(piece);
    if (failed) throw failed;
    return { text: pieces.join(""), pieces: pieces.length };
  },
  async cancel() {
    const leaving = new AbortController();
    let pieces = 0;
    const { textStream } = streamText({ ...ask, abortSignal: leaving.signal });
    for await (const _ of textStream) if (++pieces === 5) leaving.abort();
    return { pieces };
  },
  async tools() {
    const answer = await generateText({ ...ask, prompt: "What is the weather in Paris?",
      tools: { [TOOL_NAME]: tool({ description: "The weather of a city", inputSchema: jsonSchema(TOOL_SCHEMA) }) },
      toolChoice: { type: "tool", toolName: TOOL_NAME } });
    const [call] = answer.toolCalls;
    return { call: call.toolName, arguments: call.input };
  },
  async schema() {
    return { object: (await generateText({ ...ask, output: Output.object({ schema: jsonSchema(ANSWER_SCHEMA) }) })).output };
  },
  async embeddings() {
    const { embeddings } = await embedMany({ model: provider.textEmbeddingModel(job.model), values: ["one", "two"], maxRetries: 0 });
    return { vectors: embeddings };
  },
});
