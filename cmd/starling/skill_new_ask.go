package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"starling"
	"starling/internal/evidence"
	"starling/internal/lint"
	"starling/internal/skill"
)

// An interview asks a person for what nobody said yet. After an error it asks no more.
type interview struct {
	ctx context.Context
	in  *bufio.Reader
	out io.Writer
	err error
}

// ask asks until an answer is taken; who says nothing says what is usual, which stands
// in brackets.
func (i *interview) ask(question, usual string, take func(string) error) {
	for i.err == nil {
		printf(i.out, "%s ", question)
		if usual != "" {
			printf(i.out, "[%s] ", usual)
		}
		said, err := i.line()
		if err != nil {
			i.err = err
			return
		}
		if err := take(cmp.Or(strings.TrimSpace(said), usual)); err == nil {
			return
		} else {
			printf(i.out, "  %s\n", err)
		}
	}
}

// line reads one.
func (i *interview) line() (string, error) {
	text, err := readLine(i.ctx, i.in)
	switch {
	case i.ctx.Err() != nil:
		fmt.Fprintln(i.out)
		return "", i.ctx.Err()
	case err != nil && text == "":
		return "", &starling.Error{Kind: starling.Cancelled, Op: "skill new: the interview broke off, and nothing was written"}
	}
	return text, nil
}

// text asks for what must not be empty.
func (i *interview) text(into *string, question, usual string) {
	if *into != "" {
		return
	}
	i.ask(question, usual, func(said string) error {
		if *into = said; said == "" {
			return errors.New("something has to be said here")
		}
		return nil
	})
}

// words asks for a list.
func (i *interview) words(into *[]string, question, usual string) {
	if len(*into) > 0 {
		return
	}
	i.ask(question, usual, func(said string) error {
		*into = nil
		for word := range strings.SplitSeq(said, ",") {
			if word = strings.TrimSpace(word); word != "" {
				*into = append(*into, word)
			}
		}
		if len(*into) == 0 {
			return errors.New("one at least has to be named")
		}
		return nil
	})
}

// share asks for a number between 0 and 1.
func (i *interview) share(into **float64, question string, usual float64, good func(float64) bool) {
	if *into != nil {
		return
	}
	i.ask(question, decimal(usual), func(said string) error {
		f, err := strconv.ParseFloat(said, 64)
		if err != nil || !good(f) {
			return errors.New("write a share between 0 and 1, like 0.95")
		}
		*into = &f
		return nil
	})
}

// money asks for an amount that may be left unsaid.
func (i *interview) money(into *amount, question string) {
	if into.Money > 0 {
		return
	}
	i.ask(question, "none", func(said string) error {
		if said == "none" {
			return nil
		}
		if err := into.UnmarshalText([]byte(said)); err != nil {
			return errors.New("write dollars, like 0.01")
		}
		return nil
	})
}

// interview asks for everything that no flag said.
func (c *skillNewCmd) interview(p *program, cfg Config, in io.Reader) error {
	i := &interview{ctx: p.ctx, in: bufio.NewReader(in), out: p.stderr}
	printf(i.out, "Enter takes what stands in brackets; Ctrl-C ends this, and nothing was written.\n\n")
	c.askAnswer(i)
	if i.err == nil {
		c.askLadder(p, i, cfg)
	}
	c.askBar(i)
	c.askLimits(i)
	if i.err == nil {
		c.askPrompt(i)
	}
	c.askExamples(i)
	return i.err
}

// askAnswer asks what the skill is, and what its answers are.
func (c *skillNewCmd) askAnswer(i *interview) {
	if c.Name == "" {
		i.ask("What is it called?", "", func(said string) error {
			if c.Name = said; !isSkillName(said) {
				return errors.New(nameHint)
			}
			return nil
		})
	}
	i.text(&c.Description, "What is it for, and when is it to be used?", "")
	if c.Answer == "" {
		i.ask("What is an answer: label, json or text?", "label", func(said string) error {
			if c.Answer = said; said != "label" && said != "json" && said != "text" {
				return errors.New("write label, json or text")
			}
			return nil
		})
	}
	switch c.Answer {
	case "label":
		i.words(&c.Label, "Which labels are there? With commas between them:", "")
	case "json":
		i.ask("In which file is the JSON Schema of answers?", c.Schema, func(said string) error {
			info, err := os.Stat(said)
			if err != nil || !info.Mode().IsRegular() {
				return errors.New("there is no such file")
			}
			c.Schema = said
			return nil
		})
	}
}

// askLadder asks who may try, and shows who there is.
func (c *skillNewCmd) askLadder(p *program, i *interview, cfg Config) {
	classes := slices.Sorted(maps.Keys(cfg.reach()))
	if c.Class == "" {
		i.ask("How far may the data travel? Its class:", string(cmp.Or(cfg.DefaultClass, "internal")), func(said string) error {
			if c.Class = said; !slices.Contains(classes, starling.Class(said)) {
				return fmt.Errorf("there are %v", classes)
			}
			return nil
		})
	}
	if len(c.Candidate) == 0 && i.err == nil {
		i.words(&c.Candidate, "Who may try, the cheapest first? With commas between them:", strings.Join(p.offers(i.out, cfg), ", "))
	}
	if i.err == nil {
		i.text(&c.Reference, "Whose price are savings measured against?", c.Candidate[len(c.Candidate)-1])
	}
}

// offers shows the models that there are, aliases first, and returns the aliases, the
// cheapest first.
func (p *program) offers(w io.Writer, cfg Config) (aliases []string) {
	parts, err := build(p.ctx, cfg, cfg.dataDir(p.flags.Data), nil)
	if err != nil {
		printf(w, "note: what models there are cannot be said: %v\n", err)
		return nil
	}
	defer parts.close()
	t := newTable(w)
	d, shown := parts.directory, 0
	price := map[string]starling.Rate{}
	for _, name := range d.Aliases() {
		if m, ok := d.Find(name); ok {
			aliases = append(aliases, name)
			price[name] = m.Price.Input + m.Price.Output
			t.row("  "+name, "= "+m.ID(), m.Zone, priced(m.Price))
		}
	}
	slices.SortStableFunc(aliases, func(a, b string) int { return cmp.Compare(price[a], price[b]) })
	for _, m := range d.Models() {
		const most = 12
		if shown++; shown > most {
			t.row(fmt.Sprintf("  and %d more (starling models)", len(d.Models())-most))
			break
		}
		t.row("  "+m.ID(), "", m.Zone, priced(m.Price))
	}
	_ = t.Flush()
	return aliases
}

// askBar asks what good enough means, and says what it takes to show it.
func (c *skillNewCmd) askBar(i *interview) {
	i.share(&c.Bar, "Which share of answers must pass? (0 for no bar)", usualPass, func(f float64) bool { return f >= 0 && f <= 1 })
	if i.err != nil || *c.Bar == 0 {
		return
	}
	i.share(&c.Confidence, "How surely is that to be shown?", usualConfidence, func(f float64) bool { return f > 0 && f < 1 })
	if i.err != nil {
		return
	}
	if needs := lint.Needs(skill.Bar{Pass: *c.Bar, Confidence: *c.Confidence}, 0); needs != evidence.Never {
		printf(i.out, "  %d cases without a mistake show it.\n", needs)
	} else {
		printf(i.out, "  No number of cases shows it.\n")
	}
}

// askLimits asks what it may cost, how long it may take, and what is learned.
func (c *skillNewCmd) askLimits(i *interview) {
	i.money(&c.Budget, "What may a request cost at most, in dollars?")
	i.money(&c.BudgetDay, "And all of a day?")
	i.money(&c.BudgetMonth, "And all of a month?")
	if c.Latency == 0 {
		i.ask("How long may the first byte take?", "none", func(said string) error {
			if said == "none" {
				return nil
			}
			t, err := time.ParseDuration(said)
			if err != nil || t <= 0 {
				return errors.New("write it like 10s")
			}
			c.Latency = t
			return nil
		})
	}
	i.share(&c.Audit, "Of which share of the others' answers is the reference asked too?", usualAudit, func(f float64) bool { return f >= 0 && f <= 1 })
	if c.Keep == nil {
		i.ask("May requests and the reference's answers be kept on this machine, to learn from?", "no", func(said string) error {
			keep := said == "yes" || said == "y"
			if c.Keep = &keep; !keep && said != "no" && said != "n" {
				return errors.New("write yes or no")
			}
			return nil
		})
	}
}

// askPrompt asks what the model is told.
func (c *skillNewCmd) askPrompt(i *interview) {
	if c.Prompt != "" || c.PromptFile != "" {
		return
	}
	d := draft{answer: c.Answer, labels: c.Label}
	if c.Answer == "json" {
		d.schema, _ = os.ReadFile(c.Schema) // whose error draft says
	}
	usual := d.usualPrompt()
	question := "What is the model told? In one line, or e for an editor:"
	if usual != "" {
		fmt.Fprintf(i.out, "The model is told:\n\n  %s\n\n", strings.ReplaceAll(strings.TrimSpace(harmless(usual)), "\n", "\n  "))
		question = "Something else? In one line, or e for an editor; Enter leaves it so:"
	}
	i.ask(question, "", func(said string) (err error) {
		if said == "e" {
			said, err = edit(usual)
		}
		if c.Prompt = strings.TrimSpace(said); err == nil && c.Prompt == "" && usual == "" {
			err = errors.New("something has to be said here")
		}
		return err
	})
}

// edit has the user's editor change a text.
func edit(text string) (string, error) {
	f, err := os.CreateTemp("", "prompt-*.txt")
	if err != nil {
		return "", err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", err
	}
	usual := "vi"
	if runtime.GOOS == "windows" {
		usual = "notepad"
	}
	with := strings.Fields(cmp.Or(os.Getenv("VISUAL"), os.Getenv("EDITOR"), usual))
	cmd := exec.Command(with[0], append(with[1:], f.Name())...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("the editor %s: %w", with[0], err)
	}
	edited, err := os.ReadFile(f.Name())
	return string(edited), err
}

// askExamples asks for a file of examples, or for examples, one by one.
func (c *skillNewCmd) askExamples(i *interview) {
	if c.Cases != "" || i.err != nil {
		return
	}
	printf(i.out, "\nExamples whose answer is known show who is good enough.\n")
	i.ask("Is there a file with some (CSV or JSON lines)? Enter to type them in:", "", func(said string) error {
		if _, err := os.Stat(said); said != "" && err != nil {
			return errors.New("there is no such file")
		}
		c.Cases = said
		return nil
	})
	for c.Cases == "" && i.err == nil {
		e, ok := c.askExample(i, len(c.typed)+1)
		if !ok {
			return
		}
		c.typed = append(c.typed, e)
	}
}

// askExample asks for one; false if there are no more.
func (c *skillNewCmd) askExample(i *interview, n int) (e example, ok bool) {
	fmt.Fprintln(i.out)
	i.ask(fmt.Sprintf("Example %d, what comes in; Enter if that is all:", n), "", func(said string) error {
		e.Input = said
		return nil
	})
	if e.Input == "" || i.err != nil {
		return e, false
	}
	i.ask("  the right answer:", "", func(said string) error {
		if said == "" {
			return errors.New("something has to be said here")
		}
		if c.Answer == "label" && !slices.Contains(c.Label, said) {
			return fmt.Errorf("the labels are %s", strings.Join(c.Label, ", "))
		}
		e.Answer = said
		return nil
	})
	if c.Answer == "text" {
		i.ask("  what every right answer has in it; Enter for all of it:", "", func(said string) error {
			if said != "" {
				e.Contains = texts{said}
			}
			return nil
		})
	}
	for _, which := range []string{"a wrong one", "another"} {
		i.ask("  "+which+"; Enter to have it made of the others:", "", func(said string) error {
			if said != "" {
				e.Wrong = append(e.Wrong, said)
			}
			return nil
		})
	}
	return e, i.err == nil
}
