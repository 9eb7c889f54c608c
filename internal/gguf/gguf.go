// Package gguf reads files of weights as llama.cpp has them: what model it is, what
// tensors it has, what it takes of memory ([File.Memory]) and whether that fits and how
// fast it would be ([File.Fit]). It reads headers only and never runs a model.
//
// It writes such files too ([Write]), with weights by chance ([Shape]), for tests and
// benches: their answers are noise, but their speed and their memory are those of real
// models of that shape.
//
// Start reading at [Read]. Source: ggml's docs/gguf.md.
package gguf

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"starling"
)

// A File is the header of a file, or of a set of them. It is immutable and safe for
// concurrent use.
type File struct {
	Version int
	Tensors []Tensor
	Size    int64 // bytes of the file, or of all files of the set

	meta     map[string]any // string, bool, int64, float64 or list
	pieces   int64          // where the texts of the vocabulary begin in the file; 0: nowhere
	bos, eos string
}

// Text returns a text of the metadata, "" if there is none of that key.
func (f *File) Text(key string) string {
	s, _ := f.meta[key].(string)
	return s
}

// Int returns a whole number. It is absent if it is of another type, or not there.
func (f *File) Int(key string) (int64, bool) {
	n, ok := f.meta[key].(int64)
	return n, ok
}

// Float returns a number, be it whole or not.
func (f *File) Float(key string) (float64, bool) {
	if n, ok := f.meta[key].(int64); ok {
		return float64(n), true
	}
	x, ok := f.meta[key].(float64)
	return x, ok
}

// Bool returns a truth.
func (f *File) Bool(key string) (value, ok bool) {
	value, ok = f.meta[key].(bool)
	return value, ok
}

// Len returns how many items an array has, 0 if it is none.
func (f *File) Len(key string) int64 {
	l, _ := f.meta[key].(list)
	return l.length
}

// Texts returns the texts of an array of at most 4096 items, nil of another.
func (f *File) Texts(key string) []string {
	l, _ := f.meta[key].(list)
	var all []string
	for _, item := range l.items {
		if s, ok := item.(string); ok {
			all = append(all, s)
		}
	}
	return all
}

// own is the number of a key of the architecture: own("block_count"). Where it is said
// layer by layer, it is the largest.
func (f *File) own(key string) int64 {
	value := f.meta[f.Architecture()+"."+key]
	if n, ok := value.(int64); ok {
		return clamp(n)
	}
	l, _ := value.(list)
	most := int64(0)
	for _, item := range l.items {
		n, _ := item.(int64)
		most = max(most, clamp(n))
	}
	return most
}

// of is the number of a key for one layer.
func (f *File) of(key string, layer int64) int64 {
	l, ok := f.meta[f.Architecture()+"."+key].(list)
	if !ok {
		return f.own(key)
	}
	if layer >= int64(len(l.items)) {
		return 0
	}
	if yes, _ := l.items[layer].(bool); yes {
		return 1
	}
	n, _ := l.items[layer].(int64)
	return clamp(n)
}

// clamp keeps what a file says where the products of some of them stay exact.
func clamp(n int64) int64 { return min(max(n, 0), 1<<31) }

// Architecture returns how the model is built: "llama", "qwen3".
func (f *File) Architecture() string { return f.Text("general.architecture") }

// Name returns what the model is called, or "".
func (f *File) Name() string { return f.Text("general.name") }

// BOS and EOS return the texts of the tokens with which a sequence begins and ends, ""
// where the file names none, and of a header that [Read] read.
func (f *File) BOS() string { return f.bos }

// EOS: see [File.BOS].
func (f *File) EOS() string { return f.eos }

// Licence returns under what terms it is given, "" if the file does not say.
func (f *File) Licence() string { return f.Text("general.license") }

// Template returns the model's own chat template, in Jinja; "" if it has none.
func (f *File) Template() string { return f.Text("tokenizer.chat_template") }

// Adapter reports whether it is a LoRA adapter, which is nothing by itself.
func (f *File) Adapter() bool { return f.Text("general.type") == "adapter" }

// Layers returns the number of them.
func (f *File) Layers() int64 { return f.own("block_count") }

// Trained returns the tokens of the window that the model was trained with.
func (f *File) Trained() int64 { return f.own("context_length") }

// Embedding returns the length of a token's vector.
func (f *File) Embedding() int64 { return f.own("embedding_length") }

// Heads returns the number of attention heads of a layer; the largest, if they differ.
func (f *File) Heads() int64 { return f.own("attention.head_count") }

// KVHeads returns the number of heads that have keys and values.
func (f *File) KVHeads() int64 {
	if _, said := f.meta[f.Architecture()+".attention.head_count_kv"]; said {
		return f.own("attention.head_count_kv")
	}
	return f.Heads()
}

// HeadDims returns the numbers of one head's key and of its value.
func (f *File) HeadDims() (key, value int64) {
	usual := int64(0)
	if h := f.Heads(); h > 0 {
		usual = f.Embedding() / h
	}
	key, value = f.own("attention.key_length"), f.own("attention.value_length")
	if key == 0 {
		key = usual
	}
	if value == 0 {
		value = usual
	}
	return key, value
}

// Experts returns how many experts a layer has and how many of them read a token, 0 and
// 0 if it has none.
func (f *File) Experts() (all, used int64) { return f.own("expert_count"), f.own("expert_used_count") }

// Vocabulary returns the number of tokens.
func (f *File) Vocabulary() int64 {
	if n := f.Len("tokenizer.ggml.tokens"); n > 0 {
		return n
	}
	return f.own("vocab_size")
}

// Quantisation returns what people call how the weights are stored: "Q4_K_M". It is what
// the file says of itself, else the type that most of it has.
func (f *File) Quantisation() string {
	if n, ok := f.Int("general.file_type"); ok {
		if name, known := fileTypes[n]; known {
			return name
		}
	}
	return commonest(f.Tensors).String()
}

// Parameters returns how many numbers were trained.
func (f *File) Parameters() int64 {
	n := int64(0)
	for i := range f.Tensors {
		n += f.Tensors[i].Numbers()
	}
	return n
}

// Weights returns the bytes of all tensors.
func (f *File) Weights() int64 {
	n := int64(0)
	for i := range f.Tensors {
		n += f.Tensors[i].Bytes
	}
	return n
}

// Active returns the bytes of weights that are read for each token: not the tables in
// which a token is only looked up, and of the experts only those that are used.
func (f *File) Active() int64 {
	all, used := f.Experts()
	tied := true
	for i := range f.Tensors {
		tied = tied && f.Tensors[i].Name != "output.weight"
	}
	n := int64(0)
	for i := range f.Tensors {
		t := &f.Tensors[i]
		switch {
		case t.Name == "token_embd.weight" && !tied, t.Name == "per_layer_token_embd.weight", t.Name == "position_embd.weight":
		case strings.Contains(t.Name, "_exps.") && all > 0 && used < all:
			n += int64(float64(t.Bytes) * float64(used) / float64(all))
		default:
			n += t.Bytes
		}
	}
	return n
}

// inSet is the name of a file of several.
var inSet = regexp.MustCompile(`^(.+)-(\d{5})-of-(\d{5})\.gguf$`)

// mostParts of a set that are believed.
const mostParts = 1000

// Set returns the names of all files of the set that a file belongs to, in order: of
// "m-00001-of-00003.gguf" three, of any other name itself alone.
func Set(path string) []string {
	dir, name := filepath.Split(path)
	m := inSet.FindStringSubmatch(name)
	if m == nil {
		return []string{path}
	}
	n, err := strconv.Atoi(m[3])
	if err != nil || n < 1 || n > mostParts {
		return []string{path}
	}
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("%s%s-%05d-of-%05d.gguf", dir, m[1], i+1, n)
	}
	return all
}

// Join makes one of the headers of a set, in order: the metadata of the first, which has
// it all, and the tensors of all.
//
// Errors: Invalid if a part is missing or belongs to another set.
func Join(parts ...*File) (*File, error) {
	if len(parts) == 0 {
		return nil, &starling.Error{Kind: starling.Invalid, Op: "gguf: join no files"}
	}
	whole := *parts[0]
	whole.Tensors, whole.Size = nil, 0
	for i, p := range parts {
		count, split := p.Int("split.count")
		no, _ := p.Int("split.no")
		if split && count > 0 && (count != int64(len(parts)) || no != int64(i)) || !split && len(parts) > 1 {
			return nil, &starling.Error{Kind: starling.Invalid, Op: "gguf: join", Hint: "put all files of the set into one folder", Err: fmt.Errorf("file %d of %d says that it is %d of %d", i+1, len(parts), no+1, count)}
		}
		whole.Tensors = append(whole.Tensors, p.Tensors...)
		whole.Size += p.Size
	}
	return &whole, nil
}
