import { Agent, OpenAIProvider, Runner, setTracingDisabled, tool } from "@openai/agents";
import OpenAI from "openai";
import { z } from "zod";
import { both, counted, each, gateway, isReport, key, must, once, one, poor, question, refusal, simulated, thrown, toolSaid } from "./check.mjs";

const first = process.env.DIALECTS.split(" ")[0];
const at = (url, apiKey) => new Runner({ modelProvider: new OpenAIProvider({ openAIClient: new OpenAI({ baseURL: `${url}/v1`, apiKey }) }), tracingDisabled: true });
setTracingDisabled(true);
const runner = at(gateway, key), run = runner.run.bind(runner);
const ran = [];
const tools = ["weather", "time"].map((name) => tool({ name, description: `the ${name} in a city`, parameters: z.object({ city: z.string() }), execute: async ({ city }) => { ran.push(name); must(typeof city === "string", "no city"); return `${name}: fine`; } }));
const agent = (model, o = {}) => new Agent({ name: "e2e", instructions: "Be brief.", model, ...o });

await each("chat", async (model) => {
  const said = await run(agent(model), question);
  must(simulated(said.finalOutput), said.finalOutput);
});
await each("stream", async (model) => {
  const said = await run(agent(model), question, { stream: true });
  let text = "", pieces = 0;
  for await (const e of said) if (e.type === "raw_model_stream_event" && e.data.type === "output_text_delta") { pieces++; text += e.data.delta; }
  await said.completed;
  must(pieces > 2 && text === said.finalOutput && simulated(text), { pieces, text });
});
const loop = (feature, prompt, n) => each(feature, async (model) => {
  for (const stream of [false, true]) {
    ran.length = 0;
    const said = await run(agent(model, { tools: tools.slice(0, n) }), prompt, { stream, maxTurns: 3 });
    if (stream) await said.completed;
    must(ran.length === n && toolSaid(said.finalOutput), { ran, text: said.finalOutput });
  }
});
await loop("tools", one, 1);
await loop("parallel", both, 2);
await each("schema", async (model) => {
  const said = await run(agent(model, { outputType: z.object({ city: z.string(), degrees: z.number().int(), kind: z.enum(["sun", "rain"]) }) }), question);
  must(isReport(said.finalOutput), said.finalOutput);
});
await each("usage", async (model) => {
  const u = (await run(agent(model), question)).state.usage;
  must(u.inputTokens > 0 && u.outputTokens > 0 && u.requests === 1, u);
});
await once("error", async () => {
  const e = await thrown(() => run(agent(`${first}-brid`), "hello"));
  must(e.message.includes(`${first}-bird`), e.message);
});
await once("refused", async () => {
  await refusal(() => at(counted, poor).run(agent(`${first}-bird`), "hello"));
});
