package mcp

import (
	"context"
	"net/http"
	"net/url"

	"starling"
)

type receiptID struct {
	Receipt string `json:"receipt" jsonschema:"rcp_…"`
}

// An explained is a receipt in short. The whole is the resource of its id.
type explained struct {
	Receipt   string    `json:"receipt"`
	Asked     string    `json:"asked"` // the model as it was named
	Skill     string    `json:"skill,omitempty"`
	Class     string    `json:"class,omitempty"`
	Furthest  string    `json:"furthest_zone"`
	Outcome   string    `json:"outcome"`
	Model     string    `json:"model,omitempty"` // that answered
	Zone      string    `json:"zone,omitempty"`
	Why       string    `json:"why"` // why this one, or why nobody
	Attempts  []attempt `json:"attempts"`
	Left      []leftOut `json:"left_out"`
	Cost      float64   `json:"cost_usd"` // of its attempts and its parts
	Saved     float64   `json:"saved_usd"`
	Estimate  bool      `json:"saved_is_estimate"`
	Reference string    `json:"reference,omitempty"` // whose price the saving is measured against
	Simulated bool      `json:"simulated"`
}

type attempt struct {
	Model    string    `json:"model"`
	Zone     string    `json:"zone"`
	Outcome  string    `json:"outcome"`
	Why      string    `json:"why,omitempty"`
	Split    string    `json:"split,omitempty"` // what came of the parts in which others read the documents
	Cost     float64   `json:"cost_usd"`        // without those parts'
	Verdicts []verdict `json:"verdicts,omitempty"`
}

type verdict struct {
	Verifier string `json:"verifier"`
	Accept   bool   `json:"accept"`
	Why      string `json:"why,omitempty"`
}

// sealed asks for a receipt as it was signed.
func (c caller) sealed(ctx context.Context, id string) (reply, error) {
	if id == "" {
		return reply{}, &starling.Error{Kind: starling.Invalid, Op: "receipt is empty", Hint: "name the one that came with the answer"}
	}
	return c.ask(ctx, inquiry{method: http.MethodGet, path: "/v1/receipts/" + url.PathEscape(id)})
}

// explain is the tool of that name.
func (c caller) explain(ctx context.Context, of receiptID) (explained, error) {
	reply, err := c.sealed(ctx, of.Receipt)
	if err != nil {
		return explained{}, err
	}
	var sealed struct {
		Receipt starling.Receipt `json:"receipt"`
	}
	if err := reply.into(&sealed); err != nil {
		return explained{}, err
	}
	r := &sealed.Receipt
	e := explained{
		Receipt: r.ID, Asked: r.Asked, Skill: r.Plan.Skill,
		Class: string(r.Screen.Class), Furthest: r.Screen.Furthest.String(), Outcome: string(r.Outcome), Why: r.Why,
		Attempts: attempts(r), Left: leftOuts(&r.Plan), Cost: usd(r.Cost.Plus(r.PartsCost)), Saved: usd(r.Saved), Estimate: r.Estimate, Simulated: r.Response.Simulated,
	}
	if r.Response.Model != "" {
		e.Model, e.Zone = r.Response.Provider+"/"+r.Response.Model, r.Response.Zone.String()
	}
	if e.Why == "" {
		e.Why = r.Response.Reason
	}
	if r.Plan.Reference != nil {
		e.Reference = r.Plan.Reference.ID()
	}
	return e, nil
}

func attempts(r *starling.Receipt) []attempt {
	all := []attempt{}
	for i := range r.Attempts {
		a := &r.Attempts[i]
		short := attempt{Model: a.Model, Zone: a.Zone.String(), Outcome: string(a.Outcome), Why: a.Why, Split: a.Split, Cost: usd(a.Cost)}
		for _, v := range a.Verdicts {
			short.Verdicts = append(short.Verdicts, verdict{v.Verifier, v.Accept, v.Why})
		}
		all = append(all, short)
	}
	return all
}

type span struct {
	Since string `json:"since,omitempty" jsonschema:"like 24h"`
	By    string `json:"by,omitempty" jsonschema:"all, day, skill, team, model or key"`
}

// A summed is what was spent and saved.
type summed struct {
	Of       string `json:"of"` // whose receipts
	By       string `json:"by"`
	Since    string `json:"since,omitempty"`
	Estimate bool   `json:"saved_is_estimate"`
	Lines    []line `json:"lines"`
}

type line struct {
	Name      string  `json:"name"`
	Receipts  int64   `json:"requests"`
	Answered  int64   `json:"answered"`
	Simulated int64   `json:"simulated"`
	Cost      float64 `json:"cost_usd"`
	Compared  float64 `json:"compared_usd"`  // the part of the cost that has a reference
	Reference float64 `json:"reference_usd"` // what the reference would have cost
	Saved     float64 `json:"saved_usd"`     // reference less compared
}

// savings is the tool of that name.
func (c caller) savings(ctx context.Context, of span) (summed, error) {
	query := url.Values{}
	if of.Since != "" {
		query.Set("since", of.Since)
	}
	if of.By != "" {
		query.Set("by", of.By)
	}
	r, err := c.ask(ctx, inquiry{method: http.MethodGet, path: "/v1/savings?" + query.Encode()})
	if err != nil {
		return summed{}, err
	}
	var said struct {
		Of, By, Since string
		Estimate      bool `json:"saved_is_estimate"`
		Lines         []struct {
			Name                          string
			Receipts, Answered, Simulated int64
			Cost                          starling.Money `json:"cost_nanodollars"`
			Compared                      starling.Money `json:"compared_nanodollars"`
			Reference                     starling.Money `json:"reference_nanodollars"`
			Saved                         starling.Money `json:"saved_nanodollars"`
		}
	}
	if err := r.into(&said); err != nil {
		return summed{}, err
	}
	s := summed{Of: said.Of, By: said.By, Since: said.Since, Estimate: said.Estimate, Lines: []line{}}
	for _, l := range said.Lines {
		s.Lines = append(s.Lines, line{l.Name, l.Receipts, l.Answered, l.Simulated, usd(l.Cost), usd(l.Compared), usd(l.Reference), usd(l.Saved)})
	}
	return s, nil
}

type nothing struct{}

// A listing is what can be asked.
type listing struct {
	Skills []listedSkill `json:"skills"`
	Models []listedModel `json:"models"`
}

type listedSkill struct {
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Class       string   `json:"class,omitempty"`
	Candidates  []string `json:"candidates,omitempty"`
}

type listedModel struct {
	ID        string `json:"id"`
	Zone      string `json:"zone,omitempty"`
	Simulated bool   `json:"simulated,omitempty"`
}

// models is the tool of that name.
func (c caller) models(ctx context.Context, _ nothing) (listing, error) {
	skills, err := list[listedSkill](ctx, c, "/v1/skills")
	if err != nil {
		return listing{}, err
	}
	all, err := list[listedModel](ctx, c, "/v1/models")
	if err != nil {
		return listing{}, err
	}
	l := listing{Skills: skills, Models: []listedModel{}}
	for _, m := range all {
		if m.Zone != "" { // else it is a skill
			l.Models = append(l.Models, m)
		}
	}
	return l, nil
}

// list asks for a list of the gateway's.
func list[T any](ctx context.Context, c caller, path string) ([]T, error) {
	r, err := c.ask(ctx, inquiry{method: http.MethodGet, path: path})
	if err != nil {
		return nil, err
	}
	said := struct {
		Data []T `json:"data"`
	}{Data: []T{}}
	err = r.into(&said)
	return said.Data, err
}

// A grading is what somebody thinks of an answer.
type grading struct {
	Receipt    string   `json:"receipt"`
	Rating     string   `json:"rating,omitempty" jsonschema:"up or down"`
	Grade      *float64 `json:"grade,omitempty" jsonschema:"0 to 1, in place of a rating"`
	Correction string   `json:"correction,omitempty" jsonschema:"needs input and consent"`
	Input      string   `json:"input,omitempty" jsonschema:"what was asked"`
	Consent    bool     `json:"consent,omitempty" jsonschema:"a person agreed that both are kept here"`
	Review     bool     `json:"review,omitempty" jsonschema:"a person checked it"`
}

// A graded is what was written down.
type graded struct {
	Outcome    string  `json:"outcome"`
	Skill      string  `json:"skill"`
	Model      string  `json:"model"`
	Grade      float64 `json:"grade"`
	Correction bool    `json:"correction_kept"`
}

// feedback is the tool of that name.
func (c caller) feedback(ctx context.Context, g grading) (graded, error) {
	r, err := c.ask(ctx, inquiry{method: http.MethodPost, path: "/v1/feedback", body: g})
	if err != nil {
		return graded{}, err
	}
	var said graded
	err = r.into(&said)
	return said, err
}
