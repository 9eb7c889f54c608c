// What every script needs: where the gateway is, what to ask, and how to say what
// was found, "ok <feature> <dialect>", a line each.
export const { GATEWAY: gateway, COUNTED: counted, KEY: key, POOR: poor } = process.env;
export const dialects = process.env.DIALECTS.split(" ").filter(Boolean);
const left = new Set(process.env.SKIP.split(" "));
const patience = 20_000;

// each checks a feature with the model behind every upstream; once, with none in
// particular.
export async function each(feature, body) {
  for (const d of dialects) await check(feature, d, () => body(`${d}-bird`, d));
}
export const once = (feature, body) => check(feature, "-", body);

async function check(feature, dialect, body) {
  if (left.has(feature)) return;
  let timer;
  const late = new Promise((_, no) => { timer = setTimeout(() => no(new Error(`no end after ${patience} ms`)), patience); });
  try {
    await Promise.race([body(), late]);
    console.log(`ok ${feature} ${dialect}`);
  } catch (e) {
    console.log(`not ok ${feature} ${dialect}: ${String(e?.stack && process.env.STACKS ? e.stack : e?.message || e).replaceAll("\n", " ").slice(0, 600)}`);
  } finally {
    clearTimeout(timer);
  }
}

export function must(condition, what) {
  if (!condition) throw new Error(typeof what === "string" ? what : JSON.stringify(what));
}

// simulated is in everything that the upstreams say.
export const simulated = (text) => typeof text === "string" && text.includes("[simulated]");
export const toolSaid = (text) => simulated(text) && text.includes("The tool answered:");

export async function counts() {
  return (await fetch(process.env.COUNTS)).json();
}

// refusal returns what body throws, having checked that it asked once.
export async function refusal(body) {
  const before = (await counts()).gateway.asked;
  const e = await thrown(body);
  const asked = (await counts()).gateway.asked - before;
  must(/budget/i.test(String(e?.message)), `nobody reads why: ${e?.message}`);
  must(asked === 1, `asked ${asked} times: ${e?.message}`);
  return e;
}

export async function thrown(body) {
  let out;
  try {
    out = await body();
  } catch (e) {
    return e;
  }
  throw new Error(`not refused: ${JSON.stringify(out)}`);
}

// hangsUp has body leave an answer in the middle, and waits until the upstream
// knows. Clients throw on leaving, or do not.
export async function hangsUp(body) {
  const before = (await counts()).upstream.cancelled;
  const pieces = await body();
  must(pieces > 0, "nothing came before it hung up");
  for (const end = Date.now() + 8000; Date.now() < end; await new Promise((r) => setTimeout(r, 50))) {
    if ((await counts()).upstream.cancelled > before) return;
  }
  throw new Error("the upstream's call goes on");
}

// some counts what came until it was left, and passes over what leaving throws.
export async function some(stream, leave, n = 3) {
  let pieces = 0;
  try {
    for await (const _ of stream) if (++pieces === n) { leave(); }
  } catch (e) {
    if (pieces < n) throw e;
  }
  return pieces;
}

export const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
export const question = "What do starlings eat?";
export const weather = { name: "weather", description: "the weather of a city", schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false } };
export const time = { name: "time", description: "the time in a city", schema: { type: "object", properties: { city: { type: "string" } }, required: ["city"], additionalProperties: false } };
export const one = "Use the tool: what is the weather in Rome?";
export const both = "Use both tools: the weather and the time in Rome.";
export const report = { type: "object", properties: { city: { type: "string" }, degrees: { type: "integer" }, kind: { enum: ["sun", "rain"], type: "string" } }, required: ["city", "degrees", "kind"], additionalProperties: false };
export const isReport = (r) => typeof r?.city === "string" && Number.isInteger(r.degrees) && ["sun", "rain"].includes(r.kind) && Object.keys(r).length === 3;
export const stopWord = "wrote"; // in the middle of what simulated models say
