import { ApiError, FunctionCallingConfigMode, GoogleGenAI } from "@google/genai";
import { both, counted, each, gateway, hangsUp, isReport, key, must, once, one, png, poor, question, refusal, report, simulated, some, stopWord, thrown, time, toolSaid, weather } from "./check.mjs";

const first = process.env.DIALECTS.split(" ")[0];
const at = (baseUrl, apiKey) => new GoogleGenAI({ apiKey, httpOptions: { baseUrl } });
const client = at(gateway, key);
const functions = [weather, time].map((t) => ({ name: t.name, description: t.description, parametersJsonSchema: t.schema }));
const ask = (o) => client.models.generateContent({ contents: question, ...o });

await each("chat", async (model) => {
  const said = await ask({ model, config: { systemInstruction: "Be brief.", maxOutputTokens: 200 } });
  must(simulated(said.text) && said.candidates[0].finishReason === "STOP" && said.candidates[0].content.role === "model", said);
});
await each("stream", async (model) => {
  let text = "", pieces = 0, finish;
  for await (const c of await client.models.generateContentStream({ model, contents: question })) { pieces++; text += c.text ?? ""; finish = c.candidates?.[0]?.finishReason ?? finish; }
  must(pieces > 2 && simulated(text) && finish === "STOP", { pieces, text, finish });
});
await each("usage", async (model) => {
  const whole = (await ask({ model })).usageMetadata;
  must(whole.promptTokenCount > 0 && whole.candidatesTokenCount > 0 && whole.totalTokenCount > 0, whole);
  let usage;
  for await (const c of await client.models.generateContentStream({ model, contents: question })) usage = c.usageMetadata ?? usage;
  must(usage.candidatesTokenCount === whole.candidatesTokenCount, { streamed: usage, whole });
});
const loop = (feature, prompt, n) => each(feature, async (model) => {
  const config = { tools: [{ functionDeclarations: functions.slice(0, n) }], toolConfig: { functionCallingConfig: { mode: FunctionCallingConfigMode.AUTO } } };
  const contents = [{ role: "user", parts: [{ text: prompt }] }];
  const said = await ask({ model, contents, config });
  must(said.functionCalls?.length === n && said.functionCalls.every((c) => typeof c.args.city === "string"), said);
  contents.push(said.candidates[0].content, { role: "user", parts: said.functionCalls.map((c) => ({ functionResponse: { id: c.id, name: c.name, response: { output: "fine" } } })) });
  let text = "";
  for await (const c of await client.models.generateContentStream({ model, contents, config })) text += c.text ?? "";
  must(toolSaid(text), text);
});
await loop("tools", one, 1);
await loop("parallel", both, 2);
await each("images", async (model) => {
  const plain = await ask({ model });
  const seen = await ask({ model, contents: [{ role: "user", parts: [{ text: question }, { inlineData: { mimeType: "image/png", data: png } }] }] });
  must(seen.usageMetadata.promptTokenCount > plain.usageMetadata.promptTokenCount + 50, { plain: plain.usageMetadata, seen: seen.usageMetadata });
});
await each("schema", async (model) => {
  const said = await ask({ model, config: { responseMimeType: "application/json", responseJsonSchema: report } });
  must(isReport(JSON.parse(said.text)), said.text);
});
await each("stop", async (model) => {
  const said = await ask({ model, config: { stopSequences: [stopWord] } });
  must(simulated(said.text) && !said.text.includes(stopWord) && said.candidates[0].finishReason === "STOP", said);
});
await each("limit", async (model) => {
  const said = await ask({ model, config: { maxOutputTokens: 5 } });
  must(said.candidates[0].finishReason === "MAX_TOKENS", said);
});
await once("error", async () => {
  const e = await thrown(() => ask({ model: `${first}-brid` }));
  must(e instanceof ApiError && e.status === 404 && e.message.includes(`${first}-bird`), `${e?.constructor?.name} ${e.status} ${e.message}`);
});
await once("refused", async () => { await refusal(() => at(counted, poor).models.generateContent({ model: `${first}-bird`, contents: "hello" })); });
await each("abort", (_, d) => hangsUp(async () => {
  const abort = new AbortController();
  return some(await client.models.generateContentStream({ model: `${d}-slow`, contents: question, config: { abortSignal: abort.signal } }), () => abort.abort());
}));
await once("models", async () => {
  const all = [];
  for await (const m of await client.models.list()) all.push(m.name);
  must(all.some((name) => name.endsWith(`${first}-bird`)), all);
});
await each("count", async (model) => {
  const n = await client.models.countTokens({ model, contents: question });
  must(n.totalTokens > 0, n);
});
await once("embed", async () => {
  for (const model of ["openai-bird", "gemini-bird"]) {
    const said = await client.models.embedContent({ model, contents: ["a starling", "a barn"], config: { outputDimensionality: 8, taskType: "CLUSTERING" } });
    must(said.embeddings.length === 2 && said.embeddings.every((e) => e.values.length === 8), said);
  }
});
