// check runs a named check and says how it went, a line each.
export async function check(sentence, body) {
  try {
    await body();
    console.log(`ok ${sentence}`);
  } catch (e) {
    console.log(`not ok ${sentence}: ${String(e && e.message || e).replaceAll("\n", " ")}`);
  }
}

export function must(condition, what) {
  if (!condition) throw new Error(typeof what === "string" ? what : JSON.stringify(what));
}

export const gateway = process.env.GATEWAY;
export const models = ["openai-bird", "anthropic-bird"];
