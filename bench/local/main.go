package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"starling"
	"starling/internal/gguf"
	"starling/internal/llamacpp"
)

// A plan says how much is measured.
type plan struct {
	shapes  []gguf.Shape
	kinds   []string
	threads []int
	widths  []int         // sequences
	pairs   int           // of rounds, in each setting, at most; one at least
	limit   time.Duration // for all settings together
}

var (
	known = []gguf.Shape{gguf.Qwen06B, gguf.Llama1B}
	tiny  = []gguf.Shape{gguf.TinyQwen, gguf.TinyLlama}
	whole = plan{shapes: known, kinds: kinds, threads: []int{1, 2}, widths: []int{1, 2, 4, 8}, pairs: 3, limit: 24 * time.Minute}
	quick = plan{shapes: known[:1], kinds: []string{"F16", "Q4_0"}, threads: []int{1, 2}, widths: []int{1, 4}, pairs: 2, limit: 3 * time.Minute}
)

// An options is what the user says.
type options struct {
	library, scratch, out string
	perKWh                starling.Money
}

// resultFile is where a whole result is written.
const resultFile = "bench/local/result.md"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := command(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench/local:", err)
		os.Exit(1)
	}
}

// command is main without the process.
func command(ctx context.Context, args []string, stdout io.Writer) error {
	var o options
	f := flag.NewFlagSet("local", flag.ContinueOnError)
	f.StringVar(&o.library, "library", "", "folder of llama.cpp's shared libraries")
	f.StringVar(&o.scratch, "scratch", filepath.Join(os.TempDir(), "starling-bench-local"), "folder of the weights, which are kept")
	f.StringVar(&o.out, "out", "", "where the result is written; "+resultFile+" of a whole run")
	price := f.String("kwh", "0.15", "dollars for a kilowatt-hour")
	short := f.Bool("quick", false, "a look instead of a measurement")
	shapes := f.String("shapes", "", "instead of the plan's: tiny, or names with commas between")
	some := f.String("kinds", "", "instead of the plan's, as F16,Q4_0")
	threads := f.String("threads", "", "instead of the plan's, as 1,2")
	widths := f.String("sequences", "", "instead of the plan's, as 1,4")
	child := f.String("child", "", "serve this file to the run itself")
	window := f.Int("window", 0, "with -child: tokens of a sequence")
	kind := f.String("quantise", "", "make this kind of one file another (used by the run itself)")
	if err := f.Parse(args); err != nil {
		return err
	}
	p := whole
	if *short {
		p = quick
	} else if *shapes+*some+*threads+*widths == "" { // nothing is left out
		o.out = cmp.Or(o.out, resultFile)
	}
	for _, err := range []error{
		p.narrow(*shapes, *some), numbers("threads", *threads, &p.threads), numbers("sequences", *widths, &p.widths), money(*price, &o.perKWh), absolute(&o.library), absolute(&o.scratch),
	} {
		if err != nil {
			return err
		}
	}
	switch {
	case o.library == "":
		return fmt.Errorf("name the folder of the library with -library")
	case *child != "":
		return serveChild(o.library, &setting{weights: &weights{file: *child}, threads: p.threads[0], width: p.widths[0], window: *window})
	case *kind != "":
		return llamacpp.Quantize(o.library, f.Arg(0), f.Arg(1), *kind)
	}
	return run(ctx, o, p, stdout, said(f))
}

// narrow leaves out of a plan what the user does not name.
func (p *plan) narrow(shapes, some string) error {
	switch shapes {
	case "":
	case "tiny":
		p.shapes = tiny
	default:
		p.shapes = nil
		for name := range strings.SplitSeq(shapes, ",") {
			i := slices.IndexFunc(known, func(s gguf.Shape) bool { return strings.EqualFold(s.Name, name) })
			if i < 0 {
				return fmt.Errorf("-shapes %s: there are %s, %s, and tiny", shapes, known[0].Name, known[1].Name)
			}
			p.shapes = append(p.shapes, known[i])
		}
	}
	if some == "" {
		return nil
	}
	p.kinds = strings.Split(some, ",")
	for _, kind := range p.kinds {
		if !slices.Contains(kinds, kind) {
			return fmt.Errorf("-kinds %s: there are %s", some, strings.Join(kinds, ", "))
		}
	}
	return nil
}

func numbers(name, list string, to *[]int) error {
	if list == "" {
		return nil
	}
	*to = nil
	for part := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 {
			return fmt.Errorf("-%s %s: numbers from 1 on, with commas between", name, list)
		}
		*to = append(*to, n)
	}
	return nil
}

func money(text string, to *starling.Money) (err error) {
	if *to, err = starling.ParseMoney(text); err == nil && *to <= 0 {
		err = fmt.Errorf("-kwh %s: must be above zero", text)
	}
	return err
}

// absolute makes a path the same for processes in other folders.
func absolute(path *string) (err error) {
	if *path != "" {
		*path, err = filepath.Abs(*path)
	}
	return err
}

// said is the command as it was given, without where its user keeps things.
func said(f *flag.FlagSet) string {
	text := "go run ./bench/local"
	f.Visit(func(f *flag.Flag) {
		switch f.Name {
		case "library", "scratch":
			text += " -" + f.Name + " DIR"
		case "out":
		case "quick":
			text += " -quick"
		default:
			text += " -" + f.Name + " " + f.Value.String()
		}
	})
	return text
}

// run measures every setting, tells each as it ends, and writes the whole down.
func run(ctx context.Context, o options, p plan, stdout io.Writer, said string) error {
	if err := os.MkdirAll(o.scratch, 0o700); err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "starling-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	program, err := build(ctx, dir, o.library)
	if err != nil {
		return err
	}
	b := &bench{options: o, plan: p, program: program, store: store{o.scratch, o.library}, stdout: stdout}
	t, err := b.all(ctx, said)
	if err != nil {
		return err
	}
	if o.out != "" {
		err = os.WriteFile(o.out, []byte(t.String()), 0o644)
	}
	if n := len(t.failed); n > 0 {
		err = errors.Join(err, fmt.Errorf("%d settings could not be measured, the first: %s", n, t.failed[0]))
	}
	return err
}
