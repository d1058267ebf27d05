package wechat

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"

	"github.com/wxhospital/hospital"
)

const (
	frameBlock  = 32 // PKCS#7 pads to the size of the key, not of AES's block
	frameHeader = 20 // 16 random bytes and the length of the message in four
	// maxEncrypt bounds the text that Open decodes. A push that carries it is
	// bounded by the same number.
	maxEncrypt = maxBody
)

// Cipher is 消息加解密: it seals and opens what the platform and a server say to
// each other in safe mode. Make it with [NewCipher]; it is safe for concurrent
// use.
//
// A frame is 16 random bytes, the message's length in four bytes (big endian),
// the message and the receiver's app id, padded to 32 bytes, under AES-256-CBC
// whose first vector is the key's first half, in base64.
type Cipher struct {
	block cipher.Block
	iv    [aes.BlockSize]byte
	appID string
}

// NewCipher takes the EncodingAESKey as it stands in the account's console, 43
// letters and digits, and the app id that every frame must end with. It
// returns Invalid with code bad_aes_key or bad_app_id.
func NewCipher(encodingAESKey, appID string) (*Cipher, error) {
	if appID == "" {
		return nil, &hospital.Error{Kind: hospital.Invalid, Op: "wechat.NewCipher", Code: "bad_app_id", Detail: "want the account's app id"}
	}
	bad := &hospital.Error{Kind: hospital.Invalid, Op: "wechat.NewCipher", Code: "bad_aes_key", Detail: "want the 43 letters and digits of the console"}
	if len(encodingAESKey) != 43 {
		return nil, bad
	}
	for _, c := range []byte(encodingAESKey) { // the decoder would skip line ends
		if digit, letter := c >= '0' && c <= '9', c|0x20 >= 'a' && c|0x20 <= 'z'; !digit && !letter {
			return nil, bad
		}
	}
	// Not strict: the console draws any 43 characters, so most keys have bits
	// set beyond the 32 bytes.
	key, err := base64.StdEncoding.DecodeString(encodingAESKey + "=")
	if err != nil || len(key) != 32 {
		return nil, bad
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, bad
	}
	c := &Cipher{block: block, appID: appID}
	copy(c.iv[:], key)
	return c, nil
}

// Seal returns the message as the Encrypt text of a push or a reply.
func (c *Cipher) Seal(message []byte) string {
	var random [16]byte
	if _, err := rand.Read(random[:]); err != nil {
		panic("wechat.Cipher.Seal: crypto/rand never fails: " + err.Error())
	}
	return c.seal(random, message)
}

// seal is Seal with the random bytes given.
func (c *Cipher) seal(random [16]byte, message []byte) string {
	size := frameHeader + len(message) + len(c.appID)
	pad := frameBlock - size%frameBlock
	frame := make([]byte, 0, size+pad)
	frame = append(frame, random[:]...)
	frame = binary.BigEndian.AppendUint32(frame, uint32(len(message))) //nolint:gosec // a message of 4 GiB does not fit into memory here
	frame = append(frame, message...)
	frame = append(frame, c.appID...)
	for range pad {
		frame = append(frame, byte(pad))
	}
	cipher.NewCBCEncrypter(c.block, c.iv[:]).CryptBlocks(frame, frame)
	return base64.StdEncoding.EncodeToString(frame)
}

// Open returns the message of an Encrypt text. Check its msg_signature first.
// It returns Denied, and the code says which step failed: encrypt_encoding,
// encrypt_length, padding, frame_length or app_id. The last means a frame made
// for another account.
func (c *Cipher) Open(encrypt string) ([]byte, error) {
	if len(encrypt) > maxEncrypt {
		return nil, unopened("encrypt_length")
	}
	frame, err := base64.StdEncoding.DecodeString(encrypt)
	if err != nil {
		return nil, unopened("encrypt_encoding")
	}
	n := len(frame)
	if n < frameBlock || n%frameBlock != 0 {
		return nil, unopened("encrypt_length")
	}
	cipher.NewCBCDecrypter(c.block, c.iv[:]).CryptBlocks(frame, frame)
	pad := int(frame[n-1])
	if pad < 1 || pad > frameBlock {
		return nil, unopened("padding")
	}
	for _, b := range frame[n-pad:] {
		if int(b) != pad {
			return nil, unopened("padding")
		}
	}
	n -= pad
	if n < frameHeader {
		return nil, unopened("frame_length")
	}
	size := binary.BigEndian.Uint32(frame[16:frameHeader])
	if uint64(size) > uint64(n-frameHeader) {
		return nil, unopened("frame_length")
	}
	end := frameHeader + int(size)
	if subtle.ConstantTimeCompare(frame[end:n], []byte(c.appID)) != 1 {
		return nil, unopened("app_id")
	}
	return frame[frameHeader:end:end], nil
}

func unopened(step string) error {
	return &hospital.Error{Kind: hospital.Denied, Op: "wechat.Cipher.Open", Code: step}
}
