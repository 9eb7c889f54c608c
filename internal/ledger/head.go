package ledger

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"starling"
)

// The head file of a chain is a copy of its newest checkpoint, outside the
// store: whoever cuts the end off the store would have to cut it here too.

func headPath(dir, chain string) string {
	return filepath.Join(dir, "head-"+chain[:16]+".json")
}

// saveHead copies the newest checkpoint into the head file, unless it is there.
func (l *Ledger) saveHead() error {
	newest := l.latest.Load()
	if newest == nil || newest == l.saved {
		return nil
	}
	if err := writeHead(l.dir, l.chain, newest); err != nil {
		return err
	}
	l.saved = newest
	return nil
}

// writeHead copies the checkpoint of a batch into the head file, unless one of a
// later batch is there. A gateway and commands take turns.
func writeHead(dir string, c *chain, b *batch) error {
	path := headPath(dir, c.id)
	turn, err := takeTurn(dir)
	if err != nil {
		return err
	}
	defer turn.Close()
	if there, err := readHead(path, c.signer.public); err == nil && there != nil && there.Last >= b.last {
		return nil
	}
	return writeWhole(path, b.envelope)
}

// readHead returns what a head file says, nil if there is none. Errors: Internal
// for one that the key did not sign.
func readHead(path string, public ed25519.PublicKey) (*span, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, unwritable(path, err)
	}
	s, err := openEnvelope(data, public)
	if err != nil {
		return nil, &starling.Error{Kind: starling.Internal, Op: "ledger: head file " + path, Hint: "somebody changed it; keep a copy, find out who, then remove it", Err: err}
	}
	return &s.Predicate, nil
}

// A headFile is one as it was when it was read; a gateway soon writes the next.
type headFile struct {
	path    string
	content []byte
}

// readHeads returns every head file in a directory with what it says.
func readHeads(dir string) ([]headFile, error) {
	paths, err := headFiles(dir)
	if err != nil {
		return nil, err
	}
	heads := make([]headFile, len(paths))
	for i, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		heads[i] = headFile{path, content}
	}
	return heads, nil
}

// keepAside renames a head that the store cannot show, so that the next one does
// not take its place.
func keepAside(dir, chain string, last int64) error {
	aside := filepath.Join(dir, fmt.Sprintf("head-%s-lost-%d.json", chain[:16], last))
	if err := os.Rename(headPath(dir, chain), aside); err != nil {
		return unwritable(dir, err)
	}
	return nil
}

// headFiles returns every head in a directory, those kept aside too.
func headFiles(dir string) ([]string, error) { return filesLike(dir, "head-*.json") }

// filesLike returns the files in a directory whose own names match a pattern,
// sorted. A directory's name may hold anything, patterns too.
func filesLike(dir, pattern string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		if ok, err := filepath.Match(pattern, e.Name()); err != nil {
			return nil, err
		} else if ok {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	return files, nil
}
