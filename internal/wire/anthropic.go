package wire

import (
	"bytes"

	"starling"
)

// anthropic is POST /v1/messages.
type anthropic struct{}

func (anthropic) asked() []ask { return anthropicAsked }

var anthropicAsked = []ask{
	{name: "model", required: true, read: readModel},
	{name: "messages", required: true, read: readMessages},
	{name: "max_tokens", required: true, read: readLimit("max_tokens")},
	{name: "stream", read: readCountedStream},
	{name: "tools", read: readTools},
	{name: "tool_choice", read: readToolChoice},
	{name: "service_tier", read: readTier("service_tier", "priority")},
	{name: "speed", read: readTier("speed", "fast")},
	{name: "inference_geo", read: readTier("inference_geo", "us")},
	{name: "mcp_servers", read: readServers},
	{name: "output_config", read: readFormat(func(v []byte) *starling.Format { return anthropicFormat(field(v, "format")) })},
	{name: "output_format", read: readFormat(anthropicFormat)}, // its older place
}

func readServers(r *starling.Request, v []byte) error {
	r.Hosted += count(v)
	return nil
}

// readCountedStream: in this dialect every stream has usage, asked or not.
func readCountedStream(r *starling.Request, v []byte) error {
	err := readStream(r, v)
	r.WantUsage = r.Stream
	return err
}

func (anthropic) weigh(part []byte) weight {
	switch string(part) {
	case "text", "thinking", "redacted_thinking", "search_result", "tool_reference":
		return byBytes
	case "image":
		return byImage
	}
	if bytes.HasSuffix(part, []byte("tool_use")) || bytes.HasSuffix(part, []byte("tool_result")) {
		return byBytes
	}
	return byWindow
}

func (anthropic) fate(name string, v []byte) fate { return ruled(anthropicRules, name, v) }

// anthropicRules say what becomes of Anthropic's own fields in another dialect.
var anthropicRules = map[string]rule{
	"container":                   {fate: refuse},
	"inference_geo":               {fate: refuse, without: isText("global")}, // where data may be processed
	"mcp_servers":                 {fate: refuse, without: isEmpty},
	"messages[].content[].type":   {fate: refuse},
	"messages[].content[].source": {fate: refuse},
	"tool_choice":                 {fate: refuse},
	"tools[].type":                {fate: refuse},

	"messages[].content[].citations": {without: isEmpty},
	"service_tier":                   {without: isText("auto")},
	"speed":                          {without: isText("standard")},
	"tools[].defer_loading":          {without: isFalse},
}

// same replaces the model's name, and takes out the thoughts that another
// dialect's model had under our own mark: no upstream could read them.
func (anthropic) same(r *starling.Request, o *outgoing) []byte {
	body := r.Body
	if e, ok := newModel(body, r.Model, o.model.Name); ok {
		body = edited(body, e)
	}
	return withoutOurThoughts(body, o)
}

func (anthropic) streamType() string { return eventStream }
