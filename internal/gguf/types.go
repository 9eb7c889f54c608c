package gguf

import (
	"cmp"
	"fmt"
	"maps"
	"math/bits"
	"slices"
)

// A Type is how the numbers of a tensor are stored: in blocks of some numbers, of which
// each takes some bytes.
//
// Source: ggml's table of types, as the library of llama.cpp v0.5.0 itself reports it.
type Type uint32

// The types that [Write] is given by [Shape].
const (
	F32 Type = 0
	F16 Type = 1
)

type block struct {
	name           string
	numbers, bytes int64
}

var blocks = map[Type]block{
	F32: {"F32", 1, 4}, F16: {"F16", 1, 2}, 30: {"BF16", 1, 2},
	2: {"Q4_0", 32, 18}, 3: {"Q4_1", 32, 20}, 6: {"Q5_0", 32, 22}, 7: {"Q5_1", 32, 24}, 8: {"Q8_0", 32, 34}, 9: {"Q8_1", 32, 36},
	10: {"Q2_K", 256, 84}, 11: {"Q3_K", 256, 110}, 12: {"Q4_K", 256, 144}, 13: {"Q5_K", 256, 176}, 14: {"Q6_K", 256, 210}, 15: {"Q8_K", 256, 292},
	16: {"IQ2_XXS", 256, 66}, 17: {"IQ2_XS", 256, 74}, 22: {"IQ2_S", 256, 82}, 18: {"IQ3_XXS", 256, 98}, 21: {"IQ3_S", 256, 110},
	19: {"IQ1_S", 256, 50}, 29: {"IQ1_M", 256, 56}, 20: {"IQ4_NL", 32, 18}, 23: {"IQ4_XS", 256, 136},
	24: {"I8", 1, 1}, 25: {"I16", 1, 2}, 26: {"I32", 1, 4}, 27: {"I64", 1, 8}, 28: {"F64", 1, 8},
	34: {"TQ1_0", 256, 54}, 35: {"TQ2_0", 256, 66}, 39: {"MXFP4", 32, 17}, 40: {"NVFP4", 64, 36}, 41: {"Q1_0", 128, 18}, 42: {"Q2_0", 64, 18},
}

// String returns the name that people know: "Q4_K".
func (t Type) String() string {
	if b, ok := blocks[t]; ok {
		return b.name
	}
	return fmt.Sprintf("type %d", uint32(t))
}

// fileTypes are the values of general.file_type: recipes that mix types.
//
// Source: llama_ftype in llama.cpp v0.5.0.
var fileTypes = map[int64]string{
	0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K", 11: "Q3_K_S", 12: "Q3_K_M", 13: "Q3_K_L",
	14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S", 17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS",
	23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S", 29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M",
	32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4", 39: "NVFP4", 40: "Q1_0", 41: "Q2_0",
}

// Quantisations lists the names that [File.Quantisation] may return of a recipe.
func Quantisations() []string { return slices.Sorted(maps.Values(fileTypes)) }

// A Tensor is one array of numbers of a file.
type Tensor struct {
	Name   string
	Dims   []int64 // as the file has them: the first is the one whose numbers lie side by side
	Type   Type
	Offset int64 // in its file, from the file's beginning
	Bytes  int64
}

// Numbers returns how many there are.
func (t *Tensor) Numbers() int64 {
	n := int64(1)
	for _, d := range t.Dims {
		n *= d
	}
	return n
}

// sizeOf returns the bytes of a tensor, and why it can have none.
func sizeOf(dims []int64, t Type) (n int64, why string) {
	b, ok := blocks[t]
	if !ok {
		return 0, fmt.Sprintf("has %s, which is not known here", t)
	}
	n = 1
	for _, d := range dims {
		high, low := bits.Mul64(uint64(n), uint64(d))
		if d < 1 || high > 0 || low > mostNumbers {
			return 0, fmt.Sprintf("has dimensions %d", dims)
		}
		n = int64(low)
	}
	if len(dims) == 0 || dims[0]%b.numbers != 0 {
		return 0, fmt.Sprintf("has rows that are no whole blocks of %d", b.numbers)
	}
	return n / b.numbers * b.bytes, ""
}

// mostNumbers of a tensor: far beyond any file, and its bytes are still counted exactly.
const mostNumbers = 1 << 48

// commonest returns the type that most of the bytes have.
func commonest(tensors []Tensor) Type {
	sum := map[Type]int64{}
	for i := range tensors {
		sum[tensors[i].Type] += tensors[i].Bytes
	}
	types := slices.Sorted(maps.Keys(sum))
	if len(types) == 0 {
		return F32
	}
	return slices.MaxFunc(types, func(a, b Type) int { return cmp.Compare(sum[a], sum[b]) })
}
