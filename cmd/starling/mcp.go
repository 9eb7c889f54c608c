package main

import (
	"errors"
	"os"

	"starling/internal/mcp"
)

type mcpCmd struct {
	Gateway string `help:"Address of a gateway to ask instead of the one that has these books; its key is in STARLING_KEY." placeholder:"URL"`
}

// Run speaks to an agent over stdin and stdout, until stdin ends. What it is asked for the
// gateway answers: the one that serves these books, or one of its own for as long as it
// lives.
func (c mcpCmd) Run(p *program) error {
	l, err := c.open(p)
	if err != nil {
		return err
	}
	door := mcp.Door{Version: version, Gateway: mcp.Gateway{URL: l.client.url, Key: l.client.key, Do: l.client.http.Do}}
	return errors.Join(mcp.Stdio(p.ctx, door, os.Stdin, p.stdout), l.close())
}

// open finds the gateway. One that is named needs nothing else of this machine.
func (c mcpCmd) open(p *program) (*lab, error) {
	if c.Gateway != "" {
		l := new(lab)
		l.asks(c.Gateway, os.Getenv("STARLING_KEY"))
		l.client.http.Timeout = 0 // the agent says how long it waits
		return l, nil
	}
	cfg, err := loadConfig(p.flags.Config)
	if err != nil {
		return nil, err
	}
	return runCmd{}.open(p, cfg)
}
