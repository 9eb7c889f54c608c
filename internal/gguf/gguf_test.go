package gguf

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"starling"
)

// written returns a file as bytes.
func written(t testing.TB, s Spec) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, s); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(b []byte) (*File, error) { return Read(bytes.NewReader(b), int64(len(b))) }

func must(t testing.TB, s Spec) *File {
	t.Helper()
	f, err := read(written(t, s))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestAFileSaysWhatModelItIs(t *testing.T) {
	f := must(t, TinyQwen.Spec(F16, 1))
	key, value := f.HeadDims()
	all, used := f.Experts()
	if f.Version != 3 || f.Architecture() != "qwen3" || f.Name() != "tiny-qwen3" || f.Quantisation() != "F16" || f.Layers() != 2 ||
		f.Trained() != 2048 || f.Heads() != 4 || f.KVHeads() != 2 || key != 32 || value != 32 || f.Embedding() != 64 ||
		all != 0 || used != 0 || f.Vocabulary() != 640 || f.Licence() != "" || f.Adapter() || !strings.Contains(f.Template(), "<|im_start|>") {
		t.Errorf("%+v", f)
	}
	matrices := int64(640*64 + 2*(64*128+2*64*64+128*64+3*64*128))
	small := int64(64 + 2*(64+2*32+64))
	if f.Parameters() != matrices+small || f.Weights() != 2*matrices+4*small || f.Active() != f.Weights() {
		t.Errorf("%d parameters in %d bytes, %d active; want %d", f.Parameters(), f.Weights(), f.Active(), matrices+small)
	}
}

func TestTheShapesAreThoseOfTheRealModels(t *testing.T) {
	for _, x := range []struct {
		shape      Shape
		parameters int64 // as their makers count them, tied tables once
	}{{Qwen06B, 596049920}, {Llama1B, 1235814400}} {
		f := File{}
		for _, s := range x.shape.Spec(F16, 0).Tensors {
			f.Tensors = append(f.Tensors, Tensor{Name: s.Name, Dims: s.Dims})
		}
		if f.Parameters() != x.parameters {
			t.Errorf("%s has %d parameters, want %d", x.shape.Name, f.Parameters(), x.parameters)
		}
	}
}

func TestTinyFilesAreTinyAndTheSameForTheSameSeed(t *testing.T) {
	for _, s := range []Shape{TinyQwen, TinyLlama} {
		for _, kind := range []Type{F32, F16} {
			a, b, c := written(t, s.Spec(kind, 1)), written(t, s.Spec(kind, 1)), written(t, s.Spec(kind, 2))
			if len(a) > 2<<20 || !bytes.Equal(a, b) || bytes.Equal(a, c) {
				t.Errorf("%s in %s: %d bytes", s.Name, kind, len(a))
			}
		}
	}
}

func TestValuesOfEveryTypeComeBack(t *testing.T) {
	long := make([]string, mostItems+1)
	f := must(t, Spec{Metadata: []Entry{
		{"text", "words"}, {"yes", true}, {"i32", int32(-5)}, {"u32", uint32(7)}, {"i64", int64(-1 << 40)}, {"u64", uint64(1 << 40)},
		{"huge", uint64(math.MaxUint64)}, {"f32", float32(0.5)}, {"f64", 0.25}, {"texts", []string{"a", "b"}}, {"long", long}, {"many", make([]float32, 9999)}, {"tokenizer", strings.Repeat("x", mostText+1)}, {"last", "here"},
	}})
	for key, want := range map[string]int64{"i32": -5, "u32": 7, "i64": -1 << 40, "u64": 1 << 40} {
		if got, ok := f.Int(key); !ok || got != want {
			t.Errorf("%s: %d, %v", key, got, ok)
		}
	}
	for key, want := range map[string]float64{"f32": 0.5, "f64": 0.25, "u32": 7, "huge": math.MaxUint64} {
		if got, ok := f.Float(key); !ok || got != want {
			t.Errorf("%s: %g, %v", key, got, ok)
		}
	}
	if yes, ok := f.Bool("yes"); !yes || !ok {
		t.Error("the truth was lost")
	}
	if _, ok := f.Int("text"); ok || f.Text("i32") != "" || f.Len("text") != 0 || f.Text("none") != "" || f.Text("tokenizer") != "" {
		t.Error("a value of another type was given")
	}
	if !slices.Equal(f.Texts("texts"), []string{"a", "b"}) || f.Len("texts") != 2 || f.Len("long") != mostItems+1 || f.Texts("long") != nil || f.Len("many") != 9999 || f.Text("last") != "here" {
		t.Error("arrays came back otherwise")
	}
}

func TestOnlyWeightsThatAreReadForATokenAreActive(t *testing.T) {
	tensor := func(name string, dims ...int64) Source {
		s := Source{Name: name, Dims: dims, Type: F32}
		s.Fill = func(w io.Writer) error {
			n, _ := sizeOf(s.Dims, s.Type)
			_, err := w.Write(make([]byte, n))
			return err
		}
		return s
	}
	f := must(t, Spec{
		Metadata: []Entry{{"general.architecture", "x"}, {"x.expert_count", uint32(8)}, {"x.expert_used_count", uint32(2)}},
		Tensors:  []Source{tensor("token_embd.weight", 32, 100), tensor("output.weight", 32, 100), tensor("blk.0.ffn_up_exps.weight", 32, 10, 8), tensor("blk.0.attn_q.weight", 32, 32)},
	})
	if want := int64(4 * (3200 + 640 + 1024)); f.Active() != want {
		t.Errorf("%d bytes, want %d", f.Active(), want)
	}
	if f.Quantisation() != "F32" {
		t.Errorf("a file that does not say its quantisation has %s", f.Quantisation())
	}
}

func TestACutFileIsToldWithTheNumbers(t *testing.T) {
	whole := written(t, TinyQwen.Spec(F16, 1))
	_, err := read(whole[:len(whole)-100])
	if starling.KindOf(err) != starling.Invalid || !strings.Contains(err.Error(), "297884 bytes of 297") {
		t.Errorf("got %v", err)
	}
	for n := 0; n < 20000; n += 7 {
		if _, err := read(whole[:n]); starling.KindOf(err) != starling.Invalid {
			t.Fatalf("cut to %d bytes: %v", n, err)
		}
	}
}

// header makes one of parts: texts with their length before them, numbers as they are.
func header(parts ...any) []byte {
	var b bytes.Buffer
	b.WriteString("GGUF")
	for _, p := range parts {
		if s, ok := p.(string); ok {
			putText(&b, s)
		} else {
			put(&b, p)
		}
	}
	return b.Bytes()
}

func TestCorruptHeadersAreInvalid(t *testing.T) {
	v, none, one := uint32(3), uint64(0), uint64(1)
	tensor := func(dims []uint64, kind uint32, offset uint64) []byte {
		return append(header(v, one, none, "t", uint32(len(dims)), dims, kind, offset), make([]byte, 256)...)
	}
	for name, b := range map[string][]byte{
		"nothing":                    nil,
		"another format":             []byte("PK\x03\x04 and so on, and so on"),
		"an old version":             header(uint32(1), none, none),
		"the other byte order":       header(uint32(3<<24), none, none),
		"more keys than bytes":       header(v, none, uint64(1<<60)),
		"more tensors than bytes":    header(v, uint64(1<<60), none),
		"a text beyond the end":      header(v, none, one, uint64(1<<62), uint64(0), uint64(0)),
		"a value of no type":         header(v, none, one, "k", uint32(13), uint64(0)),
		"an array beyond the end":    header(v, none, one, "k", uint32(9), uint32(10), uint64(1<<61)),
		"an array of arrays":         header(v, none, one, "k", uint32(9), uint32(9), uint64(1), uint32(4), uint64(0)),
		"a key twice":                header(v, none, uint64(2), "k", uint32(4), uint32(1), "k", uint32(4), uint32(1)),
		"an alignment of nothing":    header(v, none, one, "general.alignment", uint32(4), uint32(0)),
		"an alignment of 24":         header(v, none, one, "general.alignment", uint32(4), uint32(24)),
		"a tensor of no dimensions":  tensor(nil, 0, 0),
		"a tensor of six":            tensor([]uint64{1, 1, 1, 1, 1, 1}, 0, 0),
		"a dimension of nothing":     tensor([]uint64{0}, 0, 0),
		"dimensions that overflow":   tensor([]uint64{1 << 32, 1 << 32}, 0, 0),
		"a negative dimension":       tensor([]uint64{1 << 63}, 0, 0),
		"a type that is unknown":     tensor([]uint64{32}, 99, 0),
		"a row of half a block":      tensor([]uint64{16}, 2, 0),
		"an offset that is no place": tensor([]uint64{4}, 0, 3),
		"an offset that overflows":   tensor([]uint64{4}, 0, 1<<63-32),
		"a negative offset":          tensor([]uint64{4}, 0, 1<<64-32),
		"a tensor beyond the end":    tensor([]uint64{4}, 0, 1<<40),
	} {
		if _, err := read(b); starling.KindOf(err) != starling.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestALyingHeaderTakesNoMemory claims lengths that a huge file could have.
func TestALyingHeaderTakesNoMemory(t *testing.T) {
	for name, b := range map[string][]byte{
		"text":    header(uint32(3), uint64(0), uint64(1), "k", uint32(8), uint64(1<<38)),
		"array":   header(uint32(3), uint64(0), uint64(1), "k", uint32(9), uint32(10), uint64(1<<35)),
		"tensors": header(uint32(3), uint64(1<<18), uint64(0)),
		"keys":    header(uint32(3), uint64(0), uint64(1<<16)),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if _, err := Read(bytes.NewReader(b), 1<<40); starling.KindOf(err) != starling.Invalid {
			t.Errorf("%s: %v", name, err)
		}
		runtime.ReadMemStats(&after)
		if n := after.TotalAlloc - before.TotalAlloc; n > 1<<20 {
			t.Errorf("%s: %d bytes were allocated", name, n)
		}
	}
}

type broken struct{}

func (broken) ReadAt([]byte, int64) (int, error) { return 0, errors.New("no such disk") }

func TestATroubleOfTheDiskIsNotOfTheFile(t *testing.T) {
	if _, err := Read(broken{}, 1000); starling.KindOf(err) != starling.Internal {
		t.Errorf("got %v", err)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none.gguf")); starling.KindOf(err) != starling.NotFound {
		t.Errorf("got %v", err)
	}
}

func TestASetIsNamedAndJoined(t *testing.T) {
	dir := t.TempDir()
	set := Set(filepath.Join(dir, "m-00002-of-00003.gguf"))
	if len(set) != 3 || filepath.Base(set[0]) != "m-00001-of-00003.gguf" || filepath.Base(set[2]) != "m-00003-of-00003.gguf" {
		t.Fatalf("%q", set)
	}
	for _, alone := range []string{"m.gguf", "m-1-of-3.gguf", "m-00001-of-99999.gguf", "m-00001-of-00000.gguf"} {
		if got := Set(alone); !slices.Equal(got, []string{alone}) {
			t.Errorf("%q", got)
		}
	}
	spec := TinyQwen.Spec(F16, 1)
	for i, name := range set {
		part := Spec{Metadata: []Entry{{"split.no", uint32(i)}, {"split.count", uint32(3)}}, Tensors: spec.Tensors[i*8 : min(i*8+8, len(spec.Tensors))]}
		if i == 0 {
			part.Metadata = append(part.Metadata, spec.Metadata...)
		}
		if err := os.WriteFile(name, written(t, part), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f, err := Open(set[1])
	if err != nil || f.Parameters() != must(t, spec).Parameters() || f.Name() != "tiny-qwen3" || f.Size == 0 {
		t.Errorf("%v, %v", f, err)
	}
	if err := os.Rename(set[2], set[1]); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(set[0]); starling.KindOf(err) != starling.NotFound {
		t.Errorf("without one: %v", err)
	}
	if err := os.WriteFile(set[2], written(t, spec), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(set[0]); starling.KindOf(err) != starling.Invalid {
		t.Errorf("with one of another set: %v", err)
	}
}

func TestWhatCannotBeWrittenIsAnError(t *testing.T) {
	fill := func(n int) func(io.Writer) error {
		return func(w io.Writer) error { _, err := w.Write(make([]byte, n)); return err }
	}
	for name, s := range map[string]Spec{
		"a value of another type":  {Metadata: []Entry{{"k", 1}}},
		"a tensor that fills less": {Tensors: []Source{{"t", []int64{4}, F32, fill(12)}}},
		"a tensor that fills more": {Tensors: []Source{{"t", []int64{4}, F32, fill(20)}}},
		"a tensor without a size":  {Tensors: []Source{{"t", nil, F32, fill(0)}}},
		"a tensor that fails":      {Tensors: []Source{{"t", []int64{4}, F32, func(io.Writer) error { return io.ErrClosedPipe }}}},
	} {
		if err := Write(io.Discard, s); starling.KindOf(err) != starling.Internal {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := Write(shut{}, TinyQwen.Spec(F16, 1)); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("a writer that fails: %v", err)
	}
}

type shut struct{}

func (shut) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestHalvesAreRoundedAsTheyShouldBe(t *testing.T) {
	for x, want := range map[float32]uint16{
		0: 0, 1: 0x3c00, -1: 0xbc00, 0.5: 0x3800, 65504: 0x7bff, 1.0 / 3: 0x3555, 0.1: 0x2e66, 2049: 0x6800, 2051: 0x6802,
		6.103515625e-05: 0x0400, 6.097555160522461e-05: 0x03ff, 5.960464477539063e-08: 0x0001, 2e-8: 0, 0.99999: 0x3c00,
	} {
		if got := half(x); got != want {
			t.Errorf("%g is %#04x, want %#04x", x, got, want)
		}
	}
}

func TestChanceIsNormalAndAsWideAsItMustBe(t *testing.T) {
	var b bytes.Buffer
	if err := normal(256, 400, F32, 1, 1)(&b); err != nil {
		t.Fatal(err)
	}
	sum, square, beyond, n := 0.0, 0.0, 0, b.Len()/4
	for i := range n {
		x := 16 * float64(math.Float32frombits(binary.LittleEndian.Uint32(b.Bytes()[4*i:])))
		sum, square = sum+x, square+x*x
		if math.Abs(x) > 2 {
			beyond++
		}
	}
	if mean, variance, share := sum/float64(n), square/float64(n), float64(beyond)/float64(n); n != 256*400 || math.Abs(mean) > 0.02 || math.Abs(variance-1) > 0.02 || math.Abs(share-0.0455) > 0.005 {
		t.Errorf("%d numbers, mean %g, variance %g, %g beyond two deviations", n, mean, variance, share)
	}
}

func TestTheTokensThatBeginAndEndAreNamed(t *testing.T) {
	for _, s := range []Shape{TinyQwen, TinyLlama} {
		path := filepath.Join(t.TempDir(), "m.gguf")
		var b bytes.Buffer
		spec := s.Spec(F16, 1)
		if err := Write(&b, spec); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		var tokens []string
		for _, e := range spec.Metadata {
			if e.Key == piecesKey {
				tokens = e.Value.([]string)
			}
		}
		bos, _ := f.Int("tokenizer.ggml.bos_token_id")
		eos, _ := f.Int("tokenizer.ggml.eos_token_id")
		if f.BOS() != tokens[bos] || f.EOS() != tokens[eos] || f.BOS() == "" || f.EOS() == "" || f.BOS() == f.EOS() {
			t.Errorf("%s: %q and %q, not %q and %q", s.Name, f.BOS(), f.EOS(), tokens[bos], tokens[eos])
		}
	}
}

func TestTheTokenizersHaveWhatTheLibraryAsksFor(t *testing.T) {
	for _, s := range []Shape{TinyQwen, TinyLlama} {
		meta := map[string]any{}
		for _, e := range s.Spec(F16, 1).Metadata {
			meta[e.Key] = e.Value
		}
		tokens := meta["tokenizer.ggml.tokens"].([]string)
		types := meta["tokenizer.ggml.token_type"].([]int32)
		seen := map[string]bool{}
		for _, token := range tokens {
			if seen[token] || token == "" {
				t.Errorf("%s: token %q twice", s.Name, token)
			}
			seen[token] = true
		}
		if int64(len(tokens)) != s.Vocabulary || len(types) != len(tokens) || tokens[meta["tokenizer.ggml.eos_token_id"].(uint32)] != "<|im_end|>" || !seen["<|im_start|>"] {
			t.Errorf("%s: %d tokens", s.Name, len(tokens))
		}
		merges, _ := meta["tokenizer.ggml.merges"].([]string)
		for _, m := range merges {
			a, b, _ := strings.Cut(m, " ")
			if !seen[a] || !seen[b] || !seen[a+b] {
				t.Errorf("%s: %q joins what there is not", s.Name, m)
			}
		}
	}
}

func TestAnAdapterFitsItsShape(t *testing.T) {
	f := must(t, TinyLlama.Adapter(4, 8, 1))
	if !f.Adapter() || f.Text("adapter.type") != "lora" || len(f.Tensors) != 4 || f.Tensors[0].Name != "blk.0.attn_q.weight.lora_a" ||
		!slices.Equal(f.Tensors[0].Dims, []int64{64, 4}) || !slices.Equal(f.Tensors[1].Dims, []int64{4, 64}) {
		t.Errorf("%+v", f)
	}
}

func TestATrainedModelIsRead(t *testing.T) {
	for file, want := range map[string]string{"stories260K.gguf": "F32", "stories260K-Q8_0.gguf": "Q8_0", "stories260K-Q4_0.gguf": "Q4_0"} {
		f, err := Open(filepath.Join("..", "..", "..", "shared", "weights", file))
		if starling.KindOf(err) == starling.NotFound {
			t.Skip("../shared/weights is not here")
		}
		if err != nil {
			t.Fatal(err)
		}
		if f.Architecture() != "llama" || f.Vocabulary() != 512 || f.Quantisation() != want {
			t.Errorf("%s: %s, %d tokens, %s", file, f.Architecture(), f.Vocabulary(), f.Quantisation())
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(written(f, Spec{Metadata: []Entry{{"general.architecture", "x"}, {"x.block_count", uint32(4)}, {"x.attention.head_count_kv", []int32{1, 0, 2}}}}))
	f.Add(written(f, TinyLlama.Adapter(1, 1, 1)))
	f.Add(header(uint32(2), uint64(1), uint64(1), "k", uint32(9), uint32(8), uint64(2), "a", "b", "t", uint32(1), uint64(4), uint32(0), uint64(0)))
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := read(b)
		if err != nil {
			if starling.KindOf(err) != starling.Invalid {
				t.Errorf("got %v", err)
			}
			return
		}
		for _, x := range file.Tensors {
			if x.Offset < 0 || x.Bytes < 0 || x.Offset+x.Bytes > int64(len(b)) {
				t.Errorf("a tensor lies outside: %+v", x)
			}
		}
		m := file.Memory(Use{Context: 1 << 40, Sequences: 1 << 40})
		if m.Weights < 0 || m.Cache < 0 || m.Compute < 0 || m.Total() < 0 || file.Active() < 0 {
			t.Errorf("%+v", m)
		}
		_ = file.Quantisation() + file.Name() + file.Template()
		file.Fit(Room{Memory: 1 << 30}, Use{Context: 4096})
	})
}
