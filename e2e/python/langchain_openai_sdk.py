from langchain_core.messages import HumanMessage, SystemMessage, ToolMessage
from langchain_openai import ChatOpenAI, OpenAIEmbeddings

from check import *

tools = [{"type": "function", "function": {"name": n, "description": d, "parameters": CITY}} for n, d in TOOLS]


def make(model, url=GATEWAY, key=KEY, **o):
    return ChatOpenAI(**{"model": model, "base_url": f"{url}/v1", "api_key": key, "max_tokens": 400, "stream_usage": True, **o})


def whole(stream):
    all = None
    for piece in stream:
        all = piece if all is None else all + piece
    return all


@each("chat")
def _(model):
    said = make(model).invoke([SystemMessage("Be brief."), HumanMessage(QUESTION)])
    must(simulated(said.content) and said.response_metadata["finish_reason"] == "stop", said)


@each("stream")
def _(model):
    pieces = list(make(model).stream(QUESTION))
    said = whole(pieces)
    must(len(pieces) > 2 and simulated(said.content) and said.response_metadata["finish_reason"] == "stop", said)


@each("usage")
def _(model):
    usage = make(model).invoke(QUESTION).usage_metadata
    streamed = whole(make(model).stream(QUESTION)).usage_metadata
    must(usage["input_tokens"] > 0 and usage["output_tokens"] > 0 and streamed["output_tokens"] == usage["output_tokens"] and streamed["input_tokens"] == usage["input_tokens"], (usage, streamed))


def loop(feature, prompt, n):
    @each(feature)
    def _(model):
        bound = make(model).bind_tools(tools[:n])
        messages = [HumanMessage(prompt)]
        said = bound.invoke(messages)
        must(len(said.tool_calls) == n and all(isinstance(c["args"]["city"], str) for c in said.tool_calls), said)
        messages.append(said)
        messages += [ToolMessage("fine", tool_call_id=c["id"]) for c in said.tool_calls]
        end = whole(bound.stream(messages))
        must(tool_said(end.content), end)


loop("tools", ONE, 1)
loop("parallel", BOTH, 2)


@each("images")
def _(model):
    plain = make(model).invoke(QUESTION).usage_metadata
    seen = make(model).invoke([HumanMessage([{"type": "text", "text": QUESTION}, {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}])]).usage_metadata
    must(seen["input_tokens"] > plain["input_tokens"] + 50, (plain, seen))


@each("schema")
def _(model):
    for method in ("json_schema", "function_calling"):
        said = make(model).with_structured_output({"title": "report", "description": "a report", **REPORT}, method=method).invoke(QUESTION)
        must(is_report(said), (method, said))


@each("stop")
def _(model):
    said = make(model).invoke(QUESTION, stop=[STOP])
    must(simulated(said.content) and STOP not in said.content, said)


@each("limit")
def _(model):
    said = make(model, max_tokens=5).invoke(QUESTION)
    must(said.response_metadata["finish_reason"] == "length", said)


@once("error")
def _():
    e = thrown(lambda: make(f"{FIRST}-brid").invoke("hello"))
    must(type(e).__name__.endswith("NotFoundError") and f"{FIRST}-bird" in str(e), repr(e))


@once("refused")
def _():
    refusal(lambda: make(f"{FIRST}-bird", url=COUNTED, key=POOR).invoke("hello"))


@abort()
def _(model):
    stream = make(model).stream(QUESTION)
    next(stream)
    next(stream)
    stream.close()


@once("embed")
def _():
    said = OpenAIEmbeddings(model="openai-bird", base_url=f"{GATEWAY}/v1", api_key=KEY, check_embedding_ctx_length=False).embed_documents(["a starling", "a barn"])
    must(len(said) == 2 and len(said[0]) > 1, said)
