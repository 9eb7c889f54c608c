package starling

// An Observed is what a gateway would have done with a request, had it not been told
// to observe only ([Exchange.Plan] says what it did do). The receipt of a shadow
// has Shadow alone.
type Observed struct {
	Shadow     bool      `json:"shadow,omitempty"`                // who would have answered was asked in this exchange, and nobody was sent the answer
	Skill      string    `json:"skill,omitempty"`                 // "" none: nothing would have changed
	Rubric     string    `json:"rubric,omitempty"`                // sha256 of the rubric that would have decided
	Identified string    `json:"identified,omitempty"`            // how the skill was found that nobody named, for people
	Rule       string    `json:"rule,omitempty"`                  // what would have decided the order; without candidates, why there are none
	Expected   Money     `json:"expected_nanodollars,omitempty"`  // of the whole ladder, as in [Plan]: before anybody had answered
	AtTokens   Money     `json:"at_tokens_nanodollars,omitempty"` // the same at the tokens that the answer turned out to take; 0 without an answer
	Candidates []WouldBe `json:"candidates,omitempty"`            // in the order in which they would have been asked
}

// A WouldBe is a candidate of a ladder that was not climbed.
type WouldBe struct {
	Model       string  `json:"model"` // "provider/name"
	Unit        string  `json:"unit,omitempty"`
	Warrant     string  `json:"warrant,omitempty"`
	Threshold   float64 `json:"threshold,omitempty"`
	Probability float64 `json:"probability"` // that its answer is accepted
	Expected    Money   `json:"expected_nanodollars"`
}

// First returns the model that would have been asked first, "provider/name"; "" if
// nothing would have changed, or nobody would have been asked.
func (o *Observed) First() string {
	if o == nil || len(o.Candidates) == 0 {
		return ""
	}
	return o.Candidates[0].Model
}
