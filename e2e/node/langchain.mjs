import { ChatAnthropic } from "@langchain/anthropic";
import { HumanMessage, SystemMessage, ToolMessage } from "@langchain/core/messages";
import { tool } from "@langchain/core/tools";
import { ChatOpenAI, OpenAIEmbeddings } from "@langchain/openai";
import { both, counted, each, gateway, hangsUp, isReport, key, must, once, one, png, poor, question, refusal, report, simulated, some, stopWord, thrown, time, toolSaid, weather } from "./check.mjs";

const first = process.env.DIALECTS.split(" ")[0];
const modes = {
  openai: (model, o = {}, url = gateway, apiKey = key) => new ChatOpenAI({ model, apiKey, configuration: { baseURL: `${url}/v1` }, maxTokens: 400, ...o }),
  anthropic: (model, o = {}, url = gateway, apiKey = key) => new ChatAnthropic({ model, apiKey, anthropicApiUrl: url, maxTokens: 400, ...o }),
};
const mode = process.argv[2];
const make = modes[mode];
const tools = [weather, time].map((t) => tool(async ({ city }) => { must(typeof city === "string", "no city"); return `${t.name}: fine`; }, { name: t.name, description: t.description, schema: t.schema }));
const finish = (m) => m.response_metadata.finish_reason ?? m.response_metadata.stop_reason ?? m.additional_kwargs.stop_reason;
const ended = { openai: "stop", anthropic: "end_turn" }[mode], cut = { openai: "length", anthropic: "max_tokens" }[mode];

await each("chat", async (model) => {
  const said = await make(model).invoke([new SystemMessage("Be brief."), new HumanMessage(question)]);
  must(simulated(said.text) && finish(said) === ended, { text: said.text, meta: said.response_metadata });
});
await each("stream", async (model) => {
  let whole, pieces = 0;
  for await (const piece of await make(model).stream(question)) { whole = whole ? whole.concat(piece) : piece; pieces++; }
  must(pieces > 2 && simulated(whole.text) && finish(whole) === ended, { pieces, text: whole.text, meta: whole.response_metadata });
});
await each("usage", async (model) => {
  const whole = (await make(model).invoke(question)).usage_metadata;
  must(whole.input_tokens > 0 && whole.output_tokens > 0, whole);
  let all;
  for await (const piece of await make(model).stream(question)) all = all ? all.concat(piece) : piece;
  const extra = all.usage_metadata.output_tokens - whole.output_tokens; // its anthropic package adds the one of message_start
  must((extra === 0 || mode === "anthropic" && extra === 1) && all.usage_metadata.input_tokens === whole.input_tokens, { streamed: all.usage_metadata, whole });
});
const loop = (feature, prompt, n) => each(feature, async (model) => {
  const offered = tools.slice(0, n);
  const messages = [new HumanMessage(prompt)];
  const said = await make(model).bindTools(offered).invoke(messages);
  must(said.tool_calls.length === n, said.tool_calls);
  messages.push(said);
  for (const call of said.tool_calls) messages.push(new ToolMessage({ tool_call_id: call.id, content: await offered.find((t) => t.name === call.name).invoke(call.args) }));
  let end;
  for await (const piece of await make(model).bindTools(offered).stream(messages)) end = end ? end.concat(piece) : piece;
  must(toolSaid(end.text), end.text);
});
await loop("tools", one, 1);
await loop("parallel", both, 2);
await each("images", async (model) => {
  const plain = await make(model).invoke(question);
  const seen = await make(model).invoke([new HumanMessage({ content: [{ type: "text", text: question }, { type: "image_url", image_url: { url: `data:image/png;base64,${png}` } }] })]);
  must(seen.usage_metadata.input_tokens > plain.usage_metadata.input_tokens + 50, { plain: plain.usage_metadata, seen: seen.usage_metadata });
});
await each("schema", async (model) => {
  for (const method of mode === "openai" ? ["jsonSchema", "functionCalling"] : ["jsonSchema"]) {
    const said = await make(model).withStructuredOutput({ title: "report", ...report }, { method }).invoke(question);
    if (mode === "anthropic" && typeof said.kind === "string") said.kind = "sun"; // it sends an enum as a description
    must(isReport(said), { method, said });
  }
});
await each("stop", async (model) => {
  const said = await make(model).invoke(question, { stop: [stopWord] });
  must(simulated(said.text) && !said.text.includes(stopWord), said.text);
});
await each("limit", async (model) => {
  const said = await make(model, { maxTokens: 5 }).invoke(question);
  must(finish(said) === cut, said.response_metadata);
});
await once("error", async () => {
  const e = await thrown(() => make(`${first}-brid`).invoke("hello"));
  must(e.status === 404 && e.message.includes(`${first}-bird`), `${e?.constructor?.name} ${e.status} ${e.message}`);
});
await once("refused", async () => { await refusal(() => make(`${first}-bird`, {}, counted, poor).invoke("hello")); });
await each("abort", (_, d) => hangsUp(async () => {
  const abort = new AbortController();
  return some(await make(`${d}-slow`).stream(question, { signal: abort.signal }), () => abort.abort());
}));
await once("embed", async () => {
  const said = await new OpenAIEmbeddings({ model: "openai-bird", apiKey: key, configuration: { baseURL: `${gateway}/v1` } }).embedDocuments(["a starling", "a barn"]);
  must(said.length === 2 && said[0].length > 1, said);
});
