package gguf

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"strings"
)

// A Shape is a model without training: the architecture and sizes of a real one, which
// [Shape.Spec] fills with weights by chance.
type Shape struct {
	Name         string
	Architecture string // "llama" or "qwen3"
	Layers       int64
	Embedding    int64 // length of a token's vector
	FeedForward  int64
	Heads        int64
	KVHeads      int64
	HeadDim      int64
	Vocabulary   int64  // tokens, at least 512
	Context      int64  // tokens
	Tokenizer    string // "gpt2" or "llama"
	Rope         float32
	Untied       bool // the table of what is said is another than that of what is read
}

// Shapes of real models, and two tiny ones, which take less than 2 MB, one for each kind
// of tokenizer.
//
// Sources: the config.json of Qwen/Qwen3-0.6B and meta-llama/Llama-3.2-1B.
var (
	Qwen06B   = Shape{Name: "Qwen3-0.6B", Architecture: "qwen3", Layers: 28, Embedding: 1024, FeedForward: 3072, Heads: 16, KVHeads: 8, HeadDim: 128, Vocabulary: 151936, Context: 40960, Tokenizer: "gpt2", Rope: 1e6}
	Llama1B   = Shape{Name: "Llama-3.2-1B", Architecture: "llama", Layers: 16, Embedding: 2048, FeedForward: 8192, Heads: 32, KVHeads: 8, HeadDim: 64, Vocabulary: 128256, Context: 131072, Tokenizer: "gpt2", Rope: 5e5}
	TinyQwen  = Shape{Name: "tiny-qwen3", Architecture: "qwen3", Layers: 2, Embedding: 64, FeedForward: 128, Heads: 4, KVHeads: 2, HeadDim: 32, Vocabulary: 640, Context: 2048, Tokenizer: "gpt2", Rope: 1e6}
	TinyLlama = Shape{Name: "tiny-llama", Architecture: "llama", Layers: 2, Embedding: 64, FeedForward: 128, Heads: 4, KVHeads: 2, HeadDim: 16, Vocabulary: 640, Context: 2048, Tokenizer: "llama", Rope: 1e4, Untied: true}
)

// Spec returns a file of the shape. Matrices are of type t, F32 or F16, the rest of F32.
// The same seed gives the same file.
//
// The numbers are drawn so that what goes through a layer neither grows nor fades: of a
// normal distribution, the narrower the longer the sum that they stand in.
func (s Shape) Spec(t Type, seed uint64) Spec {
	spec := Spec{Metadata: append(s.metadata(t), s.tokenizer()...)}
	matrix := func(name string, in, out int64) {
		n := uint64(len(spec.Tensors))
		spec.Tensors = append(spec.Tensors, Source{Name: name, Dims: []int64{in, out}, Type: t, Fill: normal(in, out, t, seed, n)})
	}
	ones := func(name string, n int64) {
		spec.Tensors = append(spec.Tensors, Source{Name: name, Dims: []int64{n}, Type: F32, Fill: constant(n, 1)})
	}
	matrix("token_embd.weight", s.Embedding, s.Vocabulary)
	ones("output_norm.weight", s.Embedding)
	if s.Untied {
		matrix("output.weight", s.Embedding, s.Vocabulary)
	}
	for i := range s.Layers {
		in := fmt.Sprintf("blk.%d.", i)
		ones(in+"attn_norm.weight", s.Embedding)
		matrix(in+"attn_q.weight", s.Embedding, s.Heads*s.HeadDim)
		matrix(in+"attn_k.weight", s.Embedding, s.KVHeads*s.HeadDim)
		matrix(in+"attn_v.weight", s.Embedding, s.KVHeads*s.HeadDim)
		matrix(in+"attn_output.weight", s.Heads*s.HeadDim, s.Embedding)
		if s.Architecture == "qwen3" {
			ones(in+"attn_q_norm.weight", s.HeadDim)
			ones(in+"attn_k_norm.weight", s.HeadDim)
		}
		ones(in+"ffn_norm.weight", s.Embedding)
		matrix(in+"ffn_gate.weight", s.Embedding, s.FeedForward)
		matrix(in+"ffn_up.weight", s.Embedding, s.FeedForward)
		matrix(in+"ffn_down.weight", s.FeedForward, s.Embedding)
	}
	return spec
}

func (s Shape) metadata(t Type) []Entry {
	own := func(key string, value any) Entry { return Entry{s.Architecture + "." + key, value} }
	return []Entry{
		{"general.architecture", s.Architecture},
		{"general.type", "model"},
		{"general.name", s.Name},
		{"general.file_type", uint32(t)}, // F32 and F16 have the same number there
		own("block_count", uint32(s.Layers)),
		own("context_length", uint32(s.Context)),
		own("embedding_length", uint32(s.Embedding)),
		own("feed_forward_length", uint32(s.FeedForward)),
		own("attention.head_count", uint32(s.Heads)),
		own("attention.head_count_kv", uint32(s.KVHeads)),
		own("attention.key_length", uint32(s.HeadDim)),
		own("attention.value_length", uint32(s.HeadDim)),
		own("attention.layer_norm_rms_epsilon", float32(1e-6)),
		own("rope.freq_base", s.Rope),
		own("rope.dimension_count", uint32(s.HeadDim)),
		own("vocab_size", uint32(s.Vocabulary)),
	}
}

// Adapter returns a LoRA adapter of the shape's query matrices, of the given rank, which
// is added alpha/rank times.
func (s Shape) Adapter(rank int64, alpha float32, seed uint64) Spec {
	spec := Spec{Metadata: []Entry{
		{"general.architecture", s.Architecture},
		{"general.type", "adapter"},
		{"general.name", s.Name + "-adapter"},
		{"adapter.type", "lora"},
		{"adapter.lora.alpha", alpha},
	}}
	for i := range s.Layers {
		name, n := fmt.Sprintf("blk.%d.attn_q.weight", i), uint64(2*i)
		spec.Tensors = append(spec.Tensors,
			Source{Name: name + ".lora_a", Dims: []int64{s.Embedding, rank}, Type: F32, Fill: normal(s.Embedding, rank, F32, seed, n)},
			Source{Name: name + ".lora_b", Dims: []int64{rank, s.Heads * s.HeadDim}, Type: F32, Fill: normal(rank, s.Heads*s.HeadDim, F32, seed, n+1)})
	}
	return spec
}

// drawn is the number of different values that a matrix has.
const drawn = 4096

// normal fills a matrix whose rows have in numbers. Each is one of a few values, evenly
// taken from a normal distribution with a variance of 1/in: chance only chooses among
// them, five times with each 64 bits, so that gigabytes take seconds.
func normal(in, out int64, t Type, seed, stream uint64) func(io.Writer) error {
	return func(w io.Writer) error {
		table := make([][]byte, drawn)
		for i := range table {
			p := (float64(i) + 0.5) / drawn
			x := math.Sqrt2 * math.Erfinv(2*p-1) / math.Sqrt(float64(in))
			table[i] = encode(float32(x), t)
		}
		chance := rand.NewPCG(seed, stream)
		row := make([]byte, 0, in*int64(len(table[0])))
		for range out {
			row = row[:0]
			for n := int64(0); n < in; {
				bits := chance.Uint64()
				for range min(5, in-n) {
					row = append(row, table[bits%drawn]...)
					bits /= drawn
					n++
				}
			}
			if _, err := w.Write(row); err != nil {
				return err
			}
		}
		return nil
	}
}

func constant(n int64, x float32) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, strings.Repeat(string(encode(x, F32)), int(n)))
		return err
	}
}

func encode(x float32, t Type) []byte {
	if t == F16 {
		return binary.LittleEndian.AppendUint16(nil, half(x))
	}
	return binary.LittleEndian.AppendUint32(nil, math.Float32bits(x))
}

// half rounds to 16 bits, for numbers smaller than 65504 in size; subnormal ones too,
// whose exponent is that of the smallest normal ones.
//
// Source: IEEE 754-2019, binary16.
func half(x float32) uint16 {
	sign := uint16(0)
	if math.Signbit(float64(x)) {
		sign, x = 1<<15, -x
	}
	if x == 0 {
		return sign
	}
	_, exponent := math.Frexp(float64(x))
	biased := max(exponent+14, 1)
	digits := math.RoundToEven(math.Ldexp(float64(x), 25-biased)) // with the leading one, which adds 1 to the exponent
	return sign + uint16(biased-1)<<10 + uint16(digits)
}
