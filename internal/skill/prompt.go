package skill

import "strings"

// ByPrompt returns the skill whose rubric's prompt is the given text, give or take
// white space; false if none is, or two are.
func (s *Set) ByPrompt(text string) (*Skill, bool) {
	if s == nil {
		return nil, false
	}
	s.fold.Do(func() {
		s.prompts = map[string]*Skill{}
		for _, name := range s.Names() {
			folded := folded(s.skills[name].Rubric.Prompt)
			if _, twice := s.prompts[folded]; twice {
				s.prompts[folded] = nil
				continue
			}
			s.prompts[folded] = s.skills[name]
		}
	})
	found := s.prompts[folded(text)]
	return found, found != nil && found.Rubric.Prompt != ""
}

func folded(text string) string { return strings.Join(strings.Fields(text), " ") }
