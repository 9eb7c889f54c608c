import Anthropic from "@anthropic-ai/sdk";
import { both, counted, each, gateway, hangsUp, isReport, key, must, once, one, png, poor, question, refusal, report, simulated, some, stopWord, thrown, time, toolSaid, weather } from "./check.mjs";

const client = new Anthropic({ baseURL: gateway, apiKey: key });
const user = (content) => [{ role: "user", content }];
const tools = [weather, time].map((t) => ({ name: t.name, description: t.description, input_schema: t.schema }));
const first = process.env.DIALECTS.split(" ")[0];
const create = (o) => client.messages.create({ max_tokens: 400, ...o });

await each("chat", async (model) => {
  const { data, response } = await client.messages.create({ model, max_tokens: 200, system: "Be brief.", messages: user(question) }).withResponse();
  must(simulated(data.content[0].text) && data.stop_reason === "end_turn" && data.type === "message", data);
  for (const h of ["receipt", "model", "provider", "zone", "reason", "cost"]) must(response.headers.get(`x-starling-${h}`), `no x-starling-${h}`);
});
await each("stream", async (model) => {
  const kinds = [];
  const stream = client.messages.stream({ model, max_tokens: 200, messages: user(question) }).on("streamEvent", (e) => kinds.push(e.type));
  const said = await stream.finalMessage();
  must(simulated(said.content[0].text) && said.stop_reason === "end_turn", said);
  must(kinds[0] === "message_start" && kinds.at(-1) === "message_stop" && kinds.filter((k) => k === "content_block_delta").length > 2, kinds);
});
await each("usage", async (model) => {
  const whole = await create({ model, messages: user(question) });
  must(whole.usage.input_tokens > 0 && whole.usage.output_tokens > 0, whole.usage);
  const streamed = await client.messages.stream({ model, max_tokens: 400, messages: user(question) }).finalMessage();
  must(streamed.usage.output_tokens === whole.usage.output_tokens && streamed.usage.input_tokens === whole.usage.input_tokens, { streamed: streamed.usage, whole: whole.usage });
});
const loop = (feature, prompt, n) => each(feature, async (model) => {
  const messages = user(prompt);
  const said = await client.messages.stream({ model, max_tokens: 400, tools: n === 1 ? tools.slice(0, 1) : tools, messages }).finalMessage();
  const calls = said.content.filter((b) => b.type === "tool_use");
  must(said.stop_reason === "tool_use" && calls.length === n && calls.every((c) => typeof c.input.city === "string"), said);
  messages.push({ role: "assistant", content: said.content }, { role: "user", content: calls.map((c) => ({ type: "tool_result", tool_use_id: c.id, content: "fine" })) });
  const end = await create({ model, tools, messages });
  must(end.stop_reason === "end_turn" && toolSaid(end.content[0].text), end);
});
await loop("tools", one, 1);
await loop("parallel", both, 2);
await each("images", async (model) => {
  const plain = await create({ model, messages: user(question) });
  const seen = await create({ model, messages: user([{ type: "image", source: { type: "base64", media_type: "image/png", data: png } }, { type: "text", text: question }]) });
  must(seen.usage.input_tokens > plain.usage.input_tokens + 50, { plain: plain.usage, seen: seen.usage });
});
await each("schema", async (model) => {
  const said = await create({ model, messages: user(question), output_config: { format: { type: "json_schema", schema: report } } });
  must(isReport(JSON.parse(said.content[0].text)), said);
});
await each("stop", async (model) => {
  const said = await create({ model, messages: user(question), stop_sequences: [stopWord] });
  must(!said.content[0].text.includes(stopWord) && ["stop_sequence", "end_turn"].includes(said.stop_reason), said);
});
await each("limit", async (model) => {
  const said = await create({ model, messages: user(question), max_tokens: 5 });
  must(said.stop_reason === "max_tokens", said);
});
await once("error", async () => {
  const e = await thrown(() => create({ model: `${first}-brid`, messages: user("hello") }));
  must(e instanceof Anthropic.NotFoundError && e.message.includes(`${first}-bird`) && e.error.error.type === "not_found_error", `${e?.constructor?.name} ${e.message}`);
});
await once("refused", async () => {
  const e = await refusal(() => new Anthropic({ baseURL: counted, apiKey: poor }).messages.create({ model: `${first}-bird`, max_tokens: 50, messages: user("hello") }));
  must(e instanceof Anthropic.APIError && e.status === 402, `${e?.constructor?.name} ${e.status}`);
});
await each("abort", (_, d) => hangsUp(async () => {
  const stream = await create({ model: `${d}-slow`, stream: true, messages: user(question) });
  return some(stream, () => stream.controller.abort(), 6);
}));
await once("models", async () => {
  const all = [];
  for await (const m of client.models.list()) all.push(m);
  must(all.some((m) => m.id === `${first}-bird` && m.type === "model" && m.display_name), all);
});
await each("count", async (model) => {
  const n = await client.messages.countTokens({ model, system: "Be brief.", messages: user(question), tools });
  const less = await client.messages.countTokens({ model, messages: user(question) });
  must(less.input_tokens > 0 && n.input_tokens > less.input_tokens, { n, less });
});
