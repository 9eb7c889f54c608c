package wire

import (
	"io"

	"starling"
)

func (ollama) decoder(o ReadOptions) decoder {
	return &ollamaDecoder{dialect: starling.Ollama, deltas: o.Deltas}
}

// ollamaDecoder reads the lines of a stream, or a whole answer, in either of
// Ollama's dialects. Calls come whole, with arguments that are an object.
type ollamaDecoder struct {
	dialect starling.Dialect
	deltas  bool
	scanner scanner
	model   string
	sure    certainty
	probs   probable

	blocks int // that appeared so far
	last   starling.PartKind
	called bool
	said   bool // a message came, or a response
	done   bool
}

func (d *ollamaDecoder) ended() bool { return d.done }

func (d *ollamaDecoder) event(b block, ev *starling.Event) error {
	if len(b.data) == 0 {
		return nil
	}
	if err := d.read(b.data, ev); err != nil {
		return err
	}
	if d.done {
		return io.EOF
	}
	return nil
}

// body reads a whole answer.
func (d *ollamaDecoder) body(b []byte, ev *starling.Event) error {
	if err := d.read(b, ev); err != nil {
		return err
	}
	if !d.said {
		return errShape
	}
	if !d.done {
		return errUnfinished
	}
	return nil
}

// read reads a line. One that is no JSON is an error in any case: clients read every
// line as JSON.
func (d *ollamaDecoder) read(line []byte, ev *starling.Event) error {
	top, f := d.scanner.members(line)
	if f != "" || kindOf(line) != '{' {
		return errNotJSON
	}
	var message, reason, logprobs []byte
	var input, output int64
	for _, m := range top {
		switch string(m.key) {
		case "model":
			d.model = keep(d.model, m.value)
		case "message":
			message = m.value
		case "done":
			d.done = kindOf(m.value) == 't'
		case "done_reason":
			reason = m.value
		case "prompt_eval_count":
			input = tokens(m.value)
		case "eval_count":
			output = tokens(m.value)
		case "logprobs":
			d.sure.add(m.value)
			logprobs = m.value
		case "error":
			if len(m.value) > 2 && kindOf(m.value) != 'n' {
				return saidInStream(d.dialect, line, m.value)
			}
		}
	}
	if d.dialect == starling.Generate {
		message = line
	}
	if input+output > 0 {
		ev.Usage = &starling.Usage{Input: input, Output: output}
	}
	ev.Model, ev.Confidence = d.model, d.sure.confidence()
	err := d.message(message, ev)
	if d.deltas && logprobs != nil {
		d.probs.add(ev, 0, tokensOf(logprobs))
	}
	if d.done {
		ev.Finish = d.finish(text(reason))
	}
	return err
}

// finish translates the reason, which older versions do not give.
func (d *ollamaDecoder) finish(reason string) starling.Finish {
	switch reason {
	case "stop", "":
		if d.called {
			return starling.ToolUse
		}
		return starling.Stopped
	case "length":
		return starling.Length
	}
	return starling.OtherStop
}

// message reads a message, or a whole line of a dialect that has none.
func (d *ollamaDecoder) message(v []byte, ev *starling.Event) error {
	var said, thought, calls []byte
	for m := enter(v); m.next(); {
		switch string(m.key) {
		case "content":
			if d.dialect == starling.Ollama {
				said = m.value
			}
		case "response":
			if d.dialect == starling.Generate {
				said = m.value
			}
		case "thinking":
			thought = m.value
		case "tool_calls":
			calls = m.value
		}
	}
	d.said = d.said || kindOf(v) == '{' && (said != nil || calls != nil || d.dialect == starling.Ollama)
	d.text(starling.ReasoningPart, thought, ev)
	d.text(starling.TextPart, said, ev)
	for m := enter(calls); m.next(); {
		if d.blocks > mostBlocks {
			return errTooLong
		}
		d.call(m.value, ev)
	}
	return nil
}

// text tells a piece of text. It continues the last block if that is of its kind.
func (d *ollamaDecoder) text(kind starling.PartKind, v []byte, ev *starling.Event) {
	n := textLength(v)
	if n == 0 {
		return
	}
	if ev.Bytes += n; d.last != kind {
		d.last = kind
		d.blocks++
	}
	if d.deltas {
		ev.Deltas = append(ev.Deltas, starling.Delta{Kind: kind, Block: d.blocks - 1, Text: text(v)})
	}
}

func (d *ollamaDecoder) call(v []byte, ev *starling.Event) {
	f := field(v, "function")
	arguments := callText(field(f, "arguments"))
	d.called, d.last = true, starling.CallPart
	d.blocks++
	ev.Bytes += len(arguments)
	if d.deltas {
		ev.Deltas = append(ev.Deltas, starling.Delta{Kind: starling.CallPart, Block: d.blocks - 1, ID: text(field(v, "id")), Name: text(field(f, "name")), Text: arguments})
	}
}
