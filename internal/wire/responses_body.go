package wire

import "starling"

// responsesStatus is the table of finish reasons: who waits for tools has completed
// his part.
func responsesStatus(f starling.Finish) string {
	switch f {
	case starling.Length, starling.Overfull, starling.Filtered:
		return "incomplete"
	}
	return "completed"
}

func (it *responsesItem) status() string {
	if it.cut {
		return "incomplete"
	}
	return "completed"
}

// tool returns the tool that an item calls, as the caller named it.
func (r *responsesRenderer) tool(it *responsesItem) responsesTool {
	if it.kind != starling.CallPart {
		return responsesTool{}
	}
	if r.tools == nil {
		r.tools = offeredTools(r.o.Request.Body)
	}
	if t, ok := r.tools[it.name]; ok {
		return t
	}
	return responsesTool{name: it.name}
}

// responsesKinds is how the ids of items begin.
var responsesKinds = map[starling.PartKind]string{starling.TextPart: "msg", starling.RefusalPart: "msg", starling.ReasoningPart: "rs", starling.CallPart: "fc"}

func (r *responsesRenderer) id(it *responsesItem) string {
	kind := responsesKinds[it.kind]
	if r.tool(it).custom {
		kind = "ctc"
	}
	return itemID(kind, r.o.ID, it.number)
}

// item writes an item. One that is in progress says nothing yet.
func (r *responsesRenderer) item(p *pen, it *responsesItem, status string) {
	said, tool := it.said.String(), r.tool(it)
	if status == "in_progress" {
		said = ""
	}
	p.open('{')
	switch {
	case tool.custom:
		p.pairs("id", r.id(it), "type", "custom_tool_call")
		r.called(p, it, tool)
		p.pairs("input", customInput(said))
	case it.kind == starling.CallPart:
		p.pairs("id", r.id(it), "type", "function_call", "status", status)
		r.called(p, it, tool)
		p.pairs("arguments", said)
	case it.kind == starling.ReasoningPart:
		p.pairs("id", r.id(it), "type", "reasoning", "status", status)
		p.key("summary")
		it.contents(p, said)
		if status != "in_progress" {
			p.pairs("encrypted_content", ourMark)
		}
	default:
		p.pairs("id", r.id(it), "type", "message", "status", status, "role", "assistant")
		p.key("content")
		it.contents(p, said)
	}
	p.shut('}')
}

// called writes which tool is called. The call's id goes back to the model with the
// result; one that came without gets one that is unique in the conversation.
func (r *responsesRenderer) called(p *pen, it *responsesItem, tool responsesTool) {
	id := it.piece.id
	if id == "" {
		id = ownID("call", r.o.ID, it.number)
	}
	p.pairs("call_id", id)
	if tool.namespace != "" {
		p.pairs("namespace", tool.namespace)
	}
	p.pairs("name", tool.name)
}

func (it *responsesItem) contents(p *pen, said string) {
	p.open('[')
	if said != "" {
		it.content(p, said)
	}
	p.shut(']')
}

// response writes the response object. e is nil until the answer has ended, failure
// is what ended it otherwise.
func (r *responsesRenderer) response(p *pen, status string, e *ending, failure []byte) {
	p.open('{')
	p.pairs("id", responseID(r.o.ID), "object", "response")
	p.key("created_at")
	p.int(r.o.Created.Unix())
	p.pairs("status", status, "model", r.o.Model)
	p.key("error")
	r.failure(p, status, failure)
	p.key("incomplete_details")
	if status == "incomplete" {
		reason := "max_output_tokens"
		if e.finish == starling.Filtered {
			reason = "content_filter"
		}
		p.open('{')
		p.pairs("reason", reason)
		p.shut('}')
	} else {
		p.raw(nil)
	}
	p.key("output")
	p.open('[')
	for _, it := range r.items {
		if e != nil || it.shut {
			r.item(p, it, it.status())
		}
	}
	p.shut(']')
	if r.echo == nil {
		r.echo = echoOf(r.o.Request.Body, r.o.Keeps)
	}
	p.comma()
	p.b = append(p.b, r.echo...)
	if e != nil {
		p.key("usage")
		r.count(p, e.usage)
	}
	p.shut('}')
}

// failure writes why a response failed, in one of the words that there are.
func (r *responsesRenderer) failure(p *pen, status string, v []byte) {
	if status != "failed" {
		p.raw(nil)
		return
	}
	code := text(field(v, "code"))
	if code != "rate_limit_exceeded" && code != "invalid_prompt" {
		code = "server_error"
	}
	said := text(field(v, "message"))
	if said == "" {
		said = "the answer broke off"
	}
	p.open('{')
	p.pairs("code", code, "message", said)
	p.shut('}')
}

// count writes usage in this dialect's convention: the caches are a part of the
// input, reasoning one of the output. Clients read it in any case.
func (r *responsesRenderer) count(p *pen, u *starling.Usage) {
	if u == nil {
		u = &starling.Usage{Input: estimate(r.o.Request)}
	}
	p.open('{')
	p.ints(tally{"input_tokens", u.TotalInput()})
	p.key("input_tokens_details")
	p.open('{')
	p.ints(tally{"cached_tokens", u.CacheRead}, tally{"cache_write_tokens", u.CacheWrite + u.CacheWrite1h})
	p.shut('}')
	p.ints(tally{"output_tokens", u.Output})
	p.key("output_tokens_details")
	p.open('{')
	p.ints(tally{"reasoning_tokens", u.Reasoning})
	p.shut('}')
	p.ints(tally{"total_tokens", u.TotalInput() + u.Output})
	p.shut('}')
}

// responsesEchoes are the fields of a question that a response repeats, with what
// stands for one that was not said.
var responsesEchoes = [...]struct{ name, unsaid string }{
	{"instructions", "null"},
	{"max_output_tokens", "null"},
	{"max_tool_calls", "null"},
	{"metadata", "{}"},
	{"parallel_tool_calls", "true"},
	{"previous_response_id", "null"},
	{"prompt_cache_key", "null"},
	{"reasoning", `{"effort":null,"summary":null}`},
	{"safety_identifier", "null"},
	{"temperature", "null"},
	{"text", `{"format":{"type":"text"}}`},
	{"tool_choice", `"auto"`},
	{"tools", "[]"},
	{"top_logprobs", "0"},
	{"top_p", "null"},
	{"truncation", `"disabled"`},
}

func echoOf(body []byte, keeps bool) []byte {
	p := pen{b: []byte{'{'}}
	p.key("background")
	p.bool(false)
	said := map[string][]byte{}
	if valid(body) {
		keeps = keeps && wantsKept(body[skipSpace(body, 0):])
		for m := enter(body[skipSpace(body, 0):]); m.next(); {
			said[m.name()] = m.value
		}
	}
	p.key("store")
	p.bool(keeps)
	for _, e := range responsesEchoes {
		v := said[e.name]
		if len(v) == 0 || kindOf(v) == 'n' {
			v = []byte(e.unsaid)
		}
		if e.name == "tools" {
			v, _ = filtered(v, settled)
		}
		p.key(e.name)
		p.raw(v)
	}
	if user := said["user"]; kindOf(user) == '"' {
		p.key("user")
		p.raw(user)
	}
	return p.b[1:]
}

// settled returns a function with what its caller may leave out.
func settled(tool []byte) []byte {
	if text(field(tool, "type")) != "function" {
		return tool
	}
	var edits []edit
	for _, add := range [...]string{"strict", "parameters"} {
		if at, end := locate(tool, add); at == end {
			edits = append(edits, edit{1, 1, `"` + add + `":null,`}) // there are other members
		}
	}
	return edited(tool, edits...)
}
