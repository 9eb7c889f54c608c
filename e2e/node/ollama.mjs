import { Ollama } from "ollama";
import { both, counted, each, gateway, hangsUp, isReport, key, must, once, one, png, poor, question, refusal, report, simulated, some, stopWord, thrown, time, toolSaid, weather } from "./check.mjs";

const first = process.env.DIALECTS.split(" ")[0];
const at = (host, secret) => new Ollama({ host, headers: { Authorization: `Bearer ${secret}` } });
const client = at(gateway, key);
const user = (content) => [{ role: "user", content }];
const tools = [weather, time].map((t) => ({ type: "function", function: { name: t.name, description: t.description, parameters: t.schema } }));
const ask = (o) => client.chat({ messages: user(question), stream: false, ...o });

await each("chat", async (model) => {
  const said = await ask({ model, messages: [{ role: "system", content: "Be brief." }, ...user(question)] });
  must(simulated(said.message.content) && said.done && said.done_reason === "stop" && said.created_at, said);
  const alone = await client.generate({ model, prompt: question, stream: false });
  must(simulated(alone.response) && alone.done, alone);
});
await each("stream", async (model) => {
  let text = "", pieces = 0, end;
  for await (const c of await client.chat({ model, messages: user(question), stream: true })) { pieces++; text += c.message.content; end = c; }
  must(pieces > 2 && simulated(text) && end.done && end.done_reason === "stop", { pieces, text, end });
  text = "";
  for await (const c of await client.generate({ model, prompt: question, stream: true })) { text += c.response; end = c; }
  must(simulated(text) && end.done, { text, end });
});
await each("usage", async (model) => {
  const whole = await ask({ model });
  must(whole.prompt_eval_count > 0 && whole.eval_count > 0 && whole.total_duration > 0, whole);
  let end;
  for await (const c of await client.chat({ model, messages: user(question), stream: true })) end = c;
  must(end.eval_count === whole.eval_count && end.prompt_eval_count === whole.prompt_eval_count, { end, whole });
});
const loop = (feature, prompt, n) => each(feature, async (model) => {
  const messages = user(prompt), offered = tools.slice(0, n), calls = [];
  let said = { role: "assistant", content: "" };
  for await (const c of await client.chat({ model, messages, tools: offered, stream: true })) { said.content += c.message.content; calls.push(...c.message.tool_calls ?? []); }
  must(calls.length === n && calls.every((c) => typeof c.function.arguments.city === "string"), calls);
  messages.push({ ...said, tool_calls: calls }, ...calls.map((c) => ({ role: "tool", tool_name: c.function.name, content: "fine" })));
  const end = await ask({ model, messages, tools: offered });
  must(toolSaid(end.message.content), end);
});
await loop("tools", one, 1);
await loop("parallel", both, 2);
await each("images", async (model) => {
  const plain = await ask({ model });
  const seen = await ask({ model, messages: [{ role: "user", content: question, images: [png] }] });
  must(seen.prompt_eval_count > plain.prompt_eval_count + 50, { plain, seen });
});
await each("schema", async (model) => {
  const said = await ask({ model, format: report });
  must(isReport(JSON.parse(said.message.content)), said);
});
await each("stop", async (model) => {
  const said = await ask({ model, options: { stop: [stopWord] } });
  must(simulated(said.message.content) && !said.message.content.includes(stopWord) && said.done_reason === "stop", said);
});
await each("limit", async (model) => {
  const said = await ask({ model, options: { num_predict: 5 } });
  must(said.done_reason === "length", said);
});
await once("error", async () => {
  const e = await thrown(() => ask({ model: `${first}-brid` }));
  must(e.name === "ResponseError" && e.status_code === 404 && e.message.includes(`${first}-bird`), `${e?.name} ${e.status_code} ${e.message}`);
});
await once("refused", async () => { await refusal(() => at(counted, poor).chat({ model: `${first}-bird`, messages: user("hello"), stream: false })); });
await each("abort", (_, d) => hangsUp(async () => {
  const stream = await client.chat({ model: `${d}-slow`, messages: user(question), stream: true });
  return some(stream, () => stream.abort());
}));
await once("models", async () => {
  const { models } = await client.list();
  must(models.some((m) => m.name.startsWith(`${first}-bird`)), models.map((m) => m.name));
  const shown = await client.show({ model: `${first}-bird` });
  must(shown.details, shown);
});
await once("embed", async () => {
  const said = await client.embed({ model: "openai-bird", input: ["a starling", "a barn"] });
  must(said.embeddings.length === 2 && said.embeddings[0].length > 1, said);
});
