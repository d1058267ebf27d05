package wechatpay

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"

	"github.com/wxhospital/hospital"
)

// Algorithm names the one cipher there is, AES-256 in Galois/counter mode.
const Algorithm = "AEAD_AES_256_GCM"

// The sizes that the cipher prescribes, in bytes.
const (
	apiV3KeySize = 32
	gcmNonceSize = 12
	gcmTagSize   = 16
	maxAAD       = 64        // WeChat Pay uses "transaction", "refund", "certificate"
	maxSealed    = 256 << 10 // base64 of what a notification or a certificate may hold
)

// Sealed is 加密数据, what WeChat Pay encrypts under the merchant's APIv3 key:
// the resource of a notification, a platform certificate.
type Sealed struct {
	Algorithm      string `json:"algorithm"`
	Ciphertext     string `json:"ciphertext"` // base64 of cipher ‖ 16-byte tag
	AssociatedData string `json:"associated_data"`
	Nonce          string `json:"nonce"` // 12 bytes
}

// Cipher seals and opens under one APIv3 key. It is safe for concurrent use.
type Cipher struct {
	aead cipher.AEAD
}

// NewCipher returns the cipher of an APIv3 key, which has 32 bytes. It returns
// Invalid for any other length.
func NewCipher(apiV3Key []byte) (*Cipher, error) {
	if len(apiV3Key) != apiV3KeySize {
		return nil, &hospital.Error{
			Kind: hospital.Invalid, Op: "wechatpay.NewCipher", Code: "bad_key", Detail: "an APIv3 key has 32 bytes",
		}
	}
	return newCipher(apiV3Key)
}

func newCipher(key []byte) (*Cipher, error) {
	const op = "wechatpay.NewCipher"
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, &hospital.Error{Kind: hospital.Invalid, Op: op, Code: "bad_key", Err: err}
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		return nil, &hospital.Error{Kind: hospital.Internal, Op: op, Code: "no_gcm", Err: err}
	}
	return &Cipher{aead: aead}, nil
}

// Open returns the plaintext. It returns [ErrNotOpened], naming the field,
// for another algorithm, a length that the cipher does not have (which Go's
// own Open answers with a panic), and for what was sealed under another key.
func (c *Cipher) Open(s Sealed) ([]byte, error) {
	const op = "wechatpay.Open"
	switch {
	case s.Algorithm != Algorithm:
		return nil, refusal(op, ErrNotOpened, "algorithm is not "+Algorithm)
	case len(s.Nonce) != gcmNonceSize:
		return nil, refusal(op, ErrNotOpened, "nonce has not 12 bytes")
	case len(s.AssociatedData) > maxAAD:
		return nil, refusal(op, ErrNotOpened, "associated_data is too long")
	case len(s.Ciphertext) > maxSealed:
		return nil, refusal(op, ErrNotOpened, "ciphertext is too long")
	}
	raw, err := base64.StdEncoding.Strict().AppendDecode(nil, []byte(s.Ciphertext))
	if err != nil {
		return nil, refusal(op, ErrNotOpened, "ciphertext is not base64")
	}
	if len(raw) < gcmTagSize {
		return nil, refusal(op, ErrNotOpened, "ciphertext is shorter than its tag")
	}
	plain, err := c.aead.Open(raw[:0], []byte(s.Nonce), raw, []byte(s.AssociatedData))
	if err != nil {
		return nil, refusal(op, ErrNotOpened, "ciphertext, nonce, associated_data and key do not belong together")
	}
	return plain, nil
}

// Seal encrypts under a fresh nonce of 12 letters and digits. A merchant never
// seals; who plays WeChat Pay does.
func (c *Cipher) Seal(associatedData string, plain []byte) Sealed {
	nonce := rand.Text()[:gcmNonceSize]
	raw := c.aead.Seal(nil, []byte(nonce), plain, []byte(associatedData))
	return Sealed{
		Algorithm: Algorithm, Ciphertext: base64.StdEncoding.EncodeToString(raw),
		AssociatedData: associatedData, Nonce: nonce,
	}
}
