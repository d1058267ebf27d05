package hospital

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"time"
)

// Key is ours: made once, stored before the call it belongs to, and the same
// on every attempt, so that the far side can tell a repetition from a second
// wish and can be asked what became of the first. A key is an identifier of
// 6 to 32 characters out of [0-9A-Za-z_-], so it also fits WeChat Pay's
// out_trade_no and the key columns of the HIS products we know.
type Key string

// Valid reports whether the key has the form its comment promises.
func (k Key) Valid() bool {
	if len(k) < 6 || len(k) > 32 {
		return false
	}
	for _, r := range []byte(k) {
		letter := r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r == '_' || r == '-'
		if !letter {
			return false
		}
	}
	return true
}

// NewID returns a fresh identifier: the prefix, 10 characters of time in
// milliseconds and 80 random bits in 16 characters. Identifiers sort by the
// time they were made (an index stays compact) and cannot be guessed.
func NewID(prefix string, now time.Time) string {
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], uint64(now.UnixMilli())<<16)
	if _, err := rand.Read(raw[6:]); err != nil {
		panic("hospital.NewID: crypto/rand never fails: " + err.Error())
	}
	return prefix + idEncoding.EncodeToString(raw[:])
}

// idEncoding keeps the order of the bytes and uses lower case and digits only.
var idEncoding = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding) //nolint:gochecknoglobals // an immutable table

// Entry is 入口, the door through which something reached the hospital:
// [EntryWeChat], [EntryKiosk], [EntryWindow], or "app:<id>" for a third party.
type Entry string

// The entries that every hospital has.
const (
	EntryWeChat Entry = "wechat"
	EntryKiosk  Entry = "kiosk"  // 自助机
	EntryWindow Entry = "window" // 人工窗口
	EntrySystem Entry = "system" // our own recovery and periodic work
)

// ActorKind says what sort of actor acts.
type ActorKind string

// The kinds of actor.
const (
	ActorUser   ActorKind = "user"   // a person with our account, on behalf of a patient
	ActorStaff  ActorKind = "staff"  // an employee of the hospital
	ActorApp    ActorKind = "app"    // a third-party application
	ActorSystem ActorKind = "system" // our own recovery and periodic work
)

// Actor is who did it, through which entry. It stands on every appointment,
// order, message and audit row.
type Actor struct {
	Kind  ActorKind
	ID    string // a UserID, a staff number, an app id; never an openid
	Entry Entry
}

// System returns the actor under which the named worker of ours acts.
func System(worker string) Actor {
	return Actor{Kind: ActorSystem, ID: worker, Entry: EntrySystem}
}

// UserID is our own identifier of a person who uses the service. Limits and
// bindings count UserID and PatientID, never an openid.
type UserID string
