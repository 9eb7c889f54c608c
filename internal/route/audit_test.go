package route_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"starling"
)

// consulting is a verifier that asks a model.
type consulting struct{ accepting }

func (consulting) VerifyAsking(context.Context, *starling.Request, *starling.Answer, starling.Asker) (starling.Verdict, error) {
	panic("an audit asks nobody about the reference")
}

func TestAnAuditIsPlannedForTheReferenceAlone(t *testing.T) {
	for _, c := range []struct {
		name, rubric string
		reach        starling.Zone
		verify       []string
		kind         starling.Kind
	}{
		{"it is judged as others are, by those who ask nobody", ladder + "reference: cloud/limited\n", starling.Cloud, []string{"label"}, ""},
		{"unless the rubric says that it is not", "candidates: [small, {model: cloud/limited, skip_verify: true}]\nreference: cloud/limited\n", starling.Cloud, nil, ""},
		{"it may be too far away", ladder + "reference: cloud/limited\n", starling.Machine, nil, starling.Forbidden},
		{"it may not be there", ladder + "reference: gone\n", starling.Cloud, nil, starling.NotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := router(c.rubric)
			r.Verifiers = map[string][]starling.Verifier{"test": {accepting{"label"}, consulting{accepting{"judge"}}}}
			s, _ := r.Skills.Find("test")
			p, err := r.Audit(asking("starling/test"), starling.Screen{Furthest: c.reach}, s, "rcp_1")
			if starling.KindOf(err) != c.kind || p.Rule != "audit of rcp_1" || p.Pinned || p.Skill != "test" {
				t.Fatalf("%+v, %v", p, err)
			}
			if c.kind != "" {
				return
			}
			if len(p.Candidates) != 1 || p.Candidates[0].Model.ID() != "cloud/limited" || !slices.Equal(p.Candidates[0].Verify, c.verify) || p.Candidates[0].Unit == "" || !strings.Contains(p.Candidates[0].Why, "reference") {
				t.Errorf("%+v", p.Candidates)
			}
		})
	}
}
