package route_test

import (
	"testing"

	"starling"
	"starling/internal/evidence"
	"starling/internal/route"
)

// known has many outcomes of every candidate of the ladder.
func known(r *route.Router) *evidence.Board {
	b := evidence.NewBoard()
	s, _ := r.Skills.Find("test")
	for _, c := range s.Rubric.Candidates {
		m, _ := r.Directory.Find(c.Model)
		for i := range 240 {
			b.Fold(evidence.Note{Outcome: &evidence.Outcome{
				Skill: "test", Rubric: s.Hash, Candidate: s.Unit(m), Model: m.ID(), Case: string(rune('a' + i)),
				Grade: 1, Rejected: i%10 == 0, Source: evidence.FromCase,
			}})
		}
	}
	return b
}

func BenchmarkPlan(b *testing.B) {
	for name, with := range map[string]func(*route.Router){
		"without evidence":  func(*route.Router) {},
		"with evidence":     func(r *route.Router) { r.Board = known(r) },
		"ordered by it":     func(r *route.Router) { r.Board = known(r); guarded(r, route.Guard{On: true}) },
		"in a conversation": func(r *route.Router) { r.Board, r.Sessions = known(r), route.NewSessions() },
	} {
		b.Run(name, func(b *testing.B) {
			r := router(ladder + "verify: [{kind: label, values: [a]}]\n")
			r.Verifiers = map[string][]starling.Verifier{"test": {accepting{"label"}}}
			with(r)
			req := asking("starling/test")
			if r.Sessions != nil {
				req = talking(20)
			}
			s := must(r.Skill(req))
			screen := starling.Screen{Class: "some", Furthest: starling.Cloud}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := r.Plan(req, screen, s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
