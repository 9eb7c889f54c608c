import { createAnthropic } from "@ai-sdk/anthropic";
import { createOpenAI } from "@ai-sdk/openai";
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, embedMany, generateText, jsonSchema, Output, stepCountIs, streamText, tool } from "ai";
import { both, counted, each, gateway, hangsUp, isReport, key, must, once, one, png, poor, question, refusal, report, simulated, some, stopWord, thrown, time, toolSaid, weather } from "./check.mjs";

const first = process.env.DIALECTS.split(" ")[0];

// A mode makes models of a gateway's URL and a key, as the package's users do.
const modes = {
  responses: (url, apiKey) => createOpenAI({ baseURL: `${url}/v1`, apiKey }),
  chat: (url, apiKey) => createOpenAI({ baseURL: `${url}/v1`, apiKey }).chat,
  messages: (url, apiKey) => createAnthropic({ baseURL: `${url}/v1`, apiKey }),
  compatible: (url, apiKey) => createOpenAICompatible({ name: "starling", baseURL: `${url}/v1`, apiKey, includeUsage: true, supportsStructuredOutputs: true }),
};
const mode = process.argv[2];
const make = modes[mode](gateway, key);
const tools = Object.fromEntries([weather, time].map((t) => [t.name, tool({ description: t.description, inputSchema: jsonSchema(t.schema), execute: async ({ city }) => { must(typeof city === "string", "no city"); return `${t.name}: fine`; } })]));
const quiet = { onError() {} };

await each("chat", async (model) => {
  const said = await generateText({ model: make(model), instructions: "Be brief.", prompt: question, maxOutputTokens: 200 });
  must(simulated(said.text) && said.finishReason === "stop" && said.response.headers["x-starling-receipt"], { text: said.text, finish: said.finishReason });
});
await each("stream", async (model) => {
  const said = streamText({ model: make(model), prompt: question, maxOutputTokens: 200, ...quiet });
  let pieces = 0, text = "";
  for await (const piece of said.textStream) { pieces++; text += piece; }
  must(pieces > 2 && simulated(text) && await said.finishReason === "stop", { pieces, text });
});
await each("usage", async (model) => {
  const whole = await generateText({ model: make(model), prompt: question });
  must(whole.usage.inputTokens > 0 && whole.usage.outputTokens > 0, whole.usage);
  const said = streamText({ model: make(model), prompt: question, ...quiet });
  await said.consumeStream();
  must((await said.usage).outputTokens === whole.usage.outputTokens, { streamed: await said.usage, whole: whole.usage });
});
const loop = (feature, prompt, n) => each(feature, async (model) => {
  const offered = n === 1 ? { weather: tools.weather } : tools;
  for (const ask of [generateText, streamText]) {
    const said = ask({ model: make(model), prompt, tools: offered, stopWhen: stepCountIs(3), ...quiet });
    const steps = await (await said).steps;
    const text = await (await said).text;
    must(steps.length === 2 && steps[0].toolCalls.length === n && steps[0].toolResults.length === n && toolSaid(text), { steps: steps.length, calls: steps[0].toolCalls, text });
  }
});
await loop("tools", one, 1);
await loop("parallel", both, 2);
await each("images", async (model) => {
  const plain = await generateText({ model: make(model), prompt: question });
  const seen = await generateText({ model: make(model), messages: [{ role: "user", content: [{ type: "text", text: question }, { type: "file", mediaType: "image/png", data: Buffer.from(png, "base64") }] }] });
  must(seen.usage.inputTokens > plain.usage.inputTokens + 50, { plain: plain.usage, seen: seen.usage });
});
await each("schema", async (model) => {
  const said = await generateText({ model: make(model), prompt: question, output: Output.object({ schema: jsonSchema(report) }) });
  must(isReport(said.output), said.text);
});
await each("stop", async (model) => {
  const said = await generateText({ model: make(model), prompt: question, stopSequences: [stopWord] });
  must(said.finishReason === "stop" && simulated(said.text) && !said.text.includes(stopWord), said.text);
});
await each("limit", async (model) => {
  const said = await generateText({ model: make(model), prompt: question, maxOutputTokens: 16 });
  must(said.finishReason === "length", { finish: said.finishReason, text: said.text });
});
await once("error", async () => {
  const e = await thrown(() => generateText({ model: make(`${first}-brid`), prompt: "hello" }));
  must(APICallError.isInstance(e) && e.statusCode === 404 && e.message.includes(`${first}-bird`), `${e?.name} ${e.message}`);
});
await once("refused", async () => {
  await refusal(() => generateText({ model: modes[mode](counted, poor)(`${first}-bird`), prompt: "hello" }));
});
await each("abort", (_, d) => hangsUp(async () => {
  const abort = new AbortController();
  const said = streamText({ model: make(`${d}-slow`), prompt: question, abortSignal: abort.signal, ...quiet });
  return some(said.textStream, () => abort.abort());
}));
await once("embed", async () => {
  const provider = mode === "chat" ? createOpenAI({ baseURL: `${gateway}/v1`, apiKey: key }) : make;
  const said = await embedMany({ model: provider.embeddingModel("openai-bird"), values: ["a starling", "a barn"] });
  must(said.embeddings.length === 2 && said.embeddings[0].length > 1 && said.usage.tokens > 0, said.usage);
});
