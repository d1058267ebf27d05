package staff

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"

	"github.com/wxhospital/hospital"
)

// hashing is the cost of a password. Source: OWASP Password Storage Cheat
// Sheet, "argon2id with 19 MiB, an iteration count of 2, and 1 degree of
// parallelism".
func hashing() *argon2id.Params {
	return &argon2id.Params{Memory: 19 * 1024, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32}
}

func hashPassword(password string) (string, error) {
	hash, err := argon2id.CreateHash(password, hashing())
	if err != nil {
		return "", &hospital.Error{Kind: hospital.Internal, Op: "staff", Code: "hash", Err: err}
	}
	return hash, nil
}

// tokenBytes is the length of a token nobody can guess.
const tokenBytes = 32

func newToken() string {
	raw := make([]byte, tokenBytes)
	if _, err := rand.Read(raw); err != nil {
		panic("staff: crypto/rand never fails: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(raw)
}

// hashToken is how a token is stored: it is random, so one round is enough.
func hashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// formToken follows from the session's token, so that only a page of this
// session can carry it, and nothing of the session follows from it.
func formToken(session string) string {
	mac := hmac.New(sha256.New, []byte(session))
	mac.Write([]byte("staff form"))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func sameToken(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// The second factor. Source: RFC 6238; six digits, SHA-1 and 30 s are what
// every authenticator takes.
const (
	totpPeriod = 30
	totpBytes  = 20
	totpSkew   = 1 // steps that a telephone's clock may be off
)

func newTOTP() string {
	raw := make([]byte, totpBytes)
	if _, err := rand.Read(raw); err != nil {
		panic("staff: crypto/rand never fails: " + err.Error())
	}
	return base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw)
}

// totpStep returns the step to which the code belongs, 0 when it is none of
// now.
func totpStep(secret, code string, now time.Time) int64 {
	at := now.Unix() / totpPeriod
	found := int64(0)
	for step := at - totpSkew; step <= at+totpSkew; step++ {
		want, err := hotp.GenerateCodeCustom(secret, uint64(max(step, 0)), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err == nil && subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			found = step
		}
	}
	return found
}

// totpURL is what an authenticator reads from the picture.
func totpURL(issuer, login, secret string) string {
	label := issuer
	if login != "" {
		label += ":" + login
	}
	values := url.Values{"secret": {secret}, "issuer": {issuer}}
	return "otpauth://totp/" + url.PathEscape(label) + "?" + values.Encode()
}

// vault encrypts the secrets of second factors at rest.
type vault struct{ aead cipher.AEAD }

func newVault(key []byte) (vault, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return vault{}, &hospital.Error{Kind: hospital.Internal, Op: "staff", Code: "bad_key", Err: err}
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return vault{}, &hospital.Error{Kind: hospital.Internal, Op: "staff", Code: "bad_key", Err: err}
	}
	return vault{aead}, nil
}

func (v vault) seal(secret string) string {
	return base64.RawStdEncoding.EncodeToString(v.aead.Seal(nil, nil, []byte(secret), []byte("staff totp"))) //nolint:gosec // the AEAD draws its own random nonce; none is passed
}

func (v vault) open(sealed string) (string, error) {
	raw, err := base64.RawStdEncoding.DecodeString(sealed)
	if err == nil {
		raw, err = v.aead.Open(nil, nil, raw, []byte("staff totp"))
	}
	if err != nil {
		return "", &hospital.Error{Kind: hospital.Internal, Op: "staff", Code: "bad_secret", Detail: "the second factor cannot be decrypted: was the key changed?", Err: err}
	}
	return string(raw), nil
}
