package wechatpay

import (
	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment"
)

// NewShortCipher is a cipher with a key of any AES length: the published
// vectors use 16 bytes, which no merchant has.
func NewShortCipher(key []byte) (*Cipher, error) { return newCipher(key) }

// OpenNotice reads a notification whose signature nobody looked at: a private
// operation for every input would leave a fuzzer little time.
func (c *Channel) OpenNotice(body []byte) (payment.Notice, error) { return c.openNotice(body) }

// Read is what the strict reader takes out of a transaction.
type Read struct {
	AppID, OutTradeNo, Currency string
	Total                       hospital.Fen
}

// ReadTransaction reads a transaction.
func ReadTransaction(text string) (Read, bool) {
	t, ok := readTransaction([]byte(text))
	return Read{t.appID, t.outTradeNo, t.currency, t.total}, ok
}
