package main

import (
	"maps"
	"slices"
	"strings"

	"starling/internal/ledger"
	"starling/internal/skill"
)

// warn logs what a changed configuration or changed skills say and only a restart
// takes in: the socket, its guard and the ledger outlive a reload. Nobody should
// believe in a cap that is not in force.
func (g *gateway) warn(cfg Config, set *skill.Set) {
	if left := g.left(cfg, set); len(left) > 0 {
		g.log.Warn("changed, but takes a restart to be in force: " + strings.Join(left, ", "))
	}
}

// left names the settings that differ from those in force, sorted.
func (g *gateway) left(cfg Config, set *skill.Set) []string {
	was := g.cfg
	same := map[string]bool{
		"listen":         was.Listen == cfg.Listen,
		"hosts":          slices.Equal(was.Hosts, cfg.Hosts),
		"origins":        slices.Equal(was.Origins, cfg.Origins),
		"max_body":       was.MaxBody == cfg.MaxBody,
		"max_in_flight":  was.MaxInFlight == cfg.MaxInFlight,
		"data":           was.Data == cfg.Data,
		"ledger_url_env": was.LedgerURLEnv == cfg.LedgerURLEnv,
		"skills":         was.Skills == cfg.Skills,
		"budgets":        maps.Equal(g.caps, capsOf(cfg.budgets(set))),
	}
	maps.DeleteFunc(same, func(_ string, same bool) bool { return same })
	return slices.Sorted(maps.Keys(same))
}

func capsOf(budgets []ledger.Budget) map[ledger.Budget]bool {
	caps := map[ledger.Budget]bool{}
	for _, b := range budgets {
		caps[b] = true
	}
	return caps
}
