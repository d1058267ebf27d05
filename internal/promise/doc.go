// Package promise holds the tests that no package can have alone: the promises
// of the design under races, kills, lost answers and random days, on both
// engines, with the real desk, the real cashier and the simulated hospital.
package promise
