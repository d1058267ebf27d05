package triage

// Lint returns what loads but deserves a look.
func (s *Set) Lint() Problems { return nil }
