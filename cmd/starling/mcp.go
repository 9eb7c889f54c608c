package main

import (
	"errors"
	"os"

	"starling/internal/mcp"
)

type mcpCmd struct {
	Gateway string `help:"Address of a gateway to ask, in place of the one that has these books; its key is in STARLING_KEY." placeholder:"URL" env:"STARLING_GATEWAY"`
}

// Run speaks to an agent over stdin and stdout, until stdin ends. What it is asked for the
// gateway answers: the one that serves these books, or one of its own for as long as it
// lives.
func (c mcpCmd) Run(p *program) error {
	g, err := p.gateTo(c.Gateway, "mcp")
	if err != nil {
		return err
	}
	door := mcp.Door{Version: version, Gateway: mcp.Gateway{URL: g.client.url, Key: g.client.key, Do: g.client.http.Do}}
	return errors.Join(mcp.Stdio(p.ctx, door, os.Stdin, p.stdout), g.close())
}
