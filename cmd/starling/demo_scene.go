package main

import (
	"context"
	"errors"
	"os"
)

// A scene is a gateway between a client and simulated upstreams, which may be none, all
// in this process and all over real HTTP on loopback.
type scene struct {
	*gateway
	sim   *simulation
	hup   chan os.Signal // has it take another configuration; nil: it keeps its own
	next  Config         // that one
	still bool           // nothing is taken in while it serves: neither changes nor what could be learned
	stop  context.CancelFunc
	done  chan error
}

// scene puts a gateway before the upstreams, whose owner it is from now on. It
// serves from begin to end.
func (p *program) scene(cfg Config, dir string, s *simulation) (*scene, error) {
	cfg.Listen = "127.0.0.1:0"
	g, err := open(p.ctx, cfg, dir, p.logger(true))
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return &scene{gateway: g, sim: s, done: make(chan error, 1)}, nil
}

func (s *scene) begin(ctx context.Context) {
	ctx, s.stop = context.WithCancel(ctx)
	go func() {
		if s.still {
			s.done <- s.server.Serve(ctx, s.ln)
			return
		}
		s.done <- s.gateway.run(ctx, s.hup, func() (Config, error) { return s.next, nil })
	}()
}

// turn puts the next configuration in force.
func (s *scene) turn(ctx context.Context) error {
	select {
	case s.hup <- os.Interrupt: // any will do
	case <-ctx.Done():
		return ctx.Err()
	}
	_, err := s.current(ctx) // which is answered once that is done
	return err
}

// end ends the gateway, then the upstreams.
func (s *scene) end() error {
	s.stop()
	err := <-s.done
	s.gateway.close()
	return errors.Join(err, s.sim.close())
}

// url is where the gateway is.
func (s *scene) url() string { return "http://" + s.ln.Addr().String() }
