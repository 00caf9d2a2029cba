// Vercel's AI SDK with its Amazon Bedrock provider, as its users write it: nothing but the environment. It reads a
// scenario per line of standard input and prints one line of JSON for each; the Python test judges them.
import { createRequire } from "node:module";
import readline from "node:readline";

const require = createRequire(`${process.env.CLIENTS_ROOT}/package.json`);
const ai = require("ai");
const { bedrock } = require("@ai-sdk/amazon-bedrock");
const { z } = require("zod");

globalThis.AI_SDK_LOG_WARNINGS = false;
const person = z.object({ name: z.string(), age: z.number().int() });
const tools = {
  get_weather: ai.tool({
    description: "The weather of a city",
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => `21 degrees in ${city}`,
  }),
};
const asking = (model, more) => ({ model: bedrock(model), maxRetries: 0, ...more });
const weather = { prompt: "What is the weather in Paris?", tools, stopWhen: ai.stepCountIs(3) };
const called = (steps) => steps.flatMap((step) => step.toolCalls).map((call) => [call.toolName, call.input]);
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==";

const scenarios = {
  async text({ model }) {
    const reply = await ai.generateText(asking(model, { system: "Be brief", prompt: "Hello", maxOutputTokens: 50 }));
    const { inputTokens, outputTokens } = reply.usage;
    return { text: reply.text, finish: reply.finishReason, usage: [inputTokens, outputTokens] };
  },
  async pieces({ model }) {
    const reply = ai.streamText(asking(model, { prompt: "Hello", onError: () => {} }));
    const seen = [];
    for await (const part of reply.fullStream) {
      if (part.type === "error") throw part.error;
      if (part.type === "text-delta") seen.push(part.text);
    }
    return seen;
  },
  async weather({ model }) {
    const reply = await ai.generateText(asking(model, weather));
    return { text: reply.text, calls: called(reply.steps) };
  },
  async streamedWeather({ model }) {
    const reply = ai.streamText(asking(model, weather));
    await reply.consumeStream();
    return { text: await reply.text, calls: called(await reply.steps) };
  },
  async structured({ model }) {
    return (await ai.generateObject(asking(model, { schema: person, prompt: "Ada is 36 years old" }))).object;
  },
  async picture({ model }) {
    const parts = [
      { type: "text", text: "What is it?" },
      { type: "image", image: pixel },
    ];
    return (await ai.generateText(asking(model, { messages: [{ role: "user", content: parts }] }))).text;
  },
  async embed({ model }) {
    const values = ["the cat sat", "a dog ran"];
    const rows = await ai.embedMany({ model: bedrock.embedding(model), values, maxRetries: 0 });
    const asked = await ai.embed({ model: bedrock.embedding(model), value: "cat", maxRetries: 0 });
    return {
      sizes: rows.embeddings.map((row) => row.length),
      scores: rows.embeddings.map((row) => ai.cosineSimilarity(asked.embedding, row)),
    };
  },
  async rerank({ model }) {
    const documents = ["a dog ran", "the cat sat"];
    const reply = await ai.rerank({ model: bedrock.reranking(model), query: "cat", documents, topN: 1, maxRetries: 0 });
    return reply.ranking.map((row) => row.originalIndex);
  },
  async paint({ model }) {
    const reply = await ai.generateImage({ model: bedrock.image(model), prompt: "a red square", size: "512x512", maxRetries: 0 });
    return { kind: reply.image.mediaType, bytes: reply.image.uint8Array.length };
  },
};

for await (const line of readline.createInterface({ input: process.stdin })) {
  const { name, arguments: given } = JSON.parse(line);
  let answer;
  try {
    answer = { value: await scenarios[name](given) };
  } catch (error) {
    answer = { error: error.name ?? "thrown", message: error.message, status: error.statusCode, retryable: error.isRetryable };
  }
  console.log(JSON.stringify(answer));
}
