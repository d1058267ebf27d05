// Package wechatsql keeps an account's tokens and spent login states in SQLite
// or PostgreSQL, so that all replicas of a server share them. [OpenDB] opens
// the database, [New] puts the store on it; other packages' stores can share it.
//
// A token is a secret for two hours. It stands in the database as it is: who
// can read the database can speak as the account until then.
package wechatsql
