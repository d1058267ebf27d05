// Package paymenttest is the far side of package payment for tests: a [Memory]
// store, a [Till] that takes money and loses answers, and the suites
// [ConformStore] and [ConformChannel] that a real store and a real channel
// must pass.
//
// [OpenTill] keeps a journal, so that a till survives a restart. A [TillServer]
// puts a Till behind HTTP, so that it can outlive a process
// with a cashier that is killed; [NewTillClient] is the channel at the other
// end.
package paymenttest
