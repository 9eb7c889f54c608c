package sim

import (
	_ "embed"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

//go:embed shop.txt
var shopText string

// A Shop makes messages of customers of a made-up shop, each with the label that
// is right by the prompt of the pack support-intent. About one in ten is in
// German; some touch a second topic, deny one or answer a mail about another.
//
// The messages follow from the seed alone. A Shop is not safe for concurrent use.
type Shop struct {
	lines map[string][]string // of each section of shop.txt
	topic string              // the section that says what messages are about
	die   die
	throw int64 // how often the die was thrown
	told  map[string]bool
}

// NewShop opens a shop.
func NewShop(seed uint64) *Shop {
	return &Shop{lines: sections(shopText), topic: "topic", die: die(seed).about("shop"), told: map[string]bool{}}
}

// Drift launches a product: "the Box", which comes every month. From now on three
// messages in ten are about that plan, in words that until now were about orders.
func (s *Shop) Drift() { s.topic = "topic.launched" }

// Next returns a message that this shop has not had, with its label and two that
// it could be mistaken for.
func (s *Shop) Next() Case {
	topic, frame, _ := strings.Cut(s.say("{"+s.topic+"}", nil), " ")
	label, _, _ := strings.Cut(topic, "/")
	input := s.message(topic, label, frame)
	for s.told[input] {
		input = s.message(topic, label, frame)
	}
	s.told[input] = true
	return Case{Skill: "support-intent", Input: input, Answer: label, Wrong: slices.Clone(s.lines[topic+".wrong"])}
}

// message writes one about a topic. What else it touches has another label.
func (s *Shop) message(topic, label, frame string) string {
	that := label
	for that == label {
		that = s.say("{aside}", nil)
	}
	text := s.say("{"+frame+"}", strings.NewReplacer("this.", topic+".", "that.", that+"."))
	return strings.TrimSpace(s.hand(spaces.Replace(text)))
}

// spaces are put right where a choice was nothing or began a line.
var spaces = strings.NewReplacer(` \n`, "\n", `\n `, "\n", `\n`, "\n", "  ", " ", " .", ".", " ?", "?")

// choice is a pair of angle brackets without another inside, or a slot.
var choice = regexp.MustCompile(`<[^<>]*>|\{[^{}]*\}`)

// say makes every choice in text, from the innermost outwards. The replacer says
// which sections the names in slots stand for; nil for those that they name.
func (s *Shop) say(text string, stands *strings.Replacer) string {
	for choice.MatchString(text) {
		text = choice.ReplaceAllStringFunc(text, func(found string) string {
			inner := found[1 : len(found)-1]
			if found[0] == '<' {
				return s.pick(strings.Split(inner, "|"))
			}
			if stands != nil {
				inner = stands.Replace(inner)
			}
			return s.pick(s.lines[inner])
		})
	}
	return text
}

// hand is how customers type: some carelessly, some in a hurry.
func (s *Shop) hand(text string) string {
	mood := s.next()
	switch style := mood.about("style").share(); {
	case style < 0.22:
		text = strings.ToLower(text)
	case style < 0.30:
		text = strings.ToLower(unmarked.Replace(text))
	case style < 0.32:
		text = strings.ToUpper(text)
	}
	if mood.about("typos").share() >= 0.2 {
		return text
	}
	words := strings.Split(text, " ")
	for range 1 + len(words)/12 {
		i := s.next().pick(len(words))
		words[i] = s.slip(words[i])
	}
	return strings.Join(words, " ")
}

// unmarked takes out the marks that those in a hurry leave out.
var unmarked = strings.NewReplacer(", ", " ", ". ", " ", ".\n", "\n", "'", "")

// slip mistypes a word: two letters change places, or one is lost or doubled.
func (s *Shop) slip(word string) string {
	r := []rune(word)
	if len(r) < 4 || strings.ContainsAny(word, "0123456789") {
		return word
	}
	i := 1 + s.next().pick(len(r)-2)
	switch s.next().pick(3) {
	case 0:
		r[i], r[i-1] = r[i-1], r[i]
		return string(r)
	case 1:
		return string(r[:i]) + string(r[i+1:])
	}
	return string(r[:i+1]) + string(r[i:])
}

func (s *Shop) pick(lines []string) string { return lines[s.next().pick(len(lines))] }

// next is the next throw.
func (s *Shop) next() die {
	s.throw++
	return s.die.nth(s.throw)
}

// sections reads the format that shop.txt describes.
func sections(text string) map[string][]string {
	all, name := map[string][]string{}, ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		section, opens := strings.CutPrefix(line, "== ")
		switch {
		case opens:
			name = section
		case line != "" && !strings.HasPrefix(line, "# "):
			times, said := weighed(line)
			for range times {
				all[name] = append(all[name], said)
			}
		}
	}
	return all
}

// weighed splits "3x line" into 3 and "line"; without a number it is 1.
func weighed(line string) (int, string) {
	if number, said, ok := strings.Cut(line, "x "); ok {
		if times, err := strconv.Atoi(number); err == nil {
			return times, said
		}
	}
	return 1, line
}
