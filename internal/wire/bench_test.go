package wire

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"starling"
)

// conversation makes a request of about n bytes: text with escapes, code, tools.
func conversation(n int) []byte {
	var b bytes.Buffer
	b.WriteString(`{"model":"gpt-5","stream":true,"temperature":0.2,"tools":[`)
	for i := range max(n/2000, 1) {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"type":"function","function":{"name":"tool_%d","description":"Reads a file from disk and returns its lines.","parameters":{"type":"object","properties":{"path":{"type":"string"},"limit":{"type":"integer"}},"required":["path"]}}}`, i)
	}
	b.WriteString(`],"messages":[{"role":"system","content":"You are helpful."}`)
	for b.Len() < n-500 {
		b.WriteString(`,{"role":"user","content":[{"type":"text","text":"Please look at this:\n\tfunc main() {\n\t\tfmt.Println(\"hello, world\")\n\t}\nand tell me what it does, at some length, with examples and all the caveats that come to mind."}]}`)
		b.WriteString(`,{"role":"assistant","content":"It prints a greeting to standard output, followed by a newline, and then exits with status zero. There is not much more to say about it."}`)
	}
	b.WriteString(`,{"role":"user","content":"Thanks."}]}`)
	return b.Bytes()
}

func BenchmarkParse(b *testing.B) {
	for _, n := range []int{2 << 10, 50 << 10} {
		body := conversation(n)
		b.Run(fmt.Sprintf("%dKB", n>>10), func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(starling.OpenAI, body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOutgoingSameDialect(b *testing.B) {
	for _, n := range []int{2 << 10, 50 << 10} {
		r, err := Parse(starling.OpenAI, conversation(n))
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("%dKB", n>>10), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Outgoing(&r, starling.OpenAI, starling.Model{Name: "small"}, nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkOutgoingTranslated(b *testing.B) {
	r, err := Parse(starling.OpenAI, conversation(50<<10))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Outgoing(&r, starling.Anthropic, starling.Model{Name: "small"}, func(string) {}); err != nil {
			b.Fatal(err)
		}
	}
}

const chunk = `data: {"id":"chatcmpl-9","object":"chat.completion.chunk","created":1764000000,"model":"gpt-5","service_tier":"default","system_fingerprint":"fp_1","choices":[{"index":0,"delta":{"content":" some words"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"abcdef"}` + "\n\n"

func twentyChunks() string {
	return strings.Repeat(chunk, 18) +
		`data: {"id":"chatcmpl-9","object":"chat.completion.chunk","created":1764000000,"model":"gpt-5","choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null}` + "\n\n" +
		`data: {"id":"chatcmpl-9","object":"chat.completion.chunk","created":1764000000,"model":"gpt-5","choices":[],"usage":{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120}}` + "\n\ndata: [DONE]\n\n"
}

func BenchmarkRawStream20Chunks(b *testing.B) {
	stream := twentyChunks()
	for _, asked := range []bool{true, false} {
		r := &starling.Request{Dialect: starling.OpenAI, Stream: true, WantUsage: asked}
		b.Run(fmt.Sprintf("usageAsked=%v", asked), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				w := NewWriter(io.Discard, WriterOptions{Request: r})
				for ev, err := range Read(strings.NewReader(stream), ReadOptions{Dialect: starling.OpenAI, Stream: true, Raw: true}) {
					if err != nil {
						b.Fatal(err)
					}
					if err := w.Event(ev); err != nil {
						b.Fatal(err)
					}
				}
				if err := w.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkTranslatedStream20Chunks(b *testing.B) {
	stream := twentyChunks()
	r := &starling.Request{Dialect: starling.Anthropic, Stream: true}
	b.ReportAllocs()
	for b.Loop() {
		w := NewWriter(io.Discard, WriterOptions{Request: r, ID: "msg_1", Model: "gpt-5"})
		for ev, err := range Read(strings.NewReader(stream), ReadOptions{Dialect: starling.OpenAI, Stream: true, Deltas: true}) {
			if err != nil {
				b.Fatal(err)
			}
			if err := w.Event(ev); err != nil {
				b.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
