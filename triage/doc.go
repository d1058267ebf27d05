// Package triage recommends a department for a complaint (智能导诊) and raises
// red flags before it does.
//
// It is a recommendation of a department, never a diagnosis. The knowledge it
// rests on – departments, body map, lexicon, rules, red flags – must be
// reviewed by the hospital's clinicians before patients see its answers; many
// red flags rest on general teaching and say so in their sources. A page that
// shows an [Advice] shows its emergencies first, then its checks, and only then
// departments, and says plainly when it is not sure.
//
// # Use
//
// A [Desk] holds the active [Set]; [Desk.Advise] answers a [Complaint], which
// is what was ticked on the body map, what was written, or both. There is no
// network, no clock, no random number and no model: the same complaint has the
// same answer under the same set, and every department carries its [Reason]s
// from the phrase over the symptom to the rule and its points.
//
// # Knowledge
//
// The set is a folder of JSON files, one a kind; knowledge/ is the shipped one
// and schema/ holds the JSON Schemas. A hospital lays its own folder over it:
// an entry of the same name replaces ours, {"remove": true} takes one away, and
// hospital.json says which departments the house has, under which ids, and
// until when one is a child. [Load] refuses a faulty set with file, line and
// reason; [Desk.Publish] then leaves the active set as it is, and
// [Desk.Rollback] returns to an earlier one. [Set.Lint] names what loads but
// deserves a look, [Set.Cover] what fires over a corpus.
//
// # How a complaint is read
//
// The text is normalised (half-width, lower case, simplified characters, no
// spaces and pictures) and read in one leftmost-longest pass over the lexicon.
// A part and what it does are joined up to four characters apart: 膝盖有点疼.
// Points are whole numbers; ten points make a department e times as likely,
// and what stands in the first sentence counts half again. A denied symptom
// still names the organ, so it keeps its points, but it raises no alarm. A
// negator inside a longer term denies nothing: 没有呼吸 is a finding.
//
// Red flags are looked for in their own pass. A denied phrase is dropped.
// History, a hypothesis or a question of knowledge lowers the alarm to a
// [Check], a question for the patient, never to silence.
package triage
