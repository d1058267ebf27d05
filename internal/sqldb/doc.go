// Package sqldb is what the SQL stores of this module share: one database on
// one of two engines, a way to commit, jobs, events, the audit trail and the
// versions of configuration.
//
// SQLite is the default: one file, one process, no set-up. Every command that
// is waiting is merged into one durable commit. PostgreSQL serves any number
// of processes. The SQL is written by hand with $1 placeholders; instants are
// Unix milliseconds and money is fen, both in 64-bit integers, so that a
// statement means the same on both.
//
// ANALYZE and PRAGMA optimize must never run on the SQLite file: with sampled
// statistics SQLite prepares a statement again for every new bound value,
// which costs 40 % of the throughput.
package sqldb
