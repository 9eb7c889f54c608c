package gguf

import (
	"fmt"
	"strings"
)

// chatML is the template of the shapes, whose turns are <|im_start|>role … <|im_end|>.
const chatML = `{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}`

// Kinds of tokens.
//
// Source: llama_token_type in llama.cpp.
const (
	plain   int32 = 1
	unknown int32 = 2
	control int32 = 3
	oneByte int32 = 6
)

// words are what the tokenizers have as whole tokens. For that they have all that these
// begin with, too, since tokens are joined two at a time.
const words = "the of and to in is that it was for on with as he be at by this had not are but from or have an they which one you were her all she there would their we him been has when who will more no if out so said what up its about into than them can only other new some could time these two may then do first any my now such like our over man me even most made after also did many before must through back years where much your way well down should because each just those people too little state good very make world still own see men work long get here between both life being under never day same another know while last might us great old year off come since against go came right used take three"

// tokenizer returns one that llama.cpp reads: each byte, the commonest words, the special
// tokens of ChatML, and made-up words up to the size of the vocabulary, which are said
// but never read.
func (s Shape) tokenizer() []Entry {
	v := &vocabulary{has: map[string]bool{}}
	meta := []Entry{{"tokenizer.ggml.model", s.Tokenizer}}
	space := "▁"
	if s.Tokenizer == "gpt2" {
		space = "Ġ"
		v.bytes()
		meta = append(meta, Entry{"tokenizer.ggml.pre", map[string]string{"qwen3": "qwen2", "llama": "llama-bpe"}[s.Architecture]})
	} else {
		v.pieces()
	}
	specials := []string{"<|im_start|>", "<|im_end|>", "<|endoftext|>"}
	v.common(space, int(s.Vocabulary)-len(specials))
	v.invented(space, int(s.Vocabulary)-len(specials))
	first := uint32(len(v.tokens))
	for _, token := range specials {
		v.add(token, control, 0)
	}
	meta = append(meta,
		Entry{"tokenizer.ggml.tokens", v.tokens},
		Entry{"tokenizer.ggml.token_type", v.types},
		Entry{"tokenizer.ggml.bos_token_id", first + 2},
		Entry{"tokenizer.ggml.eos_token_id", first + 1},
		Entry{"tokenizer.ggml.add_bos_token", false},
		Entry{"tokenizer.chat_template", chatML})
	if s.Tokenizer == "gpt2" {
		return append(meta, Entry{"tokenizer.ggml.merges", v.merges})
	}
	return append(meta, Entry{"tokenizer.ggml.scores", v.scores}, Entry{"tokenizer.ggml.unknown_token_id", uint32(0)})
}

type vocabulary struct {
	tokens []string
	types  []int32
	scores []float32
	merges []string // "a b": what is joined, the first first
	has    map[string]bool
}

func (v *vocabulary) add(token string, kind int32, score float32) {
	v.has[token] = true
	v.tokens, v.types, v.scores = append(v.tokens, token), append(v.types, kind), append(v.scores, score)
}

// bytes adds each byte as the letter that stands for it in byte-level vocabularies.
//
// Source: bytes_to_unicode in OpenAI's GPT-2 encoder.
func (v *vocabulary) bytes() {
	shifted := rune(256)
	for b := range rune(256) {
		if '!' <= b && b <= '~' || '¡' <= b && b <= '¬' || '®' <= b && b <= 'ÿ' {
			v.add(string(b), plain, 0)
			continue
		}
		v.add(string(shifted), plain, 0)
		shifted++
	}
}

// pieces adds what SentencePiece has first, and letters as pieces.
func (v *vocabulary) pieces() {
	v.add("<unk>", unknown, 0)
	for b := range 256 {
		v.add(fmt.Sprintf("<0x%02X>", b), oneByte, 0)
	}
	v.add("▁", plain, -1000)
	for c := '!'; c <= '~'; c++ {
		v.add(string(c), plain, -1000)
	}
}

// common adds words, and all that they begin with.
func (v *vocabulary) common(space string, most int) {
	for word := range strings.FieldsSeq(words) {
		token := space
		for _, c := range word {
			next := token + string(c)
			if !v.has[next] {
				if len(v.tokens) == most {
					return
				}
				v.merges = append(v.merges, token+" "+string(c))
				v.add(next, plain, -float32(len(v.merges))) // a higher score is joined earlier
			}
			token = next
		}
	}
}

// invented adds words of syllables, which are joined from nothing.
func (v *vocabulary) invented(space string, most int) {
	const syllables = "ba be bi bo bu da de di do du ka ke ki ko ku la le li lo lu ma me mi mo mu na ne ni no nu ra re ri ro ru sa se si so su ta te ti to tu"
	parts := strings.Fields(syllables)
	for i := len(parts); len(v.tokens) < most; i++ {
		token := ""
		for n := i; n > 0; n /= len(parts) {
			token = parts[n%len(parts)] + token
		}
		if !v.has[space+token] {
			v.add(space+token, plain, -1e6)
		}
	}
}
