package main

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"starling/internal/provider"
	"starling/internal/student"
)

// data is the folder of the data sets, and who makes vectors of their texts.
type data struct {
	dir      string
	embedder *provider.Embedder // nil nobody
}

// read returns the examples of one file. A label that is null is "".
func (d data) read(ctx context.Context, name string) ([]student.Example, error) {
	f, err := os.Open(filepath.Join(d.dir, "intent", name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var all []student.Example
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var row struct{ Text, Label string }
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			return nil, fmt.Errorf("%s: line %d: %w", name, len(all)+1, err)
		}
		all = append(all, student.Example{Text: row.Text, Label: row.Label})
	}
	return all, d.embed(ctx, name, all)
}

// split deals the examples in two, by a digest of text and seed, so that the
// split does not depend on their order. Equal texts fall into the same part.
func split(all []student.Example, seed, numerator, denominator int) (most, rest []student.Example) {
	type keyed struct {
		key string
		student.Example
	}
	keys := make([]keyed, len(all))
	for i, e := range all {
		sum := sha256.Sum256(fmt.Appendf(nil, "%d\x00%s", seed, e.Text))
		keys[i] = keyed{string(sum[:]), e}
	}
	slices.SortStableFunc(keys, func(a, b keyed) int { return cmp.Compare(a.key, b.key) })
	for i, k := range keys {
		if i < len(all)*numerator/denominator {
			most = append(most, k.Example)
		} else {
			rest = append(rest, k.Example)
		}
	}
	return most, rest
}
