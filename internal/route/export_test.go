package route

// FindingsOf are findings that a test makes up.
func FindingsOf(skills map[string]Finding) *Findings {
	return &Findings{skills: skills, columns: map[string]int{}}
}
