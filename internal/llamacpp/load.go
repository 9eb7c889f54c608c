package llamacpp

import (
	"errors"
	"fmt"
	"math"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/hybridgroup/yzma/pkg/llama"

	"starling"
	"starling/internal/engine"
)

// Limits of a Load. Beyond them the library would end the process.
const (
	mostSequences = 64
	mostThreads   = 512
	mostContext   = 1 << 22
	mostBatch     = 1 << 16
	usualBatch    = 512
)

// A model is what the library holds for us.
type model struct {
	model    llama.Model
	context  llama.Context
	memory   llama.Memory // 0: it remembers nothing, as models do that only make vectors
	vocab    llama.Vocab
	size     int  // of the vocabulary
	places   int  // sequences
	window   int  // tokens that each of them may have
	batch    int  // tokens that are read at once
	state    bool // it keeps a state of all that it has read, of which the end alone cannot be forgotten
	adapters map[string]llama.AdapterLora
	seconds  float64
}

// checkLoad returns an error unless the library can be asked for this.
func checkLoad(l *engine.Load) error {
	switch {
	case strings.ContainsRune(l.Library+l.Model, 0):
		return invalid("a file's name holds a zero byte")
	case l.Context < 1 || l.Context > mostContext:
		return invalid("a context of %d tokens, 1 to %d can be had", l.Context, mostContext)
	case l.Sequences < 1 || l.Sequences > mostSequences:
		return invalid("%d sequences, 1 to %d can be had", l.Sequences, mostSequences)
	case l.Batch < 0 || l.Batch > mostBatch:
		return invalid("a batch of %d tokens, at most %d can be had", l.Batch, mostBatch)
	case l.Threads < 1 || l.Threads > mostThreads:
		return invalid("%d threads, 1 to %d can be had", l.Threads, mostThreads)
	case l.CacheType != "" && l.CacheType != "f16" && l.CacheType != "q8_0":
		return invalid("a cache of an unknown type")
	}
	return checkAdapters(l.Adapters)
}

func checkAdapters(list []engine.Adapter) error {
	seen := map[string]bool{}
	for _, a := range list {
		if a.Name == "" || seen[a.Name] || strings.ContainsRune(a.File, 0) {
			return invalid("an adapter has no name of its own, or a zero byte in its file's")
		}
		seen[a.Name] = true
	}
	return nil
}

// load checks the library, and then calls it for the first time.
func load(l *engine.Load, progress func(float32)) (*model, error) {
	start := time.Now()
	if err := checkLoad(l); err != nil {
		return nil, err
	}
	if _, err := Check(l.Library); err != nil {
		return nil, err
	}
	if err := llama.Load(l.Library); err != nil {
		return nil, &starling.Error{Kind: starling.Refused, Op: "llamacpp: load the library", Err: err}
	}
	llama.LogSet(llama.LogSilent())
	llama.Init()
	m := &model{adapters: map[string]llama.AdapterLora{}}
	if err := m.open(l, progress); err != nil {
		return nil, err
	}
	m.seconds = time.Since(start).Seconds()
	return m, nil
}

func (m *model) open(l *engine.Load, progress func(float32)) error {
	if _, err := os.Stat(l.Model); err != nil {
		kind := starling.Refused
		if errors.Is(err, os.ErrNotExist) {
			kind = starling.NotFound
		}
		return &starling.Error{Kind: kind, Op: "llamacpp: open the model", Hint: "pull it again", Err: err}
	}
	params := llama.ModelDefaultParams()
	params.SetProgressCallback(everyPercent(progress))
	var err error
	if m.model, err = llama.ModelLoadFromFile(l.Model, params); err != nil {
		return refused("load the model", "the file is damaged, or of a kind that llama.cpp "+LibraryVersion+" does not know")
	}
	m.vocab = llama.ModelGetVocab(m.model)
	m.size = int(llama.VocabNTokens(m.vocab))
	m.state = llama.ModelIsRecurrent(m.model) || llama.ModelIsHybrid(m.model)
	if err := m.begin(l); err != nil {
		return err
	}
	return m.adapt(l.Adapters)
}

func refused(op, hint string) error {
	return &starling.Error{Kind: starling.Refused, Op: "llamacpp: " + op, Hint: hint}
}

// everyPercent passes on progress that is worth a message.
func everyPercent(progress func(float32)) llama.ProgressCallback {
	told := float32(0)
	return func(p float32, _ uintptr) uint8 {
		if p >= told+0.01 && p <= 1 {
			told = p
			progress(p)
		}
		return 1
	}
}

// begin makes the room in which the model works.
func (m *model) begin(l *engine.Load) error {
	p := m.params(l)
	if err := m.enter(p); err != nil {
		return err
	}
	if l.Vectors {
		return m.pool(p)
	}
	if m.memory == 0 || llama.ModelHasEncoder(m.model) {
		return refused("load the model", "this one makes no words; it can be loaded for vectors")
	}
	return nil
}

// params leaves each sequence a cache of its own: one that all share is slower where
// several are at work. Layers that look back over a window keep everything all the same:
// an answer that begins where an earlier one forked off would else be computed, without
// an error, from what is no more there.
func (m *model) params(l *engine.Load) llama.ContextParams {
	p := llama.ContextDefaultParams()
	m.batch = l.Batch
	if m.batch == 0 {
		m.batch = usualBatch
	}
	m.places, m.batch = l.Sequences, max(m.batch, l.Sequences)
	p.NCtx, p.NSeqMax = uint32(l.Context*l.Sequences), uint32(l.Sequences)
	p.NThreads, p.NThreadsBatch = int32(l.Threads), int32(l.Threads)
	p.KVUnified, p.SwaFull = 0, 1
	if l.Vectors {
		m.batch = l.Context // the library makes a vector of what it reads at once
		p.NCtx, p.NSeqMax, p.Embeddings = uint32(l.Context), 1, 1
		p.NUbatch = uint32(m.batch)
	}
	p.NBatch = uint32(m.batch)
	p.NUbatch = min(p.NUbatch, p.NBatch)
	if l.CacheType == "q8_0" {
		p.TypeK, p.TypeV, p.FlashAttentionType = llama.GGMLTypeQ8_0, llama.GGMLTypeQ8_0, llama.FlashAttentionTypeEnabled
	}
	return p
}

func (m *model) enter(p llama.ContextParams) (err error) {
	if m.context, err = llama.InitFromModel(m.model, p); err != nil {
		return refused("make room for the model", "memory does not suffice, or the model cannot be used so")
	}
	m.memory, _ = llama.GetMemory(m.context)
	m.window = min(int(llama.NCtxSeq(m.context)), int(p.NCtx/p.NSeqMax)) // it rounds up, and no model knows what comes then
	m.batch = min(m.batch, int(llama.NBatch(m.context)))                 // more at once would end the process
	return nil
}

// adapt loads the adapters.
func (m *model) adapt(list []engine.Adapter) error {
	for _, a := range list {
		if _, err := os.Stat(a.File); err != nil {
			return &starling.Error{Kind: starling.NotFound, Op: "llamacpp: open an adapter", Err: err}
		}
		lora, err := llama.AdapterLoraInit(m.model, a.File)
		if err != nil || lora == 0 {
			return refused("load an adapter", "the file is damaged, or made for another model")
		}
		m.adapters[a.Name] = lora
	}
	return nil
}

// use has the next batches computed with an adapter, or with none. The library takes no
// empty list, but one with an adapter of no weight.
func (m *model) use(name string, scale float32) error {
	if name == "" {
		scale = 0
	}
	for n, lora := range m.adapters {
		if name == "" || name == n {
			if llama.SetAdaptersLora(m.context, []llama.AdapterLora{lora}, []float32{scale}) != 0 {
				return &starling.Error{Kind: starling.Internal, Op: "llamacpp: use an adapter"}
			}
			return nil
		}
	}
	return nil
}

func (m *model) loaded() *engine.Loaded {
	meta := func(key string) string {
		value, _ := llama.ModelMetaValStr(m.model, key)
		return value
	}
	return &engine.Loaded{
		Library: strings.TrimSpace(LibraryVersion + " " + variant()), Description: llama.ModelDesc(m.model),
		Architecture: meta("general.architecture"), Template: meta("tokenizer.chat_template"),
		Trained: int(llama.ModelNCtxTrain(m.model)), Context: m.window, Vocabulary: m.size,
		Dimensions: int(llama.ModelNEmbdOut(m.model)), Bytes: int64(min(llama.ModelSize(m.model), math.MaxInt64)),
		BOS: llama.VocabGetText(m.vocab, llama.VocabBOS(m.vocab)), EOS: llama.VocabGetText(m.vocab, llama.VocabEOS(m.vocab)),
		Seconds: m.seconds,
	}
}

var processor = regexp.MustCompile(`libggml-cpu-(\w+)\.so`)

// variant says for which processors the part is made that the library chose, where the
// system tells; "" elsewhere.
func variant() string {
	maps, err := os.ReadFile("/proc/self/maps")
	if err != nil {
		return ""
	}
	if found := processor.FindSubmatch(maps); found != nil {
		return string(found[1])
	}
	return ""
}

// tokens turns a prompt into tokens. Pieces of one kind that follow each other are read
// as one text. What begins with a template's words says itself how it begins; before a
// prompt that is all plain comes the token that this vocabulary wants there.
func (m *model) tokens(prompt []engine.Text) ([]llama.Token, error) {
	var all []llama.Token
	plain := !slices.ContainsFunc(prompt, func(t engine.Text) bool { return t.Special })
	for i := 0; i < len(prompt); {
		var piece strings.Builder
		special := prompt[i].Special
		for ; i < len(prompt) && prompt[i].Special == special; i++ {
			piece.WriteString(prompt[i].Text)
		}
		more, err := m.tokenize(piece.String(), false, special)
		if err != nil {
			return nil, err
		}
		all = append(all, more...)
	}
	if bos := llama.VocabBOS(m.vocab); plain && len(all) > 0 && bos >= 0 && llama.VocabGetAddBOS(m.vocab) {
		all = append([]llama.Token{bos}, all...)
	}
	return all, nil
}

func (m *model) tokenize(text string, add, special bool) ([]llama.Token, error) {
	if strings.ContainsRune(text, 0) {
		return nil, invalid("a text holds a zero byte")
	}
	if text == "" {
		return nil, nil
	}
	return llama.Tokenize(m.vocab, text, add, special), nil
}

// piece is what a token says, special ones too.
func (m *model) piece(t llama.Token) []byte {
	buf := make([]byte, 64)
	n := llama.TokenToPiece(m.vocab, t, buf, 0, true)
	if n < 0 {
		buf = make([]byte, -n)
		n = llama.TokenToPiece(m.vocab, t, buf, 0, true)
	}
	return buf[:max(n, 0)]
}

func (m *model) tooLong(tokens int) error {
	return &starling.Error{Kind: starling.TooLarge, Op: fmt.Sprintf("prompt is too long: %d tokens > %d maximum", tokens, m.window)}
}
