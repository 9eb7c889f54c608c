package route

import (
	"starling"
	"starling/internal/wire"
)

// A prompt is what the conversation of a request is known to be: nothing, until
// somebody asks.
type prompt struct {
	outline *wire.Outline
	asked   bool
	chances []float64 // of the forecast's candidates; nil if the prompt cannot be read
}

// longestPrompt bounds what is read of a message to forecast from it.
const longestPrompt = 256 << 10

func (p *prompt) read(req *starling.Request) *wire.Outline {
	if p.outline == nil {
		o := wire.OutlineOf(req)
		p.outline = &o
	}
	return p.outline
}

// odds asks the forecast once about what the user said last; nil for a message
// without words, or too long to be read on the way.
func (p *prompt) odds(f *Findings, skill string, req *starling.Request) []float64 {
	if p.asked {
		return p.chances
	}
	p.asked = true
	if last := p.read(req).Last; len(last) > 0 && len(last) <= longestPrompt {
		p.chances = f.forecast.Odds(skill, wire.Text(last))
	}
	return p.chances
}
