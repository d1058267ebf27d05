// Package bookingtest has what a test of booking needs: a [Store] in memory,
// the suite [ConformStore] that every store has to pass, and [Cashier], a
// cashier of one's own who keeps the books of a real one and can lose its
// answers.
package bookingtest
