import Anthropic from "@anthropic-ai/sdk";
import { check, gateway, models, must } from "./check.mjs";

const client = new Anthropic({ baseURL: gateway, apiKey: "unused" });
const tools = [{
  name: "weather", description: "the weather of a city",
  input_schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
}];

for (const model of models) {
  await check(`anthropic chats with ${model}`, async () => {
    const { data, response } = await client.messages.create({
      model, max_tokens: 200, system: "Be brief.", messages: [{ role: "user", content: "What do starlings eat?" }],
    }).withResponse();
    must(data.content[0].text.includes("[simulated]") && data.stop_reason === "end_turn" && data.usage.output_tokens > 0, data);
    must(response.headers.get("x-starling-receipt") && response.headers.get("x-starling-cost"), "no receipt or cost");
  });

  await check(`anthropic streams from ${model}`, async () => {
    const stream = client.messages.stream({ model, max_tokens: 200, messages: [{ role: "user", content: "Tell me about murmurations." }] });
    const message = await stream.finalMessage();
    must(message.content[0].text.includes("[simulated]") && message.stop_reason === "end_turn" && message.usage.output_tokens > 0, message);
  });

  await check(`anthropic runs a streamed tool loop with ${model}`, async () => {
    const messages = [{ role: "user", content: "Use the tool: what is the weather in Rome?" }];
    const first = await client.messages.stream({ model, max_tokens: 400, tools, messages }).finalMessage();
    const calls = first.content.filter((b) => b.type === "tool_use");
    must(first.stop_reason === "tool_use" && calls.length > 0 && "city" in calls[0].input, first);
    messages.push({ role: "assistant", content: first.content });
    messages.push({ role: "user", content: calls.map((c) => ({ type: "tool_result", tool_use_id: c.id, content: "sunny, 24 degrees" })) });
    const second = await client.messages.stream({ model, max_tokens: 400, tools, messages }).finalMessage();
    must(second.stop_reason === "end_turn" && second.content[0].text, second);
  });
}

await check("anthropic lists the models", async () => {
  const page = await client.models.list();
  must(page.data.some((m) => m.id === "anthropic-bird" && m.type === "model"), page.data);
});
