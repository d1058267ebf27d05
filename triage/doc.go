// Package triage recommends a department for a complaint (智能导诊).
//
// It is a recommendation of a department, never a diagnosis, and the knowledge
// it rests on – departments, body map, lexicon, rules, red flags – must be
// reviewed by the hospital's clinicians before patients see its answers.
package triage
