// Package account keeps who uses the server: users and their openids, sessions,
// the codes that prove whose patient somebody is, and what was consented to.
//
// An openid never leaves the package but through [Store.OpenID]. What names a
// person is sealed under keys that follow from the database's pseudonym key,
// so the database alone tells nothing. Codes are derived from the id of their
// challenge and stored nowhere.
package account
