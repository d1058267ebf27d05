// Package staff is the desk at which the hospital's own people work (工作台): it
// shows appointments, lockouts, schedules, orders, cases, bindings, messages,
// the audit trail and the booking rules, and lets those who may act on them.
//
// It has its own listener. An account has a password (argon2id) and a second
// factor (TOTP); the first one is made through a link that the program prints,
// the others by an administrator, who also lets a colleague in again who lost
// either. Roles says which [Role] may do which [Act]. Every act needs a reason,
// which is in the audit trail before the act begins; what the act then did is
// audited in the transaction of its effect. Every read of a patient's data goes
// through the Gate.
package staff
