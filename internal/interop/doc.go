// Package interop holds tests only: other people's libraries, unmodified,
// against our simulators, and ours beside theirs in one benchmark. It is a
// module of its own, so that nothing of theirs is a requirement of ours.
package interop
