import json

import anthropic

from check import *

client = anthropic.Anthropic(base_url=GATEWAY, api_key=KEY)
tools = [{"name": n, "description": d, "input_schema": CITY} for n, d in TOOLS]


def user(content):
    return [{"role": "user", "content": content}]


def create(**o):
    return client.messages.create(**{"max_tokens": 400, "messages": user(QUESTION), **o})


@each("chat")
def _(model):
    raw = client.messages.with_raw_response.create(model=model, max_tokens=200, system="Be brief.", messages=user(QUESTION))
    said = raw.parse()
    must(simulated(said.content[0].text) and said.stop_reason == "end_turn", said)
    must(raw.headers.get("x-starling-receipt"), "no receipt")


@each("stream")
def _(model):
    with client.messages.stream(model=model, max_tokens=400, messages=user(QUESTION)) as stream:
        pieces = list(stream.text_stream)
        said = stream.get_final_message()
    must(len(pieces) > 2 and "".join(pieces) == said.content[0].text and simulated(said.content[0].text) and said.stop_reason == "end_turn", said)


@each("usage")
def _(model):
    whole = create(model=model).usage
    with client.messages.stream(model=model, max_tokens=400, messages=user(QUESTION)) as stream:
        usage = stream.get_final_message().usage
    must(whole.input_tokens > 0 and whole.output_tokens > 0 and (usage.input_tokens, usage.output_tokens) == (whole.input_tokens, whole.output_tokens), (usage, whole))


def loop(feature, prompt, n):
    @each(feature)
    def _(model):
        messages = user(prompt)
        with client.messages.stream(model=model, max_tokens=400, messages=messages, tools=tools[:n]) as stream:
            said = stream.get_final_message()
        calls = [b for b in said.content if b.type == "tool_use"]
        must(said.stop_reason == "tool_use" and len(calls) == n and all(isinstance(c.input["city"], str) for c in calls), said)
        messages.append({"role": "assistant", "content": said.content})
        messages.append({"role": "user", "content": [{"type": "tool_result", "tool_use_id": c.id, "content": "fine"} for c in calls]})
        end = create(model=model, messages=messages, tools=tools[:n])
        must(end.stop_reason == "end_turn" and tool_said(end.content[0].text), end)


loop("tools", ONE, 1)
loop("parallel", BOTH, 2)


@each("images")
def _(model):
    plain = create(model=model).usage
    seen = create(model=model, messages=user([{"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}, {"type": "text", "text": QUESTION}])).usage
    must(seen.input_tokens > plain.input_tokens + 50, (plain, seen))


@each("schema")
def _(model):
    said = create(model=model, output_config={"format": {"type": "json_schema", "schema": REPORT}})
    must(is_report(json.loads(said.content[0].text)), said)


@each("stop")
def _(model):
    said = create(model=model, stop_sequences=[STOP])
    must(simulated(said.content[0].text) and STOP not in said.content[0].text and said.stop_reason in ("stop_sequence", "end_turn"), said)


@each("limit")
def _(model):
    said = create(model=model, max_tokens=5)
    must(said.stop_reason == "max_tokens", said)


@once("error")
def _():
    e = thrown(lambda: create(model=f"{FIRST}-brid"))
    must(isinstance(e, anthropic.NotFoundError) and f"{FIRST}-bird" in str(e) and e.request_id, repr(e))


@once("refused")
def _():
    poor = anthropic.Anthropic(base_url=COUNTED, api_key=POOR)
    e = refusal(lambda: poor.messages.create(model=f"{FIRST}-bird", max_tokens=50, messages=user("hello")))
    must(isinstance(e, anthropic.APIStatusError) and e.status_code == 402, repr(e))


@abort()
def _(model):
    with create(model=model, stream=True) as stream:
        for e in stream:
            if e.type == "content_block_delta":
                break


@once("models")
def _():
    must(any(m.id == f"{FIRST}-bird" and m.display_name for m in client.models.list()), "not listed")


@each("count")
def _(model):
    n = client.messages.count_tokens(model=model, messages=user(QUESTION))
    must(n.input_tokens > 0, n)
