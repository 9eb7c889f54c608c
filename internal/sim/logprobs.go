package sim

import "math"

type openaiLogprobs struct {
	Content []openaiToken `json:"content"`
	Refusal []openaiToken `json:"refusal"`
}

type openaiToken struct {
	Token   string         `json:"token"`
	Logprob float64        `json:"logprob"`
	Bytes   []int          `json:"bytes"`
	Top     []openaiLikely `json:"top_logprobs"`
}

type openaiLikely struct {
	Token   string  `json:"token"`
	Logprob float64 `json:"logprob"`
	Bytes   []int   `json:"bytes"`
}

// sure is how sure a simulated model is of an answer, in (0, 1): mostly more of
// one that is right than of another. From 0.6 to 0.95 there are both, so that no
// threshold is beyond doubt.
func sure(d die, right bool) float64 {
	u := d.share()
	if right {
		return 0.999 - 0.399*u*u*u
	}
	return 0.95 - 0.6*u
}

// openaiLogprobs returns the log-probabilities of an answer's text, nil if nobody
// asked or there is none. Their mean is the logarithm of how sure the model is:
// they scatter in pairs around it.
func (c *call) openaiLogprobs(ans answer) *openaiLogprobs {
	text := ans.text()
	if !c.ask.logprobs || text == "" {
		return nil
	}
	d := c.die.about(c.model.Name).about(c.ask.said).about("logprobs").about(text)
	mean := math.Log(sure(d, ans.right))
	all := &openaiLogprobs{}
	scatter := 1.0
	for n := Tokens(text); int64(len(all.Content)) < n; {
		i := int64(len(all.Content))
		switch {
		case i%2 == 1:
			scatter = 2 - scatter
		case i < n-1:
			scatter = 2 * d.nth(i).share()
		default: // the last of an odd number has no partner
			scatter = 1
		}
		piece := clip(text, 1)
		text = text[len(piece):]
		all.Content = append(all.Content, tokenOf(piece, mean*scatter, c.ask.likely))
	}
	return all
}

// tokenOf says of one token how likely it was. Of the likeliest it names itself
// only: there is nobody here who thought of others.
func tokenOf(piece string, logprob float64, likely int) openaiToken {
	t := openaiToken{Token: piece, Logprob: logprob, Top: []openaiLikely{}}
	for i := range len(piece) {
		t.Bytes = append(t.Bytes, int(piece[i]))
	}
	if likely > 0 {
		t.Top = append(t.Top, openaiLikely{t.Token, t.Logprob, t.Bytes})
	}
	return t
}

// next renders the log-probabilities of the next piece of a field of text.
func (k *chunks) next(field string) string {
	if field != "content" || len(k.logprobs) == 0 {
		return "null"
	}
	one := openaiLogprobs{Content: k.logprobs[:1]}
	k.logprobs = k.logprobs[1:]
	return string(marshal(one))
}
