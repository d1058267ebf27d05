// Package paymentsql keeps package payment's orders, inbox and books in SQL:
// SQLite for one process, PostgreSQL for many, behind the same commands.
//
// What must never be twice is a unique index: the key of a charge, the live
// order of a purpose, a trade number, the standing refund of a trade, a
// posting key, a notice.
package paymentsql
