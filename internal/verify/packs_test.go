package verify

import (
	"testing"

	"starling"
	"starling/internal/skill"
	"starling/skills"
)

// The packs that come with Starling keep what they promise.
func TestThePacksProveWhatTheyClaim(t *testing.T) {
	set, err := skill.LoadAll(skills.Packs)
	if err != nil {
		t.Fatal(err)
	}
	if len(set.Names()) == 0 {
		t.Fatal("there are no packs")
	}
	for _, name := range set.Names() {
		t.Run(name, func(t *testing.T) {
			s, _ := set.Find(name)
			verifiers, err := ForSkill(s)
			if err != nil {
				t.Fatal(err)
			}
			p := pack{t, s, verifiers}
			n := 0
			for c, err := range skill.Cases(skills.Packs, name) {
				if err != nil {
					t.Error(err)
					continue
				}
				n++
				p.right(c)
				p.wrong(c)
			}
			if n < 60 {
				t.Errorf("%d cases, want at least 60", n)
			}
		})
	}
}

type pack struct {
	*testing.T
	skill     *skill.Skill
	verifiers []starling.Verifier
}

func (p pack) right(c skill.Case) {
	p.Helper()
	all := c
	all.Gold = skill.Gold{Verified: true}
	if pass, why, err := Grade(p.Context(), all, []string{"verified"}, c.Answer, p.verifiers); !pass || err != nil {
		p.Errorf("%s: the answer is not verified: %s %v", c.ID, why, err)
	}
	if pass, why, err := Grade(p.Context(), c, p.skill.Rubric.Grade, c.Answer, p.verifiers); !pass || err != nil {
		p.Errorf("%s: the answer fails: %s %v", c.ID, why, err)
	}
}

func (p pack) wrong(c skill.Case) {
	p.Helper()
	for i, answer := range c.Wrong {
		if pass, _, err := Grade(p.Context(), c, p.skill.Rubric.Grade, answer, p.verifiers); pass || err != nil {
			p.Errorf("%s: wrong answer %d passes: %v", c.ID, i+1, err)
		}
	}
}
