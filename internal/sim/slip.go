package sim

import (
	"strings"

	"starling"
)

// Slip holds the share of answers that go wrong though the call ends well, each from 0
// to 1: the faults of small models at the work of agents. Those of a kind exclude one
// another in the order given, so their sum should not pass 1.
type Slip struct {
	// Of the turns in a conversation in which tools are offered.
	Loop         float64 // the call before is made again, if there was one
	UnknownTool  float64 // a tool is called that was not offered
	BadArguments float64 // a call has none of the arguments that it needs
	Spoken       float64 // a call is written as text
	Empty        float64 // nothing is said
	Babble       float64 // the same is said again and again

	// Of the answers that must have a shape.
	Fence    float64 // the JSON stands in a code fence
	Misshape float64 // the JSON is of another shape
}

// slipped is an answer gone wrong, nil if this one does not.
func (s *Server) slipped(m *Model, a *ask, said []block) []block {
	d := s.die.about(m.Name).nth(int64(a.digest())).about("slip")
	switch {
	case len(a.tools) > 0:
		return m.Slip.turn(d, a)
	case a.format.kind != "":
		return m.Slip.shape(d, said)
	}
	return nil
}

// drawn returns which of the shares a throw falls on, their number if on none.
func drawn(d die, shares ...float64) int {
	u := d.share()
	for i, share := range shares {
		if u < share {
			return i
		}
		u -= share
	}
	return len(shares)
}

func (f Slip) turn(d die, a *ask) []block {
	call := block{kind: starling.CallPart, id: d.name("call"), name: a.tools[0].name, text: "{}"}
	switch drawn(d, f.Loop, f.UnknownTool, f.BadArguments, f.Spoken, f.Empty, f.Babble) {
	case 0:
		return a.lastCall(call)
	case 1:
		call.name += "_v2"
		return []block{call}
	case 2:
		call.text = `{"simulated_nonsense":[null]}`
		return []block{call}
	case 3:
		return text(`<tool_call>{"name": ` + string(appendString(nil, call.name)) + `, "arguments": {}}</tool_call>`)
	case 4:
		return text("")
	case 5:
		return text(filler(d, 9) + ". " + strings.Repeat("I will look at it again (simulated). ", 60))
	}
	return nil
}

// lastCall makes the call before once more, nil if there was none.
func (a *ask) lastCall(call block) []block {
	for i := len(a.pieces) - 1; i > 0; i-- {
		if a.pieces[i].kind == "call" && a.pieces[i-1].kind == "call" {
			call.name, call.text = a.pieces[i-1].text, a.pieces[i].text
			return []block{call}
		}
	}
	return nil
}

func (f Slip) shape(d die, said []block) []block {
	switch drawn(d, f.Fence, f.Misshape) {
	case 0:
		return text("```json\n" + said[0].text + "\n```")
	case 1:
		return text(`{"simulated_nonsense":[null]}`)
	}
	return nil
}
