package skill

import (
	"testing"

	"starling"
)

func TestAnotherPartMakesAnotherUnit(t *testing.T) {
	m := starling.Model{Provider: "near", Name: "small", Dialect: starling.OpenAI, Zone: starling.Machine}
	s := &Skill{Name: "triage", Rubric: Rubric{Prompt: "Sort."}}
	unit := s.Unit(m)
	if len(unit) != 32 {
		t.Fatalf("%q", unit)
	}
	dearer := m
	dearer.Price.Input, dearer.Zone = 5, starling.Cloud
	if s.Unit(dearer) != unit {
		t.Error("its price made it another")
	}
	for name, other := range map[string]string{
		"another model":        s.Unit(starling.Model{Provider: "near", Name: "large", Dialect: starling.OpenAI}),
		"another provider":     s.Unit(starling.Model{Provider: "far", Name: "small", Dialect: starling.OpenAI}),
		"another dialect":      s.Unit(starling.Model{Provider: "near", Name: "small", Dialect: starling.Anthropic}),
		"other weights":        s.Unit(starling.Model{Provider: "near", Name: "small", Dialect: starling.OpenAI, Digest: "sha256:1"}),
		"a letter moved":       s.Unit(starling.Model{Provider: "nears", Name: "mall", Dialect: starling.OpenAI}),
		"another prompt":       (&Skill{Rubric: Rubric{Prompt: "Sort!"}}).Unit(m),
		"nothing of it at all": (&Skill{}).Unit(starling.Model{}),
	} {
		if other == unit {
			t.Error(name)
		}
	}
}
