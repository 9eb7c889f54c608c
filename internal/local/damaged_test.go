package local

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"starling"
	"starling/internal/gguf"
)

// A victim is a good file, and where its header ends.
type victim struct {
	file   []byte
	header int
}

func writtenFile(t testing.TB, s gguf.Spec) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := gguf.Write(&b, s); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func victimOf(t testing.TB, shape gguf.Shape) victim {
	t.Helper()
	v := victim{file: writtenFile(t, shape.Spec(gguf.F16, 1))}
	f, err := gguf.Read(bytes.NewReader(v.file), int64(len(v.file)))
	if err != nil {
		t.Fatal(err)
	}
	v.header = int(f.Tensors[0].Offset)
	return v
}

// damaged returns the file with a damage that a seed chooses. Most of a header are texts
// of tokens, and so most damages are done to what stands before and behind them.
func (v victim) damaged(n uint64) (file []byte, what string) {
	r := rand.New(rand.NewPCG(n, 5))
	file = bytes.Clone(v.file)
	tokens := bytes.Index(file, []byte("tokenizer.ggml.tokens"))
	tensors := bytes.Index(file, []byte("token_embd.weight"))
	at := func() int {
		switch r.IntN(5) {
		case 0, 1:
			return r.IntN(tokens)
		case 2, 3:
			return tensors - 8 + r.IntN(v.header-tensors)
		}
		return r.IntN(v.header - 8)
	}
	switch r.IntN(5) {
	case 0:
		size := r.IntN(v.header)
		if r.IntN(3) == 0 {
			size = v.header + r.IntN(len(file)-v.header)
		}
		return file[:size], fmt.Sprintf("cut at %d", size)
	case 1:
		i := at()
		length := []uint64{0, 1 << 31, 1 << 40, math.MaxInt64, math.MaxUint64, 1<<32 - 1, uint64(len(file))}[r.IntN(7)]
		binary.LittleEndian.PutUint64(file[i:], length)
		return file, fmt.Sprintf("a length of %d at %d", length, i)
	case 2:
		i := 8 + 8*r.IntN(2)
		length := binary.LittleEndian.Uint64(file[i:]) + uint64(r.IntN(7)) - 3
		binary.LittleEndian.PutUint64(file[i:], length)
		return file, fmt.Sprintf("a count of %d at %d", length, i)
	case 3:
		i := at()
		number := uint32(r.IntN(64))
		binary.LittleEndian.PutUint32(file[i:], number)
		return file, fmt.Sprintf("a number %d at %d", number, i)
	}
	for range 1 + r.IntN(8) {
		file[at()] ^= 1 << r.IntN(8)
	}
	return file, "bits that were turned"
}

// A damage is a file that is not as it was, and in what.
type damage struct {
	file []byte
	what string
}

// damages are so many by chance, and of each number of the metadata values that mean
// nothing, or too much.
func damages(t testing.TB, chance int) (all []damage) {
	shapes := []gguf.Shape{gguf.TinyLlama, gguf.TinyQwen}
	victims := []victim{victimOf(t, shapes[0]), victimOf(t, shapes[1])}
	for i := range chance {
		file, what := victims[i%2].damaged(uint64(i))
		all = append(all, damage{file, what})
	}
	for _, shape := range shapes {
		for i, e := range shape.Spec(gguf.F16, 1).Metadata {
			var values []any
			switch e.Value.(type) {
			case uint32:
				values = []any{uint32(0), uint32(math.MaxInt32)}
			case float32:
				values = []any{float32(-1), float32(math.NaN())}
			}
			for _, v := range values {
				spec := shape.Spec(gguf.F16, 1)
				spec.Metadata[i].Value = v
				all = append(all, damage{writtenFile(t, spec), fmt.Sprintf("%s: %s is %v", shape.Name, e.Key, v)})
			}
		}
	}
	return all
}

// TestADamagedFileEndsItsChildAtMost: each is answered with, refused, or ends its child.
// None is waited for in vain, and nobody else notices.
func TestADamagedFileEndsItsChildAtMost(t *testing.T) {
	all := damages(t, 130)
	if testing.Short() {
		all = append(all[:12], all[len(all)-20:]...)
	}
	dir := t.TempDir()
	var files []string
	for i, d := range all {
		files = append(files, put(t, filepath.Join(dir, fmt.Sprint(i, ".gguf")), d.file))
	}
	files = append(files, put(t, filepath.Join(dir, "good.gguf"), victimOf(t, gguf.TinyLlama).file))
	var log bytes.Buffer
	s := perform(t, files, func(o *Options) {
		note := o.Room
		o.Room = func(engines []int) int64 { note(engines); return 2 } // two at once
		o.Log = slog.New(slog.NewTextHandler(&log, nil))
	})
	var mu sync.Mutex
	came := map[starling.Kind]int{}
	var both sync.WaitGroup
	for half := range 2 {
		both.Go(func() {
			for i := half; i < len(all); i += 2 {
				h := s.ask(t.Context(), t, i, "Hello, world", 3, "")
				mu.Lock()
				came[starling.KindOf(h.err)]++
				mu.Unlock()
				if err := harmless(h.err); err != nil {
					t.Errorf("%s: %v", all[i].what, err)
				}
			}
		})
	}
	both.Wait()
	t.Logf("%d files, by kind of error: %v", len(all), came)
	if h := s.ask(t.Context(), t, len(all), "Hello, world", 3, ""); h.err != nil {
		t.Errorf("the good file: %v", h.err)
	}
	s.Close()
	if came[starling.Refused] == 0 || came[starling.Overloaded] == 0 || !strings.Contains(log.String(), "GGML_ASSERT") {
		t.Error("none was refused, or no child has fallen and said why")
	}
}

// harmless returns what is wrong with how a damaged file was taken.
func harmless(err error) error {
	kind := starling.KindOf(err)
	if err == nil || kind == starling.Refused {
		return nil
	}
	if kind != starling.Overloaded || strings.Contains(err.Error(), "it had not loaded") || strings.Contains(err.Error(), "said nothing") || strings.Contains(err.Error(), "too long") {
		return err
	}
	if e, _ := errors.AsType[*starling.Error](err); e.Hint == "" {
		return fmt.Errorf("no hint: %w", err)
	}
	return nil
}

func put(t testing.TB, file string, content []byte) string {
	t.Helper()
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
