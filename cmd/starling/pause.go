package main

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"starling"
	"starling/internal/durable"
)

// pauseFile is there while the models on this machine are paused. It holds the moment at
// which that ends, in RFC 3339, or nothing if it is for good.
const pauseFile = "paused"

type pauseCmd struct {
	For  time.Duration `help:"Resume by itself after so long." placeholder:"1h"`
	JSON bool          `help:"Print JSON."`
}

// Run has the models on this machine stop, in a gateway that serves and in any that will.
func (c pauseCmd) Run(p *program) error {
	dir, err := p.dataFolder()
	if err != nil {
		return err
	}
	until := ""
	switch {
	case c.For < 0:
		return &starling.Error{Kind: starling.Invalid, Op: "pause for " + c.For.String(), Hint: "name a time ahead, such as --for 1h"}
	case c.For > 0:
		until = time.Now().Add(c.For).Format(time.RFC3339)
	}
	if err = os.MkdirAll(dir, 0o700); err == nil {
		err = durable.Replace(filepath.Join(dir, pauseFile), func(w io.Writer) error { _, err := io.WriteString(w, until); return err })
	}
	if err != nil {
		return &starling.Error{Kind: starling.Internal, Op: "pause", Hint: "is the data folder writable?", Err: err}
	}
	if c.JSON {
		return p.encode(map[string]any{"paused": true, "until": until})
	}
	printf(p.stdout, "models on this machine are paused%s; starling resume has them go on\n", untilText(until))
	return nil
}

type resumeCmd struct {
	JSON bool `help:"Print JSON."`
}

// Run ends a pause.
func (c resumeCmd) Run(p *program) error {
	dir, err := p.dataFolder()
	if err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(dir, pauseFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return &starling.Error{Kind: starling.Internal, Op: "resume", Hint: "is the data folder writable?", Err: err}
	}
	if c.JSON {
		return p.encode(map[string]any{"paused": false})
	}
	printf(p.stdout, "models on this machine go on\n")
	return nil
}

func (p *program) dataFolder() (string, error) {
	cfg, err := loadConfig(p.flags.Config)
	return cfg.dataDir(p.flags.Data), err
}

// paused reports whether the models on this machine are paused, and until when, for a
// person. What the file says that is no moment is for good: somebody wanted a pause.
func paused(dir string, now time.Time) (until string, yes bool) {
	text, err := os.ReadFile(filepath.Join(dir, pauseFile))
	if err != nil {
		return "", false
	}
	said := strings.TrimSpace(string(text))
	end, err := time.Parse(time.RFC3339, said)
	if err != nil {
		return "", true
	}
	return untilText(said), now.Before(end)
}

func untilText(moment string) string {
	end, err := time.Parse(time.RFC3339, moment)
	if err != nil {
		return ""
	}
	return " until " + end.Local().Format(time.DateTime)
}
