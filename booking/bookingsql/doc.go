// Package bookingsql keeps appointments, policies, quotas and bindings in
// SQLite or PostgreSQL. [OpenDB] opens the database, [New] puts the store on it;
// the payment store can share it.
//
// Every method is one durable command, so that SQLite merges those that wait
// into one commit. On PostgreSQL a patient's sales are put in line by a named
// lock, and a segment's numbers by the lock on its counter row.
package bookingsql
