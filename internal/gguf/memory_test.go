package gguf

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

const mib = 1 << 20

// sized returns the header of a shape without writing its weights.
func sized(s Shape, kind Type, more ...Entry) *File {
	f := &File{meta: map[string]any{}}
	for _, e := range append(s.Spec(kind, 0).Metadata, more...) {
		switch v := e.Value.(type) {
		case uint32:
			f.meta[e.Key] = int64(v)
		case []string:
			f.meta[e.Key] = list{length: int64(len(v))}
		default:
			f.meta[e.Key] = v
		}
	}
	for _, x := range s.Spec(kind, 0).Tensors {
		n, _ := sizeOf(x.Dims, x.Type)
		f.Tensors = append(f.Tensors, Tensor{Name: x.Name, Dims: x.Dims, Type: x.Type, Bytes: n})
	}
	return f
}

// TestMemoryIsWhatTheLibraryTakes holds it to what llama.cpp v0.5.0 printed of the cache,
// and of what it reserved for computing, on a CPU.
func TestMemoryIsWhatTheLibraryTakes(t *testing.T) {
	qwen, llama := sized(Qwen06B, F16), sized(Llama1B, F16)
	for _, x := range []struct {
		f       *File
		use     Use
		cache   int64
		compute float64 // MiB that were reserved
		process float64 // MiB that the process had beside weights, cache and what it used of these
	}{
		{qwen, Use{Context: 2048, Sequences: 1}, 224 * mib, 300.75, 37},
		{qwen, Use{Context: 512, Sequences: 4}, 224 * mib, 309.26, 39},
		{qwen, Use{Context: 8192, Sequences: 1}, 896 * mib, 300.75, 37},
		{qwen, Use{Context: 2048, Batch: 128}, 224 * mib, 75.19, 37},
		{qwen, Use{Context: 32768}, 3584 * mib, 300.75, 37},
		{llama, Use{Context: 2048, Sequences: 4}, 256 * mib, 258.5, 35},
		{llama, Use{Context: 2048, Batch: 64}, 64 * mib, 32.31, 33},
		{llama, Use{Context: 32768}, 1024 * mib, 258.5, 35},
	} {
		m := x.f.Memory(x.use)
		if m.Cache != x.cache {
			t.Errorf("%s, %+v: a cache of %d, want %d", x.f.Name(), x.use, m.Cache, x.cache)
		}
		least := (x.compute + x.process) * mib
		if got := float64(m.Compute); got < least || got > 1.2*least+32*mib {
			t.Errorf("%s, %+v: computing takes %.0f MiB, and %.0f were measured", x.f.Name(), x.use, got/mib, least/mib)
		}
		if m.Total() != m.Weights+m.Cache+m.Compute || m.Weights != x.f.Weights() {
			t.Errorf("%+v", m)
		}
	}
}

func TestTheCacheIsOfTheLayersThatHaveOne(t *testing.T) {
	const one = 2048 * 2 * 32 * 2 * 2 // of a layer of the tiny Qwen: tokens, heads, numbers, keys and values, bytes
	own := func(key string, value any) Entry { return Entry{"qwen3." + key, value} }
	ints := func(all ...int64) list {
		l := list{length: int64(len(all))}
		for _, n := range all {
			l.items = append(l.items, n)
		}
		return l
	}
	sliding := own("attention.sliding_window", uint32(200))
	batch := Use{Context: 2048, Batch: 56} // so that window and batch are 256 tokens
	for name, x := range map[string]struct {
		use  Use
		more []Entry
		want int64
	}{
		"all":                          {batch, nil, 2 * one},
		"two sequences":                {Use{Context: 2048, Sequences: 2}, nil, 4 * one},
		"eight bits":                   {Use{Context: 2048, CacheType: "q8_0"}, nil, 2 * one * 17 / 32},
		"rounded up":                   {Use{Context: 1800}, nil, 2 * one},
		"heads by layer":               {batch, []Entry{own("attention.head_count_kv", ints(2, 0))}, one},
		"a window by layer":            {batch, []Entry{sliding, own("attention.sliding_window_pattern", list{length: 2, items: []any{true, false}})}, one + one/8},
		"a window in turns":            {batch, []Entry{sliding, own("attention.sliding_window_pattern", uint32(2))}, one + one/8},
		"a window kept whole":          {Use{Context: 2048, Batch: 56, Whole: true}, []Entry{sliding, own("attention.sliding_window_pattern", uint32(2))}, 2 * one},
		"a window nobody knows where":  {batch, []Entry{sliding}, 2 * one},
		"reads only":                   {batch, []Entry{own("attention.causal", false)}, 0},
		"shares those of other layers": {batch, []Entry{own("attention.shared_kv_layers", uint32(1))}, one},
		"compressed":                   {batch, []Entry{own("attention.key_length_mla", uint32(32))}, one},
		"every second has a state": {batch, []Entry{own("full_attention_interval", uint32(2)), own("ssm.inner_size", uint32(64)), own("ssm.state_size", uint32(16)), own("ssm.conv_kernel", uint32(4)), own("ssm.group_count", uint32(1))},
			one + 2*4*(3*(64+2*16)+16*64)},
		"states alone":       {batch, []Entry{own("attention.head_count_kv", uint32(0)), own("wkv.head_size", uint32(64))}, 2 * 4 * 64 * (2 + 64)},
		"short convolutions": {batch, []Entry{own("attention.head_count_kv", ints(0, 2)), own("shortconv.l_cache", uint32(3))}, one + 2*4*64*2},
	} {
		if got := sized(TinyQwen, F16, x.more...).Memory(x.use).Cache; got != x.want {
			t.Errorf("%s: %d bytes, want %d", name, got, x.want)
		}
	}
}

func TestWhatDoesNotFitIsToldWhatDoes(t *testing.T) {
	f := sized(Llama1B, F16) // 2357 MiB of weights
	offers := []Offer{{"Q4_0", 735 * mib}, {"Q8_0", 1252 * mib}, {"Q4_K_M", 770 * mib}, {"broken", 0}}
	use := Use{Context: 4096}
	for _, x := range []struct {
		name    string
		mib     int64
		reserve int64
		fits    bool
		context int64
		instead string
	}{
		{"all fits", 8192, 1024, true, 4096, ""},
		{"a shorter context does", 2800, 0, false, 3584, "Q8_0"},
		{"the best of the smaller ones", 1750, 0, false, 0, "Q8_0"},
		{"a smaller one still", 1250, 0, false, 0, "Q4_K_M"},
		{"the reserve counts", 1750, 500, false, 0, "Q4_K_M"},
		{"nothing does", 900, 0, false, 0, ""},
		{"nothing is there", 0, 1024, false, 0, ""},
	} {
		v := f.Fit(Room{Memory: x.mib * mib, Reserve: x.reserve * mib, Bandwidth: 40e9}, use, offers...)
		instead := ""
		if v.Instead != nil {
			instead = v.Instead.Quantisation
		}
		if v.Fits != x.fits || v.Context != x.context || instead != x.instead {
			t.Errorf("%s: %v, %d tokens, %q instead, needs %d MiB", x.name, v.Fits, v.Context, instead, v.Need.Total()/mib)
		}
		if (v.InsteadEstimate > 0) != (instead != "") || v.Estimate <= 0 {
			t.Errorf("%s: %g and %g tokens a second", x.name, v.Estimate, v.InsteadEstimate)
		}
	}
}

func TestSpeedsAreThoseThatWereMeasured(t *testing.T) {
	for _, x := range []struct {
		bandwidth float64
		active    int64 // megabytes
		kind      string
		want      float64
	}{
		{16.5e9, 1192, "F16", 12.4}, {16.5e9, 633, "Q8_0", 20.5}, {16.5e9, 375, "Q4_0", 30}, {16.5e9, 799, "Q4_K_M", 16.4},
		// Of these the speeds alone were measured: the bandwidth is the one that would fit them.
		{43e9, 1192, "F16", 34}, {43e9, 375, "Q4_0", 72}, {43e9, 2471, "F16", 16}, {43e9, 799, "Q4_K_M", 41},
	} {
		if got := Speed(x.active*1e6, x.kind, x.bandwidth); math.Abs(got/x.want-1) > 0.1 {
			t.Errorf("%s of %d MB: %.1f tokens a second, and %.1f were measured", x.kind, x.active, got, x.want)
		}
	}
	if Speed(0, "F16", 1) != 0 || Speed(1, "F16", 0) != 0 {
		t.Error("what is unknown has a speed")
	}
}

func TestWhatIsProposedAlwaysFits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shape := rapid.SampledFrom([]Shape{Qwen06B, Llama1B, TinyQwen, TinyLlama}).Draw(t, "shape")
		f := headers[shape.Name]
		use := Use{
			Context: rapid.Int64Range(0, 1<<20).Draw(t, "context"), Sequences: rapid.Int64Range(0, 16).Draw(t, "sequences"),
			CacheType: rapid.SampledFrom([]string{"", "f16", "q8_0"}).Draw(t, "cache"), Batch: rapid.Int64Range(0, 2048).Draw(t, "batch"),
		}
		room := Room{Memory: rapid.Int64Range(0, 32<<30).Draw(t, "memory"), Reserve: rapid.Int64Range(-1, 4<<30).Draw(t, "reserve")}
		var offers []Offer
		for _, n := range rapid.SliceOfN(rapid.Int64Range(0, 4<<30), 0, 5).Draw(t, "offers") {
			offers = append(offers, Offer{"Q4_0", n})
		}
		v := f.Fit(room, use, offers...)
		if v.Free > room.Memory || v.Fits != (v.Need.Total() <= v.Free) || v.Context > use.Context {
			t.Fatalf("%+v", v)
		}
		if v.Context > 0 {
			shorter := use
			shorter.Context = v.Context
			if f.Memory(shorter).Total() > v.Free {
				t.Fatalf("a context of %d is proposed, and does not fit", v.Context)
			}
		}
		if longer := use; v.Context+step <= use.Context {
			longer.Context = v.Context + step
			if f.Memory(longer).Total() <= v.Free {
				t.Fatalf("a context of %d fits, and %d is proposed", longer.Context, v.Context)
			}
		}
		if v.Instead != nil && (v.Fits || v.Instead.Bytes+v.Need.Cache+v.Need.Compute > v.Free) {
			t.Fatalf("%+v is proposed, and does not fit", *v.Instead)
		}
		for _, o := range offers {
			if !v.Fits && o.Bytes > 0 && o.Bytes+v.Need.Cache+v.Need.Compute <= v.Free && (v.Instead == nil || v.Instead.Bytes < o.Bytes) {
				t.Fatalf("%+v would fit and is better", o)
			}
		}
	})
}

var headers = map[string]*File{
	Qwen06B.Name: sized(Qwen06B, F16), Llama1B.Name: sized(Llama1B, F16), TinyQwen.Name: sized(TinyQwen, F16), TinyLlama.Name: sized(TinyLlama, F16),
}
