package verify

import (
	"context"
	"errors"

	"starling"
	"starling/internal/skill"
)

// An opinion is what one kind of verifier demands that asks a model. The answer
// that it judges is not blank. Why is "" if it accepts; the error of ask is passed
// on.
type opinion interface {
	judge(ctx context.Context, q question, ask starling.Asker) (why string, cost starling.Money, err error)
}

// askers lists every kind of verifier that asks a model. The rubric says how an
// answer is read.
var askers = map[string]func(skill.VerifySpec, *skill.Rubric) (opinion, error){
	"agreement": newAgreement,
	"judge":     newJudge,
}

// An asking is an opinion with what all opinions have in common. It is immutable.
type asking struct {
	name    string
	opinion opinion
}

var _ starling.AskingVerifier = (*asking)(nil)

func (v *asking) Name() string { return v.name }

// Verify implements [starling.Verifier]: it is Invalid, since nobody can be asked.
func (v *asking) Verify(ctx context.Context, _ *starling.Request, a *starling.Answer) (starling.Verdict, error) {
	verdict, done, err := begin(ctx, v.name, a)
	if done || err != nil {
		return verdict, err
	}
	return verdict, &starling.Error{Kind: starling.Invalid, Op: "verifier " + v.name + " asks a model, and nobody can be asked here", Hint: "only the gateway asks it"}
}

// VerifyAsking implements [starling.AskingVerifier]. Errors: those of Verify but
// Invalid, those of ask, and Refused for a reply that is none.
func (v *asking) VerifyAsking(ctx context.Context, r *starling.Request, a *starling.Answer, ask starling.Asker) (starling.Verdict, error) {
	verdict, done, err := begin(ctx, v.name, a)
	if done || err != nil {
		return verdict, err
	}
	why, cost, err := v.opinion.judge(ctx, question{request: r, text: a.Text}, ask)
	verdict.Cost = cost
	switch {
	case ctx.Err() != nil:
		return verdict, &starling.Error{Kind: starling.Cancelled, Op: "verifier " + v.name, Err: ctx.Err()}
	case err != nil:
		return verdict, failed(v.name, err)
	}
	verdict.Why, verdict.Accept = why, why == ""
	return verdict, nil
}

// failed says which verifier could not judge. What an upstream replied to its
// question is none of the caller's affair.
func failed(name string, err error) error {
	op := "verifier " + name
	e, ok := errors.AsType[*starling.Error](err)
	if !ok {
		return &starling.Error{Kind: starling.Internal, Op: op, Err: err}
	}
	own := *e
	own.Op, own.Reply = op+": "+e.Op, nil
	return &own
}

// Asks reports whether a verifier asks a model before it says anything.
func Asks(v starling.Verifier) bool {
	_, yes := v.(starling.AskingVerifier)
	return yes
}

// Unasked returns the names of those verifiers that ask a model. Whoever judges
// without an asker leaves them out, and says so.
func Unasked(verifiers []starling.Verifier) (names []string) {
	for _, v := range verifiers {
		if Asks(v) {
			names = append(names, v.Name())
		}
	}
	return names
}
