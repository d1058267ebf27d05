package paymentsql

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"fmt"
	"strings"
)

// sealed marks a value that is encrypted at rest.
const sealed = "v1:"

// seal encrypts who pays: the payer and the request bytes that name them. Its
// key is derived from Config.PseudonymKey, so that a copy of the database alone
// tells no openid. AES-256-GCM binds each value to its row and column.
type seal struct{ aead cipher.AEAD }

func newSeal(db *DB) (seal, error) {
	key, err := db.DeriveKey("pay_attempts " + sealed)
	if err != nil {
		return seal{}, fmt.Errorf("paymentsql.New: %w", err)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return seal{}, broken("bad_seal_key", "", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return seal{}, broken("bad_seal_key", "", err)
	}
	return seal{aead}, nil
}

// close encrypts a value; nothing stays nothing.
func (s seal) close(place string, value []byte) string {
	if len(value) == 0 {
		return ""
	}
	return sealed + base64.StdEncoding.EncodeToString(s.aead.Seal(nil, nil, value, []byte(place))) //nolint:gosec // NewGCMWithRandomNonce makes a fresh nonce itself
}

// open is the inverse of close.
func (s seal) open(place, kept string) ([]byte, error) {
	if kept == "" {
		return nil, nil
	}
	text, ok := strings.CutPrefix(kept, sealed)
	if !ok {
		return nil, broken("not_sealed", place, nil)
	}
	box, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, broken("not_sealed", place, err)
	}
	value, err := s.aead.Open(nil, nil, box, []byte(place))
	if err != nil {
		return nil, broken("seal_broken", place, err)
	}
	return value, nil
}
