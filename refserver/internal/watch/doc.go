// Package watch learns what a HIS does not tell by itself: a new bill of a bound
// patient, and a record that changed. It asks about each bound patient again and
// again, often around a visit and rarely otherwise, and turns each thing it had
// not seen into one event: bill.created about the bill, patient.info_updated
// about the record's row.
//
// The asking itself is no read that serves somebody and leaves no audit row; an
// event has one, in its own commit.
package watch
