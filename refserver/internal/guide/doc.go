// Package guide keeps what 智能导诊 rests on while the server runs: the
// published versions of the hospital's knowledge, the set that is active, and
// a record of every consultation without anybody's identity.
//
// A version is a row of config_versions and is never changed. Every replica
// looks for a newer one every few seconds. One that cannot be read or loaded is
// reported and the set that was active stays.
package guide
