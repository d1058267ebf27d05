package wechat

import "time"

// NewRecent is a memory of keys: the function it returns reports whether the
// key was known, and keeps it or forgets it.
func NewRecent(keep time.Duration, most int) func(key string, now time.Time, stay bool) (known bool) {
	r := newRecent[struct{}](keep, most)
	return func(key string, now time.Time, stay bool) (was bool) {
		r.use(key, now, func(_ *struct{}, known bool) bool {
			was = known
			return stay
		})
		return was
	}
}

// SealWith is Seal with the random bytes given, to reproduce a published example.
func (c *Cipher) SealWith(random [16]byte, message []byte) string { return c.seal(random, message) }
