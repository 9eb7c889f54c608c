package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/term"

	"starling"
	"starling/internal/corpus"
	"starling/internal/evidence"
	"starling/internal/ledger"
	"starling/internal/mcp"
	"starling/internal/serve"
	"starling/internal/skill"
)

type serveCmd struct {
	Listen string `help:"Address to serve on; that of the configuration, else 127.0.0.1:4141, by default." placeholder:"HOST:PORT"`
	Quiet  bool   `short:"q" help:"Say nothing but errors."`

	Observe bool     `help:"Change nothing: answer as if Starling were not there, and report what it would have saved."`
	Shadow  *float64 `help:"While observing, the share of requests, from 0 to 1, that who would have answered is asked too; as the rubrics audit if unsaid." placeholder:"SHARE"`
}

// garbage lets the heap grow by so many percent of what is alive, to six times
// that, before it is collected. A gateway keeps little alive and makes much, so
// the usual setting spends more on collecting than on requests (bench/gateway).
const garbage = 500

// Run serves until it is told to stop.
func (c serveCmd) Run(p *program) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbage)
	}
	hup, stop := hangups()
	defer stop()
	cfg, err := c.config(p)
	if err != nil {
		return err
	}
	dir := cfg.dataDir(p.flags.Data)
	g, err := open(p.ctx, cfg, dir, p.logger(c.Quiet))
	if err != nil {
		return err
	}
	defer g.close()
	if err := unmarkDemo(dir); err != nil {
		return err
	}
	if !c.Quiet {
		g.greet(p)
	}
	err = g.run(p.ctx, hup, func() (Config, error) { return c.config(p) })
	if !c.Quiet {
		g.sumUp(p)
	}
	return err
}

// hangups takes the signals that ask for a reload, before anybody can think that
// there is something to reload: until then one would end the process.
func hangups() (hup <-chan os.Signal, stop func()) {
	signals := make(chan os.Signal, 1)
	if len(reloadSignals) > 0 { // to name none would ask for all
		signal.Notify(signals, reloadSignals...)
	}
	return signals, func() { signal.Stop(signals) }
}

func (c serveCmd) config(p *program) (Config, error) {
	cfg, err := loadConfig(p.flags.Config)
	cfg.Listen = cmp.Or(c.Listen, cfg.Listen)
	cfg.Observe, cfg.Shadow = c.Observe || cfg.Observe, cmp.Or(c.Shadow, cfg.Shadow)
	return cfg, err
}

// A gateway is everything that serves: the ledger outlives the parts, which a
// reload replaces.
type gateway struct {
	cfg    Config // at the start
	began  time.Time
	dir    string // of the data
	log    *slog.Logger
	ledger *ledger.Ledger
	news   *ledger.Follower // keeps the board of evidence up to date
	parts  *parts
	set    *skill.Set
	server *serve.Server
	ln     net.Listener
	study  *study // what is learned beside the requests

	roll    string        // of the students' folder, before it was read
	kept    string        // of the kept models', alike
	look    time.Duration // between two looks at it
	lessons time.Duration // between two looks whether a student has more to learn
	schools chan school   // whoever receives gets the one in force then, while the gateway runs

	retiring sync.WaitGroup // parts that were replaced and may still answer
}

// open puts a gateway together and listens. Nothing is served before run.
func open(ctx context.Context, cfg Config, dir string, log *slog.Logger) (*gateway, error) {
	g := &gateway{cfg: cfg, dir: dir, log: log, began: time.Now(), roll: rollCall(dir), kept: keptCall(dir), look: time.Second, lessons: 5 * time.Minute, schools: make(chan school), study: newStudy(cfg.skillFiles(), log)}
	var err error
	if g.parts, err = build(ctx, cfg, dir, log); err != nil {
		return nil, err
	}
	for _, why := range slices.Concat(g.parts.damaged, g.parts.rung.damaged) {
		log.Error(why)
	}
	if g.set, err = cfg.loadSkills(); err != nil {
		return nil, err
	}
	if g.ledger, err = openLedger(ctx, cfg, dir, g.set, log); err != nil {
		return nil, err
	}
	g.news = &ledger.Follower{Records: g.ledger.Records, Board: evidence.NewBoard(), Revoked: g.revoked}
	err = g.news.Catch(ctx)
	if err == nil {
		err = g.listen()
	}
	if err != nil {
		return nil, errors.Join(err, g.ledger.Close())
	}
	return g, nil
}

func openLedger(ctx context.Context, cfg Config, dir string, set *skill.Set, log *slog.Logger) (*ledger.Ledger, error) {
	url, err := cfg.ledgerURL()
	if err != nil {
		return nil, err
	}
	l, err := ledger.Open(ctx, ledger.Options{Dir: dir, URL: url, Log: log, Budgets: cfg.budgets(set)})
	return l, misplaced(err)
}

// listen makes the server and its socket. Without keys nobody but this machine
// is served, so an address that others can reach is refused.
func (g *gateway) listen() error {
	c, err := g.parts.cascade(g.set, g.ledger, g.news.Board, g.log)
	if err != nil {
		return err
	}
	g.study.of(c.Router)
	addr, err := g.cfg.address()
	if err != nil {
		return err
	}
	if g.ledger.Keyless() && !loopback(addr) {
		return &starling.Error{Kind: starling.Forbidden, Op: "listen on " + addr + " without keys", Hint: "make a key first (starling key create), or listen on 127.0.0.1"}
	}
	g.server = serve.New(c, g.ledger, g.log, serve.Options{
		Hosts: g.cfg.Hosts, Origins: g.cfg.Origins, MaxBody: g.cfg.MaxBody, InFlight: g.cfg.MaxInFlight, Stateless: g.cfg.Stateless, Version: version, Keep: keepIn(g.dir), Learn: g.news.Catch,
		Agents: func(api http.Handler) http.Handler {
			return mcp.Handler(mcp.Door{Gateway: mcp.Inside(api), Version: version})
		},
	})
	if g.ln, err = net.Listen("tcp", addr); err != nil {
		return &starling.Error{Kind: starling.Invalid, Op: "listen on " + addr, Hint: "is another starling running? choose another address with --listen", Err: err}
	}
	return nil
}

// keepIn keeps texts in the corpus of a folder, which there is only once somebody
// consented to the first.
func keepIn(dir string) func(context.Context, ...corpus.Text) error {
	return func(ctx context.Context, some ...corpus.Text) error {
		texts, err := corpus.Open(ctx, dir)
		if err != nil {
			return err
		}
		_, err = texts.Add(ctx, some)
		return errors.Join(err, texts.Close())
	}
}

// run serves until ctx ends and the requests under way have ended. The
// configuration is read again at each hup; nil has none.
func (g *gateway) run(ctx context.Context, hup <-chan os.Signal, reload func() (Config, error)) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return g.server.Serve(ctx, g.ln) })
	group.Go(func() error { return g.follow(ctx, hup, reload) })
	group.Go(func() error { return g.keepUp(ctx) })
	models := g.parts.rung // read here: a reload may replace it
	group.Go(func() error { return g.recall(ctx, models) })
	group.Go(func() error { return g.study.run(ctx, g.ledger.Outcomes) })
	group.Go(func() error { g.study.recall(ctx, g.ledger.Records); return nil })
	return group.Wait()
}

// follow takes changes in: of the skills' folder at once, of the students' and the kept
// models' soon, of the configuration on SIGHUP. What is invalid is logged and changes nothing. This
// goroutine alone replaces parts and set.
func (g *gateway) follow(ctx context.Context, hup <-chan os.Signal, reload func() (Config, error)) error {
	sets, classes, kept := make(chan *skill.Set), make(chan class), make(chan struct{})
	group, ctx := errgroup.WithContext(ctx)
	first := g.set // read here: the watcher may begin after the first swap
	group.Go(func() error { return g.watchSkills(ctx, first, sets) })
	group.Go(func() error { return g.watchStudents(ctx, classes) })
	group.Go(func() error { return g.watchModels(ctx, kept) })
	lessons := newLessons(g)
	group.Go(func() error { return lessons.run(ctx) })
	group.Go(func() error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-hup:
				g.reconfigure(ctx, "configuration", reload)
			case <-kept:
				g.reconfigure(ctx, "models of this machine", func() (Config, error) { return g.cfg, nil })
			case set := <-sets:
				g.swap("skills", g.cfg, g.parts, set)
			case c := <-classes:
				g.enrol(c)
			case g.schools <- g.school():
			}
		}
	})
	return group.Wait()
}

func (g *gateway) watchSkills(ctx context.Context, first *skill.Set, sets chan<- *skill.Set) error {
	if g.cfg.Skills == "" {
		return nil
	}
	return skill.Watch(ctx, g.cfg.Skills, first, func(set *skill.Set, err error) {
		if err != nil {
			g.log.Error("skills not reloaded; the old ones stay in force", "err", err)
		}
		if set == nil {
			return
		}
		select {
		case sets <- set:
		case <-ctx.Done():
		}
	})
}

// reconfigure makes all parts anew: of another configuration, or because of what has
// changed beside it.
func (g *gateway) reconfigure(ctx context.Context, what string, reload func() (Config, error)) {
	cfg, err := reload()
	var fresh *parts
	if err == nil {
		fresh, err = build(ctx, cfg, g.dir, g.log)
	}
	if err != nil {
		g.log.Error(what+" not reloaded; what was in force stays so", "err", err)
		return
	}
	old := g.parts
	fresh.takeOver(old)
	if !g.swap(what, cfg, fresh, g.set) {
		old.takeOver(fresh)
		fresh.close()
		return
	}
	g.retiring.Go(func() { old.retire(ctx) })
	g.warn(ctx, cfg)
	g.cfg.Budgets = cfg.Budgets // in force now, and counted with the skills' own
}

// swap puts parts, skills and caps in force, all or none, and reports whether it
// did.
func (g *gateway) swap(what string, cfg Config, parts *parts, set *skill.Set) bool {
	c, err := parts.cascade(set, g.ledger, g.news.Board, g.log)
	if err == nil {
		err = g.ledger.Cap(cfg.budgets(set))
	}
	if err != nil {
		g.log.Error(what+" not reloaded; what was in force stays so", "err", err)
		return false
	}
	g.study.of(c.Router)
	g.parts.answering.Go(g.server.Swap(c))
	g.parts, g.set = parts, set
	g.log.Info(what + " reloaded")
	return true
}

// keepUp takes in what others write down beside this gateway: outcomes, warrants
// and revocations.
func (g *gateway) keepUp(ctx context.Context) error {
	every := time.NewTicker(time.Second)
	defer every.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
		err := g.news.Catch(ctx)
		if err != nil && ctx.Err() == nil && !failing {
			g.log.Error("the evidence is not up to date; what is known stays in force", "err", err)
		}
		failing = err != nil
	}
}

// close frees everything, after run.
func (g *gateway) close() {
	_ = g.ln.Close() // closed already if it served
	g.retiring.Wait()
	g.parts.close()
	if err := g.ledger.Close(); err != nil {
		g.log.Error("close the ledger", "err", err)
	}
}

// greet says what is served, and what to do next.
func (g *gateway) greet(p *program) {
	out := new(bytes.Buffer) // one write, for whoever waits for the address
	defer func() { _, _ = out.WriteTo(p.stderr) }()
	fmt.Fprintf(out, "starling %s on http://%s\n", version, g.ln.Addr())
	fmt.Fprintf(out, "  %d models, %d skills; OPENAI_BASE_URL=http://%s/v1  ANTHROPIC_BASE_URL=http://%s\n", len(g.parts.directory.Models()), len(g.set.Names()), g.ln.Addr(), g.ln.Addr())
	if g.cfg.Observe {
		fmt.Fprintln(out, observing)
	}
	for _, note := range g.notes(p.ctx, g.cfg) {
		printf(out, "  note: %s\n", note)
	}
}

// notes are of what is in force.
func (g *gateway) notes(ctx context.Context, cfg Config) []string {
	keys, err := known(g.ledger.Keys(ctx))
	if err != nil {
		g.log.Error("read the keys", "err", err)
	}
	return cfg.notes(g.parts, g.set, keys)
}

func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// logger writes for people on a terminal and JSON elsewhere.
func (p *program) logger(quiet bool) *slog.Logger {
	opts := &slog.HandlerOptions{Level: slog.LevelInfo}
	if quiet {
		opts.Level = slog.LevelError
	}
	if f, ok := p.stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return slog.New(slog.NewTextHandler(p.stderr, opts))
	}
	return slog.New(slog.NewJSONHandler(p.stderr, opts))
}
