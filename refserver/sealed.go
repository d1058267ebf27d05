package refserver

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/binary"
	"time"
)

// toldLife is how long what a patient wrote for 智能导诊 stays in the browser.
// It is nowhere else: no address, no log, no row holds it.
const toldLife = 30 * time.Minute

// maxSealed is what fits a cookie that every browser keeps: 4,096 bytes with its
// name and attributes.
const maxSealed = 3800

// openSeal makes the cipher of sealed cookies. Every replica has the same.
func (s *Server) openSeal() error {
	key, err := s.config.DB.DeriveKey("refserver/told")
	if err != nil {
		return err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return err
	}
	s.seal, err = cipher.NewGCMWithRandomNonce(block)
	return err
}

// leave seals a text into a cookie for the half hour. It reports false when the
// text is too long for one.
func (v *visit) leave(name string, text []byte) bool {
	body := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(text)), uint64(v.s.config.Wall().Add(toldLife).Unix())) //nolint:gosec // after 1970
	value := base64.RawURLEncoding.EncodeToString(v.s.seal.Seal(nil, nil, append(body, text...), []byte(name)))         //nolint:gosec // the cipher draws its nonce
	if len(value) > maxSealed {
		return false
	}
	v.setCookie(name, value, int(toldLife.Seconds()))
	return true
}

// left opens such a cookie; false when there is none, when it is over, or when
// somebody changed it.
func (v *visit) left(name string) (text []byte, ok bool) {
	value := v.readCookie(name)
	if value == "" || len(value) > maxSealed {
		return nil, false
	}
	raw, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil {
		return nil, false
	}
	body, err := v.s.seal.Open(nil, nil, raw, []byte(name))
	if err != nil || len(body) < 8 || v.s.config.Wall().Unix() >= int64(binary.BigEndian.Uint64(body)) { //nolint:gosec // our own seconds
		return nil, false
	}
	return body[8:], true
}
