package gguf

// A Use is how a model will be used.
type Use struct {
	Context   int64  // tokens that each sequence may have
	Sequences int64  // that are worked on at once; 0: 1
	CacheType string // of keys and values: "f16" (also ""), "q8_0"
	Batch     int64  // tokens that are read at once; 0: 512

	// Whole says that layers that look back over a window only keep the whole context
	// all the same. So does the library unless it is told otherwise, and so must it
	// for a conversation to be taken up again where it forks.
	Whole bool
}

// Memory is what a model takes, in bytes.
type Memory struct {
	Weights int64 // the tensors; mapped from the file, but read for each token, so needed like the rest
	Cache   int64 // keys and values, or states, of all sequences at their full length
	Compute int64 // logits and activations of a batch, and what the process itself takes
}

// Total returns the sum.
func (m Memory) Total() int64 { return m.Weights + m.Cache + m.Compute }

// The library's own numbers.
const (
	usualBatch = 512
	step       = 256  // tokens that a context is rounded up to
	mostLayers = 1024 // that a model is believed to have; its own limit is 512
)

// Memory returns what the model takes in that use. Weights and Cache are exact for
// attention as llama.cpp has it, Compute is an upper estimate.
//
// The estimate was measured with llama.cpp v0.5.0 on a CPU, with flash attention, which
// is its default, for the shapes [Qwen06B] and [Llama1B] at contexts from 2048 to 32768,
// batches from 64 to 512 and 1 and 4 sequences: the library reserved from 32 to 309 MiB,
// 1.01 to 1.04 times batch × vocabulary × 4 bytes, and the process took 6 to 10 MiB and
// 170 bytes for each token of the vocabulary beside it.
//
// Weights are counted once. The library copies those of Q4_0 and some of Q4_K into an
// order that suits the processor (of 375 MB of Qwen3-0.6B 240), and from then on does not
// touch that part of the file: the system may drop it, and does where memory is short.
func (f *File) Memory(u Use) Memory {
	u = u.filled()
	return Memory{Weights: f.Weights(), Cache: f.cache(u), Compute: f.compute(u)}
}

func (u Use) filled() Use {
	u.Sequences, u.Context = clamp(max(u.Sequences, 1)), clamp(u.Context)
	if u.Batch = clamp(u.Batch); u.Batch == 0 {
		u.Batch = usualBatch
	}
	return u
}

// rounded returns the tokens that room is made for.
func rounded(tokens int64) int64 { return (tokens + step - 1) / step * step }

func (f *File) cache(u Use) int64 {
	if causal, said := f.Bool(f.Architecture() + ".attention.causal"); said && !causal {
		return 0 // reads a text once, and keeps nothing
	}
	number := 2.0
	if u.CacheType == "q8_0" {
		number = 34.0 / 32
	}
	window := rounded(min(u.Context, f.own("attention.sliding_window")+u.Batch))
	each := 0.0
	for i := range min(f.Layers(), mostLayers) {
		tokens := rounded(u.Context)
		if !u.Whole && f.sliding(i) {
			tokens = min(tokens, window)
		}
		each += f.row(i)*number*float64(tokens) + f.state()
	}
	return bytesOf(each * float64(u.Sequences))
}

// row returns how many numbers a layer keeps of each token.
func (f *File) row(layer int64) float64 {
	if layer >= f.Layers()-f.own("attention.shared_kv_layers") {
		return 0 // uses those of another
	}
	if n := f.own("full_attention_interval"); n > 0 && (layer+1)%n != 0 {
		return 0 // has a state
	}
	key, value := f.HeadDims()
	if f.own("attention.key_length_mla") > 0 {
		value = 0 // values are made from the same compressed numbers as keys
	}
	return float64(f.kvHeads(layer)) * float64(key+value)
}

func (f *File) kvHeads(layer int64) int64 {
	if _, said := f.meta[f.Architecture()+".attention.head_count_kv"]; said {
		return f.of("attention.head_count_kv", layer)
	}
	return f.of("attention.head_count", layer)
}

// patterns are of architectures whose files say how long the window is, but not which
// layers have it: all but each so manieth.
//
// Source: llama.cpp, the loading of hyperparameters.
var patterns = map[string]int64{"gemma2": 2, "gemma3": 6, "gpt-oss": 2, "cohere2": 4}

// sliding reports whether a layer looks back over a window only.
func (f *File) sliding(layer int64) bool {
	if f.own("attention.sliding_window") == 0 {
		return false
	}
	const key = "attention.sliding_window_pattern"
	if _, each := f.meta[f.Architecture()+"."+key].(list); each {
		return f.of(key, layer) > 0
	}
	n := f.own(key)
	if n == 0 {
		n = patterns[f.Architecture()]
	}
	return n > 0 && layer%n < n-1
}

// state returns the bytes that a layer without attention keeps of a sequence, however
// long that is. Where layers of both kinds take turns it is counted for each of them.
//
// Source: llama.cpp, n_embd_r and n_embd_s: numbers of 32 bits.
func (f *File) state() float64 {
	own := func(key string) float64 { return float64(f.own(key)) }
	switch {
	case f.own("ssm.inner_size") > 0:
		inner, state := own("ssm.inner_size"), own("ssm.state_size")
		return 4 * (max(own("ssm.conv_kernel")-1, 0)*(inner+2*own("ssm.group_count")*state) + state*inner)
	case f.own("wkv.head_size") > 0:
		return 4 * own("embedding_length") * (max(own("token_shift_count"), 2) + own("wkv.head_size"))
	case f.own("shortconv.l_cache") > 0:
		return 4 * own("embedding_length") * (own("shortconv.l_cache") - 1)
	}
	return 0
}

// compute adds up what lives at the same time: the vectors between layers, and then
// either what a layer needs, with its mask of the context, or the logits.
func (f *File) compute(u Use) int64 {
	own := func(key string) float64 { return float64(f.own(key)) }
	key, _ := f.HeadDims()
	vocabulary, tokens := float64(f.Vocabulary()), float64(rounded(u.Context))
	batch := min(float64(u.Batch), tokens*float64(u.Sequences))
	forward := 2 * max(own("feed_forward_length"), own("expert_feed_forward_length")*own("expert_used_count"))
	mask := 1.5 * tokens // once in 32 bits and once in 16
	layer := forward + 3*own("attention.head_count")*float64(key) + mask
	const process, perToken = 32 << 20, 256
	return bytesOf(4*batch*(4*own("embedding_length")+max(layer, vocabulary)) + 4*vocabulary*float64(u.Sequences) + perToken*vocabulary + process)
}

// bytesOf rounds, and holds what a corrupt file says where sums stay exact.
func bytesOf(x float64) int64 { return int64(min(x, 1<<60)) }
