"""What every script needs: where the gateway is, what to ask, and how to say what
was found, "ok <feature> <dialect>", a line each."""

import json
import os
import time as clock
import urllib.request

GATEWAY, COUNTED, KEY, POOR = (os.environ[n] for n in ("GATEWAY", "COUNTED", "KEY", "POOR"))
DIALECTS = os.environ["DIALECTS"].split()
FIRST = DIALECTS[0]
LEFT = os.environ["SKIP"].split()

QUESTION = "What do starlings eat?"
ONE = "Use the tool: what is the weather in Rome?"
BOTH = "Use both tools: the weather and the time in Rome."
STOP = "wrote"  # in the middle of what simulated models say
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": False}
TOOLS = [("weather", "the weather of a city"), ("time", "the time in a city")]
REPORT = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}, "kind": {"type": "string", "enum": ["sun", "rain"]}},
    "required": ["city", "degrees", "kind"],
    "additionalProperties": False,
}


def each(feature):
    """each checks a feature with the model behind every upstream."""

    def run(body):
        for d in DIALECTS:
            check(feature, d, lambda: body(f"{d}-bird"))

    return run


def once(feature):
    return lambda body: check(feature, "-", body)


def check(feature, dialect, body):
    if feature in LEFT:
        return
    try:
        body()
        print(f"ok {feature} {dialect}", flush=True)
    except Exception as e:
        why = " ".join(f"{type(e).__name__}: {e}".split())[:600]
        print(f"not ok {feature} {dialect}: {why}", flush=True)


def must(condition, what):
    if not condition:
        raise AssertionError(str(what))


def simulated(text):
    return isinstance(text, str) and "[simulated]" in text


def tool_said(text):
    return simulated(text) and "The tool answered:" in text


def is_report(r):
    return isinstance(r, dict) and isinstance(r.get("city"), str) and isinstance(r.get("degrees"), int) and r.get("kind") in ("sun", "rain") and len(r) == 3


def counts():
    with urllib.request.urlopen(os.environ["COUNTS"]) as f:
        return json.load(f)


def thrown(body):
    try:
        out = body()
    except Exception as e:
        return e
    raise AssertionError(f"not refused: {out}")


def refusal(body):
    """refusal returns what body throws, having checked that it asked once."""
    before = counts()["gateway"]["asked"]
    e = thrown(body)
    asked = counts()["gateway"]["asked"] - before
    must("budget" in str(e).lower(), f"nobody reads why: {e}")
    must(asked == 1, f"asked {asked} times: {e}")
    return e


def hangs_up(body):
    """hangs_up has body leave an answer in the middle, and waits until the upstream knows."""
    before = counts()["upstream"]["cancelled"]
    body()
    end = clock.monotonic() + 8
    while clock.monotonic() < end:
        if counts()["upstream"]["cancelled"] > before:
            return
        clock.sleep(0.05)
    raise AssertionError("the upstream's call goes on")


def abort(feature="abort"):
    def run(body):
        for d in DIALECTS:
            check(feature, d, lambda: hangs_up(lambda: body(f"{d}-slow")))

    return run
