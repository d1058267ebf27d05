// Package histest is the far side of package his for tests and for the demo: a
// simulated hospital, stories to play on it, and the suite by which a vendor
// proves an adapter.
//
// # The hospital
//
// [NewHospital] opens a hospital of traditional Chinese medicine with two
// campuses, sixteen departments, doctors, a timetable of fourteen days that
// rolls on with the business clock, patients, bills and a few inpatients. It is
// the one truth: [Hospital.System] offers it in every role of [his.System], and
// [Hospital.Window], [Hospital.Kiosk], [Hospital.Suspend], [Hospital.See],
// [Hospital.AddBill] … are the people inside it, who know nothing of us. It
// enforces its own rules and books its own ledger. With Config.Dir it
// remembers everything over a restart.
//
// [Hospital.Effects], [Hospital.Everyone], [Hospital.Ledger] and the counts let
// a test ask what really happened.
//
// # What goes wrong
//
// The hospital itself can answer with the wrong patient, forget its last
// minutes or have a wrong clock. A [Line] stands between an adapter and its user
// and loses answers, loses or delays requests, or is dead, with the errors that
// a real client returns.
//
// # Pathways
//
// A pathway is a story in hospital words, one YAML file under
// testdata/pathways; [RunPathways] plays all of them against any adapter that
// talks to a [Hospital]. A step is a verb with its words, and what must come
// of it; where adapters may differ, outcomes stand side by side with " | ".
//
// # Conformance
//
// [Conform] is what a vendor runs: it checks each role and each assurance that
// an adapter claims, and that what it does not offer is really absent. [Examine]
// is the same without a testing.T.
package histest
