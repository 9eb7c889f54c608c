package main

import (
	"errors"
	"fmt"
	"io/fs"

	"starling"
	"starling/internal/sim"
	"starling/internal/skill"
)

// A simulation is a set of simulated upstreams, one server for each model, since
// the egress guard knows zones by address.
type simulation struct {
	models  []sim.Model
	servers []*sim.Server
	urls    []string
}

// simulate starts one upstream for each model. addr gives the address of the
// i-th one.
func simulate(models []sim.Model, cases []sim.Case, o sim.Options, addr func(i int) string) (*simulation, error) {
	s := &simulation{models: models}
	for i, m := range models {
		o.Models, o.Cases = []sim.Model{m}, cases
		server := sim.New(o)
		url, err := server.Start(addr(i))
		if err != nil {
			return nil, errors.Join(err, s.close())
		}
		s.servers, s.urls = append(s.servers, server), append(s.urls, url)
	}
	return s, nil
}

func (s *simulation) close() error {
	var errs []error
	for _, server := range s.servers {
		errs = append(errs, server.Close())
	}
	return errors.Join(errs...)
}

// tally sums up what the upstreams served.
func (s *simulation) tally() sim.Count {
	var sum sim.Count
	for _, server := range s.servers {
		for _, c := range server.Tally().Models {
			sum.Requests += c.Requests
			sum.Cost = sum.Cost.Plus(c.Cost)
		}
	}
	return sum
}

// rightly says which share of known cases a model answers rightly: of all skills,
// where it states another for some.
func rightly(m sim.Model) string {
	low, high := m.Quality, m.Quality
	for _, q := range m.QualityBySkill {
		low, high = min(low, q), max(high, q)
	}
	if low == high {
		return fmt.Sprintf("%.1f %%", 100*low)
	}
	return fmt.Sprintf("%.1f–%.1f %%", 100*low, 100*high)
}

// config is a configuration that offers the simulated models: a provider
// "sim-<name>" and an alias "<name>" each.
func (s *simulation) config() Config {
	cfg := Config{Providers: map[string]*Upstream{}, Models: map[string]string{}}
	for i, m := range s.models {
		offer := m.Offer("sim-" + m.Name)
		cfg.Providers[offer.Provider] = &Upstream{
			Dialect: offer.Dialect, URL: s.urls[i] + "/v1", Zone: m.Zone, Simulated: true, stated: []starling.Model{offer},
		}
		cfg.Models[m.Name] = offer.ID()
	}
	return cfg
}

// knownCases reads the cases of skills for upstreams of stated quality.
func knownCases(fsys fs.FS, names []string) ([]sim.Case, error) {
	var out []sim.Case
	for _, name := range names {
		for c, err := range skill.Cases(fsys, name) {
			if err != nil {
				return nil, err
			}
			out = append(out, sim.Case{Skill: name, Input: c.Input, Answer: c.Answer, Wrong: c.Wrong})
		}
	}
	return out, nil
}
