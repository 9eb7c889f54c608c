import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { counts, each, gateway, hangsUp, key, must, once, poor, question, simulated } from "./check.mjs";

const mode = process.argv[2];
const first = process.env.DIALECTS.split(" ")[0];
const offered = ["ask", "estimate", "explain", "feedback", "models", "savings"];

// connect opens a client for whoever has the key: to a program that it starts, or to
// the gateway itself.
async function connect(secret = key) {
  const { PATH, HOME, STARLING } = process.env;
  const over = mode === "stdio"
    ? new StdioClientTransport({ command: STARLING, args: ["mcp", "--gateway", gateway], env: { PATH, HOME, STARLING_KEY: secret } })
    : new StreamableHTTPClientTransport(new URL(`${gateway}/mcp`), { requestInit: { headers: { Authorization: `Bearer ${secret}` } } });
  const client = new Client({ name: "starling-e2e", version: "1" });
  await client.connect(over);
  return client;
}

const client = await connect();
const use = (name, args, options) => client.callTool({ name, arguments: args }, undefined, options);
const told = (result) => result.content.map((c) => c.text).join("");

await once("offer", async () => {
  const { tools } = await client.listTools(); // after which it checks what tools return against their shapes
  must(JSON.stringify(tools.map((t) => t.name).sort()) === JSON.stringify(offered), tools.map((t) => t.name));
  must(tools.every((t) => t.description && t.inputSchema && t.outputSchema && t.annotations), tools);
  const bytes = JSON.stringify(tools).length;
  must(bytes < 6 << 10, `the list has ${bytes} bytes`);
});
await each("chat", async (model) => {
  const { structuredContent: said, isError } = await use("ask", { task: question, model, system: "Be brief.", class: "internal", budget: 0.5 });
  must(!isError && simulated(said.answer) && said.simulated && said.finish === "stop" && said.zone === "machine" && said.cost_usd > 0 && said.receipt.startsWith("rcp_"), said);
});
await each("plan", async (model, d) => {
  const before = (await counts()).upstream.asked;
  const { structuredContent: plan } = await use("estimate", { task: question, model });
  must(plan.candidates.length === 1 && plan.candidates[0].model === `${d}-bird/bird` && plan.candidates[0].worst_usd >= plan.expected_usd && plan.expected_usd > 0, plan);
  must((await counts()).upstream.asked === before, "an estimate asked somebody");
});
await each("receipt", async (model) => {
  const { structuredContent: said } = await use("ask", { task: question, model });
  const { contents } = await client.readResource({ uri: `starling://receipts/${said.receipt}` });
  const sealed = JSON.parse(contents[0].text);
  must(sealed.id === said.receipt && sealed.receipt.cost_nanodollars === Math.round(said.cost_usd * 1e9) && sealed.checkpoint, sealed);
  const { structuredContent: why } = await use("explain", { receipt: said.receipt });
  must(why.outcome === "answered" && why.attempts.length === 1 && why.cost_usd === said.cost_usd, why);
});
await once("models", async () => {
  const { structuredContent: list } = await use("models", {});
  must(list.skills.length > 0 && list.models.some((m) => m.id === `${first}-bird`), list);
  const { contents } = await client.readResource({ uri: `starling://skills/${list.skills[0].name}` });
  must(contents.some((c) => c.text.includes("candidates:")), contents);
});
await once("error", async () => {
  const result = await use("ask", { task: question, model: `${first}-brid` });
  must(result.isError && told(result).startsWith("not_found: ") && told(result).includes(`${first}-bird`), result);
});
await once("refused", async () => {
  const before = (await counts()).upstream.asked;
  const beggar = await connect(poor);
  const result = await beggar.callTool({ name: "ask", arguments: { task: question, model: `${first}-bird` } });
  await beggar.close();
  must(result.isError && told(result).startsWith("over_budget: ") && /budget/.test(told(result)) && told(result).includes("rcp_"), result);
  must((await counts()).upstream.asked === before, "the upstream was asked");
});
// It leaves at the first sign of life: without one it is answered, which fails. (A quick
// answer is no place to look for a sign: read together with the answer, this client drops
// it.) Over HTTP without sessions a message that cancels another finds nothing to cancel: it
// is the connection that ends a call.
await each("abort", (_, d) => hangsUp(async () => {
  const guest = await connect();
  const leave = new AbortController();
  const call = guest.callTool({ name: "ask", arguments: { task: question, model: `${d}-slow` } }, undefined, {
    signal: leave.signal, onprogress: () => setTimeout(() => (mode === "stdio" ? leave.abort() : guest.close()), 300),
  });
  await call.then(() => must(false, "it answered"), () => {});
  await guest.close();
  return 1;
}));
await client.close();
