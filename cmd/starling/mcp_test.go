package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os/exec"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/tidwall/gjson"
)

// converse FILE COMMAND… says the lines of a file to a command, one after the other: where
// a line has an id it waits for the line with that id before it says the next, as an agent
// does. Then it ends stdin, on which the command must end well.
func converse(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: converse FILE COMMAND…")
	}
	path, err := exec.LookPath(args[1])
	ts.Check(err)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args[2:]...)
	cmd.Dir, cmd.Env, cmd.Stderr = ts.MkAbs("."), environ(ts, "STARLING_KEY"), ts.Stderr()
	in, err := cmd.StdinPipe()
	ts.Check(err)
	out, err := cmd.StdoutPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	said := bufio.NewReader(io.TeeReader(out, ts.Stdout()))
	for line := range bytes.Lines([]byte(ts.ReadFile(args[0]))) {
		_, err := in.Write(line)
		ts.Check(err)
		for id := gjson.GetBytes(line, "id"); id.Exists(); {
			answer, err := said.ReadBytes('\n')
			ts.Check(err)
			if gjson.GetBytes(answer, "id").Raw == id.Raw {
				break
			}
		}
	}
	ts.Check(in.Close())
	_, err = io.Copy(io.Discard, said)
	ts.Check(err)
	ts.Check(cmd.Wait())
}
