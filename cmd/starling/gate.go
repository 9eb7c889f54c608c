package main

import (
	"context"
	"errors"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"starling"
	"starling/internal/ledger"
)

// A gate is the gateway that a command asks, for as long as it takes: the one that serves
// these books, one of our own where none does, or another by its address.
type gate struct {
	client *client
	own    *scene         // the gateway, where it is our own
	parts  *parts         // what that is made of, at first; nil where nobody has looked what another is
	ends   []func() error // what close undoes, the last first
}

// A wish is what a command wants of the gateway that has its books.
type wish struct {
	command string // by this name it has a key, where there are keys
	beside  string // where the gateway is, if it serves already; "" where the configuration says
	still   bool   // one of our own takes in no change while it serves
}

// handover is how long a command waits for another, with a gateway of its own, to give the
// books back: both may be one agent's, which asks several things at a time.
const handover = time.Minute

// gate finds the gateway that has the books, or makes one for as long as this takes. Where
// another command has them, which serves nobody else, it waits for its end.
func (p *program) gate(cfg Config, w wish) (*gate, error) {
	dir := cfg.dataDir(p.flags.Data)
	until, told := time.Now().Add(handover), false
	for {
		g, err := p.ownGate(cfg, w, dir)
		if !errors.Is(err, ledger.ErrInUse) {
			return g, err
		}
		if g, err = gateBeside(cfg, w.beside); err != nil || w.beside != "" || g.listens(p.ctx) || time.Now().After(until) {
			return g, err
		}
		if err := g.close(); err != nil {
			return nil, err
		}
		if !told {
			printf(p.stderr, "note: another starling has the books and serves nobody else; waiting for its end\n")
			told = true
		}
		select {
		case <-p.ctx.Done():
			return nil, p.ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// ownGate makes a gateway of our own. Where somebody has the books the error is
// [ledger.ErrInUse], and nothing has been made.
func (p *program) ownGate(cfg Config, w wish, dir string) (*gate, error) {
	if ledger.InUse(dir) {
		return nil, ledger.ErrInUse
	}
	own, err := p.scene(cfg, dir, new(simulation))
	if err != nil {
		return nil, err
	}
	own.still = w.still
	g := new(gate)
	if err := errors.Join(unmarkDemo(dir), g.within(p.ctx, own, w.command)); err != nil {
		return nil, errors.Join(err, g.close())
	}
	return g, nil
}

// listens reports whether anybody is at the gateway's address.
func (g *gate) listens(ctx context.Context) bool {
	u, err := url.Parse(g.client.url)
	if err != nil {
		return false
	}
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

// gateTo is the gateway at an address, for which nothing else of this machine is needed, or
// where none is given the one that has these books. It is waited for.
func (p *program) gateTo(address, command string) (*gate, error) {
	if address != "" {
		g, err := gateAt(address)
		if err != nil {
			return nil, err
		}
		return g.waits(), nil
	}
	cfg, err := loadConfig(p.flags.Config)
	if err != nil {
		return nil, err
	}
	g, err := p.gate(cfg, wish{command: command})
	if err != nil {
		return nil, err
	}
	return g.waits(), nil
}

// gateBeside is the gateway that has the books: where address says, or else the
// configuration.
func gateBeside(cfg Config, address string) (*gate, error) {
	if address != "" {
		return gateAt(address)
	}
	addr, err := cfg.address()
	if err != nil {
		return nil, err
	}
	g := new(gate)
	g.asks("http://"+addr, os.Getenv("STARLING_KEY"))
	return g, nil
}

// gateAt is whatever gateway is at an address. Nothing of this machine is
// needed, but for a key in the environment. Errors: Invalid for what is no address.
func gateAt(address string) (*gate, error) {
	whole := address
	if !strings.Contains(address, "://") {
		whole = "http://" + address
	}
	u, err := url.Parse(whole)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, &starling.Error{Kind: starling.Invalid, Op: "--gateway is no address", Hint: "write it like http://" + defaultListen}
	}
	g := new(gate)
	g.asks(strings.TrimSuffix(strings.TrimSuffix(whole, "/"), "/v1"), os.Getenv("STARLING_KEY"))
	g.client.far = true
	return g, nil
}

// close takes leave of it, and ends it if it is our own.
func (g *gate) close() (err error) {
	for _, end := range slices.Backward(g.ends) {
		err = errors.Join(err, end())
	}
	return err
}

// later has close call end.
func (g *gate) later(end func() error) { g.ends = append(g.ends, end) }

// look finds out what a gateway is made of that has these books and is not our own.
func (g *gate) look(p *program, cfg Config) (err error) {
	if g.parts, err = build(p.ctx, cfg, cfg.dataDir(p.flags.Data), nil); err == nil {
		g.later(func() error { g.parts.close(); return nil })
	}
	return err
}

// within asks a gateway of our own. Where there are keys we have one for as long as this
// takes.
func (g *gate) within(ctx context.Context, s *scene, command string) error {
	g.own, g.parts = s, s.parts // before they may be replaced
	s.begin(ctx)
	g.later(s.end)
	if s.ledger.Keyless() {
		g.asks(s.url(), "")
		return nil
	}
	secret, key, err := s.ledger.CreateKey(ctx, ledger.KeySpec{Name: command, Expires: time.Now().Add(24 * time.Hour)})
	if err != nil {
		return err
	}
	g.later(func() error { return s.ledger.RevokeKey(context.WithoutCancel(ctx), key.ID) })
	g.asks(s.url(), secret)
	return nil
}

// asks says which gateway is asked, with which key.
func (g *gate) asks(url, key string) {
	g.client = newClient(strings.TrimSuffix(url, "/"))
	g.client.key = key
	g.later(func() error { g.client.close(); return nil })
}

// waits has answers take all the time that they need: a model may have to be loaded, and
// a gateway tells that it lives.
func (g *gate) waits() *gate {
	g.client.http.Timeout = 0
	return g
}
