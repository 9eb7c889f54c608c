package hub

import (
	"cmp"
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"starling"
)

// Pinned is the one version of llama.cpp whose structures the engine knows.
const Pinned = "v0.5.0"

// Options say where things come from and who is asked about them. The zero value is a
// good one.
type Options struct {
	HuggingFace string // address; "" https://huggingface.co
	Registry    string // Ollama's; "" https://registry.ollama.ai
	NPM         string // address of a registry; "" the npm client's own, and https://registry.npmjs.org without one
	GitHub      string // its API; "" https://api.github.com
	Token       string // for Hugging Face alone; "" none

	Ollama []string // folders of Ollama's stores to share blobs with; nil: where it usually keeps them
	System []string // folders of the system's libraries; nil: the usual ones

	// Platform is the system and processor that libraries are for; "" this one's.
	Platform string // "linux/amd64"

	Client *http.Client  // nil: proxies by environment, no limit on the whole
	Pause  time.Duration // before the first try again, doubled each time; 0: half a second
	Idle   time.Duration // without a byte after which a connection counts as cut; 0: a minute

	// Free returns the bytes that the disk of a folder has room for; nil asks the system.
	Free func(dir string) (int64, error)

	// Progress is told how far a file is, in bytes; total is 0 where nobody says. It is
	// called from the goroutine that fetches, often. Nil: nobody is told.
	Progress func(what string, done, total int64)

	// Inspect reads the facts of a file of weights. Nil: only its magic is looked at.
	Inspect func(path string) (Facts, error)

	// Fits says whether a model that is not here yet fits this machine, and why not, or
	// what to expect of it. If it does not, smaller ones of the same source are asked
	// after too. Nil: everything fits.
	Fits func(Candidate) (ok bool, advice string)

	// Check tells the version of the library in a folder, without harm to this process.
	// It is asked unless the files say another than [Pinned]. Nil: they are believed.
	Check func(ctx context.Context, dir string) (version string, err error)
}

// Facts are what a file of weights says of itself. What is unknown is left empty.
type Facts struct {
	Architecture string `json:"architecture,omitempty"` // "llama", "qwen3"
	Name         string `json:"name,omitempty"`
	Quant        string `json:"quant,omitempty"`      // of most tensors: "Q4_K_M"
	Parameters   int64  `json:"parameters,omitempty"` // weights
	Context      int    `json:"context,omitempty"`    // tokens it was trained with
	Licence      string `json:"licence,omitempty"`
}

// A Candidate is a model that is about to be fetched.
type Candidate struct {
	Name  string `json:"name"`            // "owner/repo:Q4_K_M"
	Quant string `json:"quant,omitempty"` // "Q4_K_M"; "" unknown
	Bytes int64  `json:"bytes"`           // of all its files

	// Header reads the model's first file where it is, a few megabytes of its beginning
	// at most; Size is that file's, in bytes. For a smaller one it is that of the model
	// which was asked for, as they differ in nothing but their quantisation. Errors are
	// those of the network: then Bytes alone is known.
	Header io.ReaderAt `json:"-"`
	Size   int64       `json:"-"`
}

// A Store is a folder of models and libraries:
//
//	models/blobs/sha256-…        weights, by what is in them
//	models/manifests/NAME.json   which blobs a model is
//	models/making/               a model that is being made of another
//	models/split/DIGEST/         files of a split model under the names that the engine wants
//	engines/VERSION/             a library, and library.json that says what belongs to it
//
// A Store is safe for concurrent use, also by several processes.
type Store struct {
	dir string
	o   Options
	get fetcher

	packages map[string]packaged // by platform
}

// Open returns the store in a folder, which is made when something is kept. Errors:
// Internal for a folder that cannot be named.
func Open(dir string, o Options) (*Store, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, &starling.Error{Kind: starling.Internal, Op: "hub: data folder", Hint: "name an existing folder with --data", Err: err}
	}
	o.HuggingFace = cmp.Or(o.HuggingFace, "https://huggingface.co")
	o.Registry = cmp.Or(o.Registry, "https://registry.ollama.ai")
	o.GitHub = cmp.Or(o.GitHub, "https://api.github.com")
	o.Platform = cmp.Or(o.Platform, runtime.GOOS+"/"+runtime.GOARCH)
	if o.Ollama == nil {
		o.Ollama = ollamaStores()
	}
	if o.System == nil {
		o.System = systemFolders
	}
	if o.Free == nil {
		o.Free = free
	}
	if o.Progress == nil {
		o.Progress = func(string, int64, int64) {}
	}
	return &Store{dir: dir, o: o, get: newFetcher(o), packages: packages}, nil
}

func (s *Store) models() string  { return filepath.Join(s.dir, "models") }
func (s *Store) engines() string { return filepath.Join(s.dir, "engines") }

// lock waits until no other process changes what the lock of that name guards. The
// lock's file stays, since taking it away would let two have it.
func (s *Store) lock(ctx context.Context, folder, name string) (release func(), err error) {
	folder = filepath.Join(folder, "locks")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, unwritable(folder, err)
	}
	l := flock.New(filepath.Join(folder, name+".lock"), flock.SetPermissions(0o600))
	if _, err := l.TryLockContext(ctx, 100*time.Millisecond); err != nil {
		if ctx.Err() != nil {
			return nil, cancelled(ctx)
		}
		return nil, unwritable(folder, err)
	}
	return func() { _ = l.Close() }, nil // closing a lock's file cannot lose anything
}

func unwritable(path string, err error) error {
	hint := "make the folder writable for this user, or name another with --data"
	if errors.Is(err, syscall.ENOSPC) {
		hint = "make room ('starling model rm' frees some), or name another folder with --data"
	}
	return &starling.Error{Kind: starling.Internal, Op: "hub: write " + path, Hint: hint, Err: err}
}

func cancelled(ctx context.Context) error {
	return &starling.Error{Kind: starling.Cancelled, Op: "hub: stopped", Hint: "the same command goes on where it was", Err: context.Cause(ctx)}
}
