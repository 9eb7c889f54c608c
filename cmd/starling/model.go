package main

import (
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"starling/internal/hub"
)

type modelCmd struct {
	Pull     modelPullCmd     `cmd:"" help:"Fetch a model from Hugging Face or Ollama's registry."`
	Import   modelImportCmd   `cmd:"" help:"Keep a GGUF file as a model."`
	Quantize modelQuantizeCmd `cmd:"" help:"Make a smaller and faster model of one."`
	List     modelListCmd     `cmd:"" help:"List the models that are kept here."`
	Show     modelShowCmd     `cmd:"" help:"Show what is known of one."`
	Rm       modelRmCmd       `cmd:"" help:"Forget a model and free what no other needs."`
}

type modelPullCmd struct {
	Model  string `arg:"" help:"owner/repo[:quant] on Hugging Face, or ollama:name[:tag]."`
	Force  bool   `help:"Fetch it though it does not fit this machine."`
	Hub    string `help:"Address of Hugging Face, or of a mirror." placeholder:"URL" env:"HF_ENDPOINT"`
	Ollama string `help:"Address of Ollama's registry." placeholder:"URL"`
	JSON   bool   `help:"Print JSON."`
}

// Run fetches a model. What was fetched before stays, so that it can be asked again
// after anything that went wrong.
func (c modelPullCmd) Run(p *program) error {
	r, err := hub.ParseReference(c.Model)
	if err != nil {
		return err
	}
	s, err := p.hubStore(hub.Options{HuggingFace: c.Hub, Registry: c.Ollama})
	if err != nil {
		return err
	}
	m, err := s.Pull(p.ctx, r, hub.Force(c.Force))
	if err != nil {
		return err
	}
	return p.kept(m, c.JSON)
}

// kept tells what is there now.
func (p *program) kept(m hub.Stored, asJSON bool) error {
	o := p.outlook(m)
	if asJSON {
		return p.encode(struct {
			modelLine
			outlook
		}{listedModel(m), o})
	}
	printf(p.stdout, "%s: %s, licence %s\n", m.Name, megabytes(m.Bytes()), dash(m.Licence))
	if o.Memory > 0 {
		printf(p.stdout, "  memory  %s, with its window\n", megabytes(o.Memory))
	}
	if o.Speed > 0 {
		printf(p.stdout, "  speed   %s here, by measured bandwidth\n", tokensASecond(o.Speed))
	}
	return nil
}

type modelImportCmd struct {
	File string `arg:"" help:"GGUF file."`
	Name string `help:"Name of the model; without one, the file's." placeholder:"NAME"`
	Link bool   `help:"Refer to the file where it is instead of copying it."`
	JSON bool   `help:"Print JSON."`
}

// Run keeps a file as a model.
func (c modelImportCmd) Run(p *program) error {
	s, err := p.hubStore(hub.Options{})
	if err != nil {
		return err
	}
	m, err := s.Import(p.ctx, hub.Import{File: c.File, Name: c.Name, Link: c.Link})
	if err != nil {
		return err
	}
	return p.kept(m, c.JSON)
}

type modelListCmd struct {
	JSON bool `help:"Print JSON."`
}

// A modelLine is a model as its owner sees it.
type modelLine struct {
	hub.Stored
	Bytes int64    `json:"bytes"`
	Used  []string `json:"used,omitempty"` // aliases of the configuration that lead to it
}

func listedModel(m hub.Stored) modelLine { return modelLine{Stored: m, Bytes: m.Bytes()} }

// Run lists the models.
func (c modelListCmd) Run(p *program) error {
	s, err := p.hubStore(hub.Options{})
	if err != nil {
		return err
	}
	all, err := s.Models()
	if err != nil {
		return err
	}
	if c.JSON {
		lines := []modelLine{}
		for _, m := range all {
			lines = append(lines, listedModel(m))
		}
		return p.encode(lines)
	}
	t := newTable(p.stdout, "MODEL", "QUANT", "SIZE", "LICENCE", "FROM", "KEPT")
	for _, m := range all {
		from, _, _ := strings.Cut(m.Source, ":")
		t.row(m.Name, dash(m.Facts.Quant), megabytes(m.Bytes()), dash(m.Licence), from, m.Kept.Local().Format(time.DateTime))
	}
	return t.Flush()
}

type modelShowCmd struct {
	Model string `arg:"" help:"Name of the model."`
	JSON  bool   `help:"Print JSON."`
}

// Run shows one model.
func (c modelShowCmd) Run(p *program) error {
	s, err := p.hubStore(hub.Options{})
	if err != nil {
		return err
	}
	m, err := s.Find(c.Model)
	if err != nil {
		return err
	}
	l := listedModel(m)
	if l.Used, err = p.aliasesOf(m.Name); err != nil {
		return err
	}
	if c.JSON {
		return p.encodeWide(l)
	}
	l.print(p.stdout)
	return nil
}

// aliasesOf are the configuration's aliases that lead to a model of that name.
func (p *program) aliasesOf(name string) ([]string, error) {
	cfg, err := loadConfig(p.flags.Config)
	if err != nil {
		return nil, err
	}
	return slices.Sorted(func(yield func(string) bool) {
		for alias, to := range maps.All(cfg.Models) {
			if _, model, _ := strings.Cut(to, "/"); strings.EqualFold(model, name) && !yield(alias) {
				return
			}
		}
	}), nil
}

func (l *modelLine) print(w io.Writer) {
	printf(w, "%s\n", l.Name)
	line := func(name, format string, args ...any) {
		printf(w, "  %-13s ", name)
		printf(w, format+"\n", args...)
	}
	f := &l.Facts
	line("from", "%s", l.Source)
	line("licence", "%s", dash(l.Licence))
	line("size", "%s in %d files", megabytes(l.Bytes), len(l.Files))
	line("quantised", "%s", dash(f.Quant))
	if f.Architecture != "" {
		line("architecture", "%s", f.Architecture)
	}
	if f.Parameters > 0 {
		line("parameters", "%.2f billion", float64(f.Parameters)/1e9)
	}
	if f.Context > 0 {
		line("window", "%d tokens", f.Context)
	}
	for _, file := range l.Files {
		line("digest", "%s", file.Digest)
	}
	line("file", "%s", l.Path)
	line("used by", "%s", dash(strings.Join(l.Used, ", ")))
}

type modelRmCmd struct {
	Model string `arg:"" help:"Name of the model."`
	JSON  bool   `help:"Print JSON."`
}

// Run forgets a model.
func (c modelRmCmd) Run(p *program) error {
	s, err := p.hubStore(hub.Options{})
	if err != nil {
		return err
	}
	m, freed, err := s.Remove(p.ctx, c.Model)
	if err != nil {
		return err
	}
	if c.JSON {
		return p.encode(map[string]any{"name": m.Name, "freed": freed})
	}
	printf(p.stdout, "removed %s: %s freed\n", m.Name, megabytes(freed))
	return nil
}
