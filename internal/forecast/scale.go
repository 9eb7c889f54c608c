package forecast

import "math"

// say is how much a sort of n-gram weighs in a text: the length of its features
// together. What a prompt is about lies in its words; pairs and characters help
// where words are rare or misspelt.
var say = [sorts]float64{words: 0.8, pairs: 0.3, chars: 0.4}

// rare is the number of prompts at which a slot has half its say.
const rare = 4

// A scale is how much each slot of an n-gram has to say. What is in few prompts
// has little, since it is chance; and typing errors are rare.
type scale []float32

func newScale(lessons []lesson) scale {
	s := make(scale, hashed)
	for _, l := range lessons {
		for _, f := range l.prompt {
			if f.at < hashed {
				s[f.at]++
			}
		}
	}
	for at, n := range s {
		s[at] = n / (n + rare)
	}
	return s
}

// weigh appends the features of a prompt to dst as the head reads them: each
// sort of n-gram has its length, and the shape is as it was. What has nothing to
// say is left out.
func (s scale) weigh(prompt, dst []feature) []feature {
	from := len(dst)
	var square [sorts + 1]float32
	for _, f := range prompt {
		if f.at < hashed {
			f.by *= s[f.at]
		}
		if f.by == 0 {
			continue // never seen: it has nothing to say
		}
		square[f.at/block] += f.by * f.by
		dst = append(dst, f)
	}
	var factor [sorts + 1]float32
	for sort, length := range say {
		const none = 1e-2 // keeps a text of rare words from shouting
		factor[sort] = float32(length / math.Sqrt(float64(square[sort])+none))
	}
	factor[sorts] = 1
	for i := range dst[from:] {
		dst[from+i].by *= factor[dst[from+i].at/block]
	}
	return dst
}

// weighAll weighs the prompts of all lessons, in memory of one piece.
func (s scale) weighAll(lessons []lesson) [][]feature {
	total := 0
	for _, l := range lessons {
		total += len(l.prompt)
	}
	all := make([]feature, 0, total)
	weighed := make([][]feature, len(lessons))
	for i, l := range lessons {
		from := len(all)
		all = s.weigh(l.prompt, all)
		weighed[i] = all[from:]
	}
	return weighed
}
