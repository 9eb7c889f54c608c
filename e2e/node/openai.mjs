import OpenAI from "openai";
import { both, counted, each, gateway, hangsUp, isReport, key, must, once, one, png, poor, question, refusal, report, simulated, some, stopWord, thrown, time, toolSaid, weather } from "./check.mjs";

const mode = process.argv[2];
const client = new OpenAI({ baseURL: `${gateway}/v1`, apiKey: key });
const user = (content) => [{ role: "user", content }];
const first = `${process.env.DIALECTS.split(" ")[0]}`;

const modes = { chat, responses, completions };
await modes[mode]();

async function chat() {
  const tools = [weather, time].map((t) => ({ type: "function", function: { name: t.name, description: t.description, parameters: t.schema } }));
  const create = (o) => client.chat.completions.create({ max_tokens: 400, ...o });

  await each("chat", async (model) => {
    const { data, response } = await client.chat.completions.create({ model, max_tokens: 200, messages: [{ role: "system", content: "Be brief." }, ...user(question)] }).withResponse();
    must(simulated(data.choices[0].message.content) && data.choices[0].finish_reason === "stop", data);
    for (const h of ["receipt", "model", "provider", "zone", "reason", "cost"]) must(response.headers.get(`x-starling-${h}`), `no x-starling-${h}`);
  });
  await each("stream", async (model) => {
    const stream = await create({ model, stream: true, messages: user(question) });
    let text = "", finish = null, ids = new Set(), role = null;
    for await (const chunk of stream) {
      must(chunk.choices.length === 1, chunk);
      must(!chunk.usage, "usage that nobody asked for");
      ids.add(chunk.id);
      role ??= chunk.choices[0].delta.role;
      text += chunk.choices[0].delta.content ?? "";
      finish = chunk.choices[0].finish_reason ?? finish;
    }
    must(simulated(text) && finish === "stop" && ids.size === 1 && role === "assistant", { text, finish, ids: [...ids], role });
  });
  await each("usage", async (model) => {
    const whole = await create({ model, messages: user(question) });
    must(whole.usage.prompt_tokens > 0 && whole.usage.completion_tokens > 0 && whole.usage.total_tokens === whole.usage.prompt_tokens + whole.usage.completion_tokens, whole.usage);
    let usage = null;
    for await (const chunk of await create({ model, stream: true, stream_options: { include_usage: true }, messages: user(question) })) usage = chunk.usage ?? usage;
    must(usage?.completion_tokens === whole.usage.completion_tokens, { streamed: usage, whole: whole.usage });
  });
  for (const stream of [false, true]) await each("tools", async (model) => {
    const runner = client.chat.completions.runTools({
      model, max_tokens: 400, stream, messages: user(one),
      tools: [{ type: "function", function: { name: weather.name, description: weather.description, parameters: weather.schema, parse: JSON.parse, function: async ({ city }) => { must(typeof city === "string", "no city"); return "sunny"; } } }],
    });
    must(toolSaid(await runner.finalContent()) && runner.messages.some((m) => m.role === "tool"), runner.messages);
  });
  await each("parallel", async (model) => {
    const messages = user(both);
    const said = (await client.chat.completions.stream({ model, max_tokens: 400, messages, tools }).finalChatCompletion()).choices[0];
    must(said.finish_reason === "tool_calls" && said.message.tool_calls.length === 2 && new Set(said.message.tool_calls.map((c) => c.id)).size === 2, said);
    messages.push(said.message, ...said.message.tool_calls.map((c) => ({ role: "tool", tool_call_id: c.id, content: `${c.function.name}: fine` })));
    const end = (await create({ model, messages, tools })).choices[0];
    must(toolSaid(end.message.content) && end.finish_reason === "stop", end);
  });
  await each("images", async (model) => {
    const plain = await create({ model, messages: user(question) });
    const seen = await create({ model, messages: user([{ type: "text", text: question }, { type: "image_url", image_url: { url: `data:image/png;base64,${png}` } }]) });
    must(seen.usage.prompt_tokens > plain.usage.prompt_tokens + 50, { plain: plain.usage, seen: seen.usage });
  });
  await each("schema", async (model) => {
    const said = await client.chat.completions.parse({ model, max_tokens: 400, messages: user(question), response_format: { type: "json_schema", json_schema: { name: "report", strict: true, schema: report } } });
    must(isReport(JSON.parse(said.choices[0].message.content)), said.choices[0]);
  });
  await each("stop", async (model) => {
    const c = (await create({ model, messages: user(question), stop: [stopWord] })).choices[0];
    must(c.finish_reason === "stop" && simulated(c.message.content) && !c.message.content.includes(stopWord), c);
  });
  await each("limit", async (model) => {
    const c = (await create({ model, messages: user(question), max_tokens: undefined, max_completion_tokens: 5 })).choices[0];
    must(c.finish_reason === "length", c);
  });
  await once("error", async () => {
    const e = await thrown(() => create({ model: `${first}-brid`, messages: user("hello") }));
    must(e instanceof OpenAI.NotFoundError && e.message.includes(`${first}-bird`) && e.requestID, `${e?.constructor?.name} ${e.message}`);
  });
  await once("refused", async () => {
    const e = await refusal(() => new OpenAI({ baseURL: `${counted}/v1`, apiKey: poor }).chat.completions.create({ model: `${first}-bird`, messages: user("hello") }));
    must(e instanceof OpenAI.RateLimitError && e.type === "insufficient_quota", `${e?.constructor?.name} ${e.type}`);
  });
  await each("abort", (_, d) => hangsUp(async () => {
    const stream = await create({ model: `${d}-slow`, stream: true, messages: user(question) });
    return some(stream, () => stream.controller.abort());
  }));
  await once("models", async () => {
    const all = [];
    for await (const m of client.models.list()) all.push(m.id);
    must(all.includes(`${first}-bird`), all);
    const m = await client.models.retrieve(`${first}-bird`);
    must(m.object === "model", m);
  });
  await once("moderate", async () => {
    const said = await client.moderations.create({ model: "openai-moderation", input: ["What do starlings eat?", "I will kill you"] });
    must(said.results.length === 2 && !said.results[0].flagged && said.results[1].flagged && said.results[1].category_scores.violence > 0.5, said);
  });
  await once("embed", async () => {
    const known = await client.embeddings.create({ model: "openai-bird", input: ["a starling", "a barn"], dimensions: 8 });
    must(known.data.length === 2 && known.data[0].embedding.length === 8 && known.data[0].embedding.every(Number.isFinite) && known.usage.prompt_tokens > 0, known);
    const floats = await client.embeddings.create({ model: "openai-bird", input: ["a starling", "a barn"], dimensions: 8, encoding_format: "float" });
    must(floats.data[0].embedding.every((x, i) => Math.abs(x - known.data[0].embedding[i]) < 1e-6), "base64 and float differ");
  });
}

async function responses() {
  const tools = [weather, time].map((t) => ({ type: "function", name: t.name, description: t.description, parameters: t.schema, strict: true }));
  const create = (o) => client.responses.create({ max_output_tokens: 400, store: false, ...o });

  await each("chat", async (model) => {
    const { data, response } = await client.responses.create({ model, instructions: "Be brief.", input: question, store: false }).withResponse();
    must(simulated(data.output_text) && data.status === "completed" && data.object === "response", data);
    must(response.headers.get("x-starling-receipt"), "no receipt");
  });
  await each("stream", async (model) => {
    const kinds = [];
    let text = "", at = -1;
    for await (const e of await create({ model, input: question, stream: true })) {
      kinds.push(e.type);
      must(e.sequence_number === at + 1, `${e.type} is number ${e.sequence_number} after ${at}`);
      at = e.sequence_number;
      if (e.type === "response.output_text.delta") text += e.delta;
      if (e.type === "response.completed") must(e.response.output[0].content[0].text === text && simulated(text), e.response);
    }
    for (const k of ["response.created", "response.output_item.added", "response.content_part.added", "response.output_text.done", "response.content_part.done", "response.output_item.done", "response.completed"]) must(kinds.includes(k), `no ${k}: ${kinds}`);
    must(kinds[0] === "response.created" && kinds.at(-1) === "response.completed", kinds);
  });
  await each("usage", async (model) => {
    const whole = await create({ model, input: question });
    must(whole.usage.input_tokens > 0 && whole.usage.output_tokens > 0 && whole.usage.total_tokens > 0 && "cached_tokens" in whole.usage.input_tokens_details, whole.usage);
    const streamed = await client.responses.stream({ model, input: question, store: false }).finalResponse();
    must(streamed.usage.output_tokens === whole.usage.output_tokens, streamed.usage);
  });
  const loop = (feature, prompt, n) => each(feature, async (model) => {
    const input = user(prompt);
    const said = await client.responses.stream({ model, input, tools: n === 1 ? tools.slice(0, 1) : tools, store: false, max_output_tokens: 400 }).finalResponse();
    const calls = said.output.filter((o) => o.type === "function_call");
    must(calls.length === n && calls.every((c) => typeof JSON.parse(c.arguments).city === "string"), said.output);
    input.push(...said.output, ...calls.map((c) => ({ type: "function_call_output", call_id: c.call_id, output: "fine" })));
    const end = await create({ model, input, tools });
    must(toolSaid(end.output_text), end.output);
  });
  await loop("tools", one, 1);
  await loop("parallel", both, 2);
  await each("images", async (model) => {
    const plain = await create({ model, input: question });
    const seen = await create({ model, input: [{ role: "user", content: [{ type: "input_text", text: question }, { type: "input_image", image_url: `data:image/png;base64,${png}`, detail: "auto" }] }] });
    must(seen.usage.input_tokens > plain.usage.input_tokens + 50, { plain: plain.usage, seen: seen.usage });
  });
  await each("schema", async (model) => {
    const said = await client.responses.parse({ model, input: question, store: false, text: { format: { type: "json_schema", name: "report", strict: true, schema: report } } });
    must(isReport(said.output_parsed), said.output);
  });
  await each("limit", async (model) => {
    const said = await create({ model, input: question, max_output_tokens: 16 });
    must(said.status === "incomplete" && said.incomplete_details.reason === "max_output_tokens", said);
  });
  await once("error", async () => {
    const e = await thrown(() => create({ model: `${first}-brid`, input: "hello" }));
    must(e instanceof OpenAI.NotFoundError && e.message.includes(`${first}-bird`), `${e?.constructor?.name} ${e.message}`);
  });
  await once("refused", async () => {
    const e = await refusal(() => new OpenAI({ baseURL: `${counted}/v1`, apiKey: poor }).responses.create({ model: `${first}-bird`, input: "hello" }));
    must(e instanceof OpenAI.BadRequestError, e?.constructor?.name);
  });
  await each("abort", (_, d) => hangsUp(async () => {
    const stream = await create({ model: `${d}-slow`, stream: true, input: question });
    return some(stream, () => stream.controller.abort(), 8);
  }));
}

async function completions() {
  const create = (o) => client.completions.create({ max_tokens: 200, prompt: question, ...o });
  await each("chat", async (model) => {
    const said = await create({ model });
    must(simulated(said.choices[0].text) && said.choices[0].finish_reason === "stop" && said.object === "text_completion", said);
  });
  await each("stream", async (model) => {
    let text = "", finish = null;
    for await (const c of await create({ model, stream: true })) { text += c.choices[0].text; finish = c.choices[0].finish_reason ?? finish; }
    must(simulated(text) && finish === "stop", { text, finish });
  });
  await each("stop", async (model) => {
    const c = (await create({ model, stop: stopWord })).choices[0];
    must(c.finish_reason === "stop" && !c.text.includes(stopWord), c);
  });
  await each("limit", async (model) => {
    const c = (await create({ model, max_tokens: 5 })).choices[0];
    must(c.finish_reason === "length", c);
  });
  await each("usage", async (model) => {
    const said = await create({ model });
    must(said.usage.prompt_tokens > 0 && said.usage.completion_tokens > 0, said.usage);
  });
  await once("error", async () => {
    const e = await thrown(() => create({ model: `${first}-brid` }));
    must(e instanceof OpenAI.NotFoundError && e.message.includes(`${first}-bird`), e.message);
  });
  await once("refused", () => refusal(() => new OpenAI({ baseURL: `${counted}/v1`, apiKey: poor }).completions.create({ model: `${first}-bird`, prompt: "hello" })));
  await each("abort", (_, d) => hangsUp(async () => {
    const stream = await create({ model: `${d}-slow`, max_tokens: 2000, stream: true });
    return some(stream, () => stream.controller.abort());
  }));
}
