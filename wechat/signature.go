package wechat

import (
	"crypto/sha1" //nolint:gosec // the platform's protocol knows no other hash
	"crypto/subtle"
	"encoding/hex"
	"slices"
	"strings"
)

// Sign returns the signature that the platform puts on a push: the parts in
// the order of their bytes, joined without a separator, SHA-1, lower-case hex.
//
// The plain signature has the parts token, timestamp and nonce and does not
// cover the body. The msg_signature of an encrypted push or reply has the
// base64 text of Encrypt as the fourth.
func Sign(parts ...string) string {
	var text [2 * sha1.Size]byte
	return string(sign(&text, parts))
}

// Signed reports whether the signature fits the parts. It takes the same time
// wherever the two differ.
func Signed(signature string, parts ...string) bool {
	var text [2 * sha1.Size]byte
	return subtle.ConstantTimeCompare([]byte(signature), sign(&text, parts)) == 1
}

// sign writes into text, so that a check costs no string.
func sign(text *[2 * sha1.Size]byte, parts []string) []byte {
	var order [4]string
	sorted := append(order[:0], parts...)
	slices.Sort(sorted)
	hash := sha1.New() //nolint:gosec // the platform's protocol knows no other hash
	var chunk [256]byte
	for _, part := range sorted {
		for len(part) > 0 { // by chunks: turning the part into bytes at once would copy it to the heap
			n := copy(chunk[:], part)
			hash.Write(chunk[:n])
			part = part[n:]
		}
	}
	var sum [sha1.Size]byte
	hex.Encode(text[:], hash.Sum(sum[:0]))
	return text[:]
}

// SignPage returns the signature of a JS-SDK configuration: lower-case hex
// SHA-1 over the ticket, the nonce, the timestamp in Unix seconds and the
// address of the page as its script sees it. A fragment (#…) is left out.
func SignPage(ticket, nonce, timestamp, address string) string {
	address, _, _ = strings.Cut(address, "#")
	sum := sha1.Sum([]byte("jsapi_ticket=" + ticket + "&noncestr=" + nonce + "&timestamp=" + timestamp + "&url=" + address)) //nolint:gosec // as above
	return hex.EncodeToString(sum[:])
}
