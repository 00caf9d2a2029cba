// The AWS SDK for JavaScript v3 with its default client configuration, as a user's program holds it. Each scenario
// prints one JSON line; the Python test judges them. Endpoint, keys and region come from the environment.
import { createRequire } from "node:module";

const require = createRequire(`${process.env.CLIENTS_ROOT}/package.json`);
const runtimeSdk = require("@aws-sdk/client-bedrock-runtime");
const controlSdk = require("@aws-sdk/client-bedrock");

const once = Number(process.env.MAX_ATTEMPTS || 0);
const runtime = new runtimeSdk.BedrockRuntimeClient(once ? { maxAttempts: once } : {});
const { modelId, tools } = JSON.parse(process.env.SCENARIO || "{}");
const streamCommand = (body) =>
  new runtimeSdk.InvokeModelWithResponseStreamCommand({ modelId, body, contentType: "application/json" });
const messages = [{ role: "user", content: [{ text: "Hello" }] }];

async function collected(events) {
  const seen = [];
  const begun = Date.now();
  for await (const event of events) seen.push({ at: Date.now() - begun, event });
  return seen;
}

const scenarios = {
  async converse() {
    const reply = await runtime.send(new runtimeSdk.ConverseCommand({ modelId, messages, toolConfig: tools }));
    const { output, stopReason, usage, metrics, $metadata } = reply;
    return { output, stopReason, usage, metrics, status: $metadata.httpStatusCode };
  },
  async converseStream() {
    const reply = await runtime.send(new runtimeSdk.ConverseStreamCommand({ modelId, messages, toolConfig: tools }));
    return collected(reply.stream);
  },
  async leaveStream() {
    const abort = new AbortController();
    const command = new runtimeSdk.ConverseStreamCommand({ modelId, messages });
    const reply = await runtime.send(command, { abortSignal: abort.signal });
    for await (const event of reply.stream) if (event.contentBlockDelta) break;
    abort.abort();
    await new Promise((resolve) => setTimeout(resolve, 2000)); // the connection itself stays open
    return "left";
  },
  async invoke() {
    const body = JSON.stringify({ prompt: "\n\nHuman: Hello\n\nAssistant:", max_tokens_to_sample: 20 });
    const command = new runtimeSdk.InvokeModelCommand({ modelId, body, contentType: "application/json" });
    const reply = await runtime.send(command);
    return JSON.parse(new TextDecoder().decode(reply.body));
  },
  async invokeStream() {
    const body = JSON.stringify({ prompt: "\n\nHuman: Hello\n\nAssistant:", max_tokens_to_sample: 20 });
    const reply = await runtime.send(streamCommand(body));
    const decoded = [];
    for await (const event of reply.body) decoded.push(JSON.parse(new TextDecoder().decode(event.chunk.bytes)));
    return decoded;
  },
  async list() {
    const control = new controlSdk.BedrockClient({});
    const reply = await control.send(new controlSdk.ListFoundationModelsCommand({ byProvider: "Anthropic" }));
    return reply.modelSummaries.map((row) => row.modelId);
  },
};

for (const name of process.argv.slice(2)) {
  let line;
  try {
    line = { name, protocol: runtime.config.requestHandler.metadata?.handlerProtocol, value: await scenarios[name]() };
  } catch (error) {
    const { name: kind, message, $metadata, $fault } = error;
    line = { name, error: kind, message, status: $metadata?.httpStatusCode, fault: $fault };
  }
  console.log(JSON.stringify(line));
}
runtime.destroy();
