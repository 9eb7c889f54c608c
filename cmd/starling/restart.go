package main

import (
	"context"
	"maps"
	"slices"
	"strings"
)

// warn logs what is to be noted of a changed configuration, and what only a
// restart takes in: the socket, its guard and the ledger's place outlive a reload.
func (g *gateway) warn(ctx context.Context, cfg Config) {
	for _, note := range g.notes(ctx, cfg) {
		g.log.Warn(note)
	}
	if left := g.left(cfg); len(left) > 0 {
		g.log.Warn("changed, but takes a restart to be in force: " + strings.Join(left, ", "))
	}
}

// left names the settings that differ from those in force, sorted.
func (g *gateway) left(cfg Config) []string {
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
		"stateless":      was.Stateless == cfg.Stateless,
	}
	maps.DeleteFunc(same, func(_ string, same bool) bool { return same })
	return slices.Sorted(maps.Keys(same))
}
