import json
import sys

import openai

from check import *

client = openai.OpenAI(base_url=f"{GATEWAY}/v1", api_key=KEY)
poor = openai.OpenAI(base_url=f"{COUNTED}/v1", api_key=POOR)


def user(content):
    return [{"role": "user", "content": content}]


def chat():
    tools = [{"type": "function", "function": {"name": n, "description": d, "parameters": CITY}} for n, d in TOOLS]

    def create(**o):
        return client.chat.completions.create(**{"max_tokens": 400, "messages": user(QUESTION), **o})

    @each("chat")
    def _(model):
        raw = client.chat.completions.with_raw_response.create(model=model, messages=[{"role": "system", "content": "Be brief."}, *user(QUESTION)])
        said = raw.parse()
        must(simulated(said.choices[0].message.content) and said.choices[0].finish_reason == "stop", said)
        must(raw.headers.get("x-starling-receipt"), "no receipt")

    @each("stream")
    def _(model):
        text, finish = "", None
        for c in create(model=model, stream=True):
            must(len(c.choices) == 1 and c.usage is None, c)
            text += c.choices[0].delta.content or ""
            finish = c.choices[0].finish_reason or finish
        must(simulated(text) and finish == "stop", (text, finish))

    @each("usage")
    def _(model):
        whole = create(model=model).usage
        must(whole.prompt_tokens > 0 and whole.completion_tokens > 0, whole)
        usage = None
        for c in create(model=model, stream=True, stream_options={"include_usage": True}):
            usage = c.usage or usage
        must(usage and usage.completion_tokens == whole.completion_tokens, (usage, whole))

    def loop(feature, prompt, n):
        @each(feature)
        def _(model):
            messages = user(prompt)
            with client.chat.completions.stream(model=model, messages=messages, tools=tools[:n]) as stream:
                said = stream.get_final_completion().choices[0]
            calls = said.message.tool_calls or []
            must(said.finish_reason == "tool_calls" and len(calls) == n, said)
            must(all(isinstance(json.loads(c.function.arguments)["city"], str) for c in calls), calls)
            messages.append({"role": "assistant", "content": said.message.content, "tool_calls": [{"id": c.id, "type": "function", "function": {"name": c.function.name, "arguments": c.function.arguments}} for c in calls]})
            messages += [{"role": "tool", "tool_call_id": c.id, "content": "fine"} for c in calls]
            end = create(model=model, messages=messages, tools=tools[:n]).choices[0]
            must(end.finish_reason == "stop" and tool_said(end.message.content), end)

    loop("tools", ONE, 1)
    loop("parallel", BOTH, 2)

    @each("images")
    def _(model):
        plain = create(model=model).usage
        seen = create(model=model, messages=user([{"type": "text", "text": QUESTION}, {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}])).usage
        must(seen.prompt_tokens > plain.prompt_tokens + 50, (plain, seen))

    @each("schema")
    def _(model):
        said = create(model=model, response_format={"type": "json_schema", "json_schema": {"name": "report", "strict": True, "schema": REPORT}})
        must(is_report(json.loads(said.choices[0].message.content)), said)

    @each("stop")
    def _(model):
        c = create(model=model, stop=[STOP]).choices[0]
        must(c.finish_reason == "stop" and simulated(c.message.content) and STOP not in c.message.content, c)

    @each("limit")
    def _(model):
        c = create(model=model, max_tokens=5).choices[0]
        must(c.finish_reason == "length", c)

    @once("error")
    def _():
        e = thrown(lambda: create(model=f"{FIRST}-brid"))
        must(isinstance(e, openai.NotFoundError) and f"{FIRST}-bird" in e.message and e.request_id, repr(e))

    @once("refused")
    def _():
        e = refusal(lambda: poor.chat.completions.create(model=f"{FIRST}-bird", messages=user("hello")))
        must(isinstance(e, openai.RateLimitError) and e.type == "insufficient_quota", repr(e))

    @abort()
    def _(model):
        with create(model=model, stream=True) as stream:
            next(iter(stream))

    @once("models")
    def _():
        must(any(m.id == f"{FIRST}-bird" for m in client.models.list()), "not listed")

    @once("moderate")
    def _():
        said = client.moderations.create(model="openai-moderation", input=["What do starlings eat?", "I will kill you"])
        must([r.flagged for r in said.results] == [False, True] and said.results[1].category_scores.violence > 0.5, said)

    @once("embed")
    def _():
        coded = client.embeddings.create(model="openai-bird", input=["a starling", "a barn"], dimensions=8)
        floats = client.embeddings.create(model="openai-bird", input=["a starling", "a barn"], dimensions=8, encoding_format="float")
        must(len(coded.data) == 2 and len(coded.data[0].embedding) == 8, coded)
        must(all(abs(a - b) < 1e-6 for a, b in zip(coded.data[0].embedding, floats.data[0].embedding)), "base64 and float differ")


def responses():
    tools = [{"type": "function", "name": n, "description": d, "parameters": CITY, "strict": True} for n, d in TOOLS]

    def create(**o):
        return client.responses.create(**{"input": QUESTION, "store": False, **o})

    @each("chat")
    def _(model):
        said = create(model=model, instructions="Be brief.")
        must(simulated(said.output_text) and said.status == "completed", said)

    @each("stream")
    def _(model):
        text, last, at = "", None, -1
        for e in create(model=model, stream=True):
            must(e.sequence_number == at + 1, e)
            at, last = e.sequence_number, e
            if e.type == "response.output_text.delta":
                text += e.delta
        must(last.type == "response.completed" and last.response.output_text == text and simulated(text), last)

    @each("usage")
    def _(model):
        whole = create(model=model).usage
        must(whole.input_tokens > 0 and whole.output_tokens > 0 and whole.total_tokens > 0, whole)
        with client.responses.stream(model=model, input=QUESTION, store=False) as stream:
            usage = stream.get_final_response().usage
        must(usage.output_tokens == whole.output_tokens, (usage, whole))

    def loop(feature, prompt, n):
        @each(feature)
        def _(model):
            items = user(prompt)
            with client.responses.stream(model=model, input=items, tools=tools[:n], store=False) as stream:
                said = stream.get_final_response()
            calls = [o for o in said.output if o.type == "function_call"]
            must(len(calls) == n and all(isinstance(json.loads(c.arguments)["city"], str) for c in calls), said)
            items += [{"type": "function_call", "call_id": c.call_id, "name": c.name, "arguments": c.arguments} for c in calls]
            items += [{"type": "function_call_output", "call_id": c.call_id, "output": "fine"} for c in calls]
            end = create(model=model, input=items, tools=tools[:n])
            must(tool_said(end.output_text), end)

    loop("tools", ONE, 1)
    loop("parallel", BOTH, 2)

    @each("images")
    def _(model):
        plain = create(model=model).usage
        seen = create(model=model, input=user([{"type": "input_text", "text": QUESTION}, {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}", "detail": "auto"}])).usage
        must(seen.input_tokens > plain.input_tokens + 50, (plain, seen))

    @each("schema")
    def _(model):
        said = create(model=model, text={"format": {"type": "json_schema", "name": "report", "strict": True, "schema": REPORT}})
        must(is_report(json.loads(said.output_text)), said)

    @each("limit")
    def _(model):
        said = create(model=model, max_output_tokens=16)
        must(said.status == "incomplete" and said.incomplete_details.reason == "max_output_tokens", said)

    @once("error")
    def _():
        e = thrown(lambda: create(model=f"{FIRST}-brid"))
        must(isinstance(e, openai.NotFoundError) and f"{FIRST}-bird" in e.message, repr(e))

    @once("refused")
    def _():
        e = refusal(lambda: poor.responses.create(model=f"{FIRST}-bird", input="hello"))
        must(isinstance(e, openai.BadRequestError), repr(e))

    @abort()
    def _(model):
        with create(model=model, stream=True) as stream:
            for e in stream:
                if e.type == "response.output_text.delta":
                    break


def completions():
    def create(**o):
        return client.completions.create(**{"max_tokens": 200, "prompt": QUESTION, **o})

    @each("chat")
    def _(model):
        said = create(model=model)
        must(said.object == "text_completion" and simulated(said.choices[0].text) and said.choices[0].finish_reason == "stop", said)

    @each("stream")
    def _(model):
        text, finish = "", None
        for c in create(model=model, stream=True):
            text += c.choices[0].text
            finish = c.choices[0].finish_reason or finish
        must(simulated(text) and finish == "stop", (text, finish))

    @each("stop")
    def _(model):
        c = create(model=model, stop=[STOP]).choices[0]
        must(c.finish_reason == "stop" and STOP not in c.text, c)

    @each("limit")
    def _(model):
        c = create(model=model, max_tokens=5).choices[0]
        must(c.finish_reason == "length", c)

    @each("usage")
    def _(model):
        whole = create(model=model).usage
        must(whole.prompt_tokens > 0 and whole.completion_tokens > 0, whole)
        usage = None
        for c in create(model=model, stream=True, stream_options={"include_usage": True}):
            usage = c.usage or usage
        must(usage and usage.completion_tokens == whole.completion_tokens, (usage, whole))

    @once("error")
    def _():
        e = thrown(lambda: create(model=f"{FIRST}-brid"))
        must(isinstance(e, openai.NotFoundError) and f"{FIRST}-bird" in e.message, repr(e))

    @once("refused")
    def _():
        e = refusal(lambda: poor.completions.create(model=f"{FIRST}-bird", prompt="hello"))
        must(isinstance(e, openai.RateLimitError), repr(e))

    @abort()
    def _(model):
        with create(model=model, max_tokens=2000, stream=True) as stream:
            next(iter(stream))


{"chat": chat, "responses": responses, "completions": completions}[sys.argv[1]]()
