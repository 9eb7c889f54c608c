import json
import sys

import litellm

from check import *

litellm.telemetry = False
litellm.suppress_debug_info = True
MODE = sys.argv[1]
tools = [{"type": "function", "function": {"name": n, "description": d, "parameters": CITY}} for n, d in TOOLS]


def user(content):
    return [{"role": "user", "content": content}]


def create(model, url=GATEWAY, key=KEY, **o):
    base = f"{url}/v1" if MODE == "openai" else url
    return litellm.completion(**{"model": f"{MODE}/{model}", "api_base": base, "api_key": key, "max_tokens": 400, "messages": user(QUESTION), **o})


@each("chat")
def _(model):
    said = create(model, messages=[{"role": "system", "content": "Be brief."}, *user(QUESTION)]).choices[0]
    must(simulated(said.message.content) and said.finish_reason == "stop", said)


@each("stream")
def _(model):
    pieces = list(create(model, stream=True))
    said = litellm.stream_chunk_builder(pieces).choices[0]
    must(len(pieces) > 2 and simulated(said.message.content) and said.finish_reason == "stop", said)


@each("usage")
def _(model):
    usage = create(model).usage
    pieces = list(create(model, stream=True, stream_options={"include_usage": True}))
    streamed = pieces[-1].usage
    must(usage.prompt_tokens > 0 and usage.completion_tokens > 0 and (streamed.prompt_tokens, streamed.completion_tokens) == (usage.prompt_tokens, usage.completion_tokens), (usage, streamed))


def loop(feature, prompt, n):
    @each(feature)
    def _(model):
        messages = user(prompt)
        said = litellm.stream_chunk_builder(list(create(model, messages=messages, tools=tools[:n], stream=True)), messages=messages).choices[0]
        calls = said.message.tool_calls or []
        must(said.finish_reason == "tool_calls" and len(calls) == n and all(isinstance(json.loads(c.function.arguments)["city"], str) for c in calls), said)
        messages.append(said.message.model_dump(exclude_none=True))
        messages += [{"role": "tool", "tool_call_id": c.id, "content": "fine"} for c in calls]
        end = create(model, messages=messages, tools=tools[:n]).choices[0]
        must(tool_said(end.message.content), end)


loop("tools", ONE, 1)
loop("parallel", BOTH, 2)


@each("images")
def _(model):
    plain = create(model).usage
    seen = create(model, messages=user([{"type": "text", "text": QUESTION}, {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}])).usage
    must(seen.prompt_tokens > plain.prompt_tokens + 50, (plain, seen))


@each("schema")
def _(model):
    said = create(model, response_format={"type": "json_schema", "json_schema": {"name": "report", "strict": True, "schema": REPORT}}).choices[0]
    must(is_report(json.loads(said.message.content)), said)


@each("stop")
def _(model):
    said = create(model, stop=[STOP]).choices[0]
    must(simulated(said.message.content) and STOP not in said.message.content and said.finish_reason == "stop", said)


@each("limit")
def _(model):
    said = create(model, max_tokens=5).choices[0]
    must(said.finish_reason == "length", said)


@once("error")
def _():
    e = thrown(lambda: create(f"{FIRST}-brid"))
    must(isinstance(e, litellm.NotFoundError) and f"{FIRST}-bird" in str(e), repr(e))


@once("refused")
def _():
    refusal(lambda: create(f"{FIRST}-bird", url=COUNTED, key=POOR))
