// Package booking decides who may book what, and keeps the promise: one number
// has one holder, an unknown answer is never taken for a no, and what was said
// yes to survives the loss of the process at any point.
//
// A [Desk] books, cancels and recovers. It needs two ports – [Slots], the
// hospital's information system, and [Cashier], who takes the money – and a
// [Store]; package bookingtest has a memory store and the suites, package
// bookingsql the store on SQLite and PostgreSQL.
//
// # The appointment
//
// Every state that ends in -ing is an intent: it is committed before the HIS
// is called, so a process that dies leaves a row that says what may have
// happened.
//
//	holding ─▶ held ─▶ confirming ─▶ booked ─▶ arrived ─▶ fulfilled
//	   │         │          │        │  ▲  │                  ▲
//	   │         │          │  settling─┘  └──────────────────┤
//	   ▼         ▼          ▼        ▼                        ▼
//	refused    cancelling ─▶ refused | expired | cancelled   noshow
//	                  └─▶ manual (a person decides)
//
// Whoever writes an intent may call at once, and only within Config.CallTimeout
// of it by the wall clock: a worker that was stopped in between does not call.
// Everybody else – the worker that finds the row after a crash – asks the HIS by
// key first, and "absent" counts only after the adapter's quiet time. A yes
// holds whoever learned it; a no only for whoever still has the row. What an
// adapter can do is declared in
// [Assurances]; one that can neither be asked nor be called again sends the
// case to the manual list.
//
// # Rules
//
// A [Policy] is data, read from YAML by [ParsePolicy] and published under a
// version. An appointment keeps the version it was made under and is never
// judged by another. [Presets] ships three; "wuxi2018" is the paper's.
package booking
