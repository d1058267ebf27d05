package wechatpay

// NewShortCipher is a cipher with a key of any AES length: the published
// vectors use 16 bytes, which no merchant has.
func NewShortCipher(key []byte) (*Cipher, error) { return newCipher(key) }
