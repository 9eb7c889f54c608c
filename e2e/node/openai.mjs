import OpenAI from "openai";
import { check, gateway, models, must } from "./check.mjs";

const client = new OpenAI({ baseURL: `${gateway}/v1`, apiKey: "unused" });
const tools = [{
  type: "function",
  function: {
    name: "weather", description: "the weather of a city",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
}];

for (const model of models) {
  await check(`openai chats with ${model}`, async () => {
    const { data, response } = await client.chat.completions.create({
      model, max_tokens: 200, messages: [{ role: "system", content: "Be brief." }, { role: "user", content: "What do starlings eat?" }],
    }).withResponse();
    must(data.choices[0].message.content.includes("[simulated]") && data.choices[0].finish_reason === "stop" && data.usage.completion_tokens > 0, data);
    must(response.headers.get("x-starling-receipt") && response.headers.get("x-starling-cost"), "no receipt or cost");
  });

  await check(`openai streams from ${model}, without usage that it did not ask for`, async () => {
    const stream = await client.chat.completions.create({ model, max_tokens: 200, stream: true, messages: [{ role: "user", content: "Tell me about murmurations." }] });
    let text = "", finish = null;
    for await (const chunk of stream) {
      must(chunk.choices.length === 1, chunk);
      must(!("usage" in chunk), chunk);
      text += chunk.choices[0].delta.content ?? "";
      finish = chunk.choices[0].finish_reason ?? finish;
    }
    must(text.includes("[simulated]") && finish === "stop", { text, finish });
  });

  await check(`openai runs a streamed tool loop with ${model}`, async () => {
    const runner = client.chat.completions.runTools({
      model, max_tokens: 400, stream: true, messages: [{ role: "user", content: "Use the tool: what is the weather in Rome?" }],
      tools: [{ type: "function", function: { ...tools[0].function, parse: JSON.parse, function: async ({ city }) => `sunny in ${city}` } }],
    });
    const text = await runner.finalContent();
    must(text && runner.messages.some((m) => m.role === "tool"), runner.messages);
  });
}

await check("openai is refused once, not three times, when the budget or the policy says no", async () => {
  let requests = 0;
  const counting = new OpenAI({ baseURL: `${gateway}/v1`, apiKey: "unused", fetch: (...args) => { requests++; return fetch(...args); } });
  try {
    await counting.chat.completions.create({ model: "openai-bird", messages: [{ role: "user", content: "x" }] }, { headers: { "X-Starling-Class": "no-such-class" } });
    must(false, "not refused");
  } catch (e) {
    must(e.status === 400 && requests === 1, `status ${e.status} after ${requests} requests: ${e.message}`);
  }
});

await check("openai lists the models", async () => {
  const page = await client.models.list();
  must(page.data.some((m) => m.id === "openai-bird"), page.data);
});
