package wechatpay_test

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital/payment/wechatpay"
)

// vectors are published test values, each with its origin. They hold no
// private key.
type vectors struct {
	Keys   map[string]string `json:"keys"`
	Verify []signedVector    `json:"verify"`
	Notify []signedVector    `json:"notify"`
	AESGCM []struct {
		Source     string `json:"source"`
		Key        string `json:"key"`
		Nonce      string `json:"nonce"`
		AAD        string `json:"aad"`
		Ciphertext string `json:"ciphertext"`
		Plaintext  string `json:"plaintext"`
	} `json:"aesgcm"`
	Certificates []struct {
		APIv3Key string `json:"apiv3key"`
		Serial   string `json:"serial_no"`
		Body     string `json:"body"`
		PEM      string `json:"pem"`
	} `json:"certificates"`
}

type signedVector struct {
	Name      string `json:"name"`
	PubKey    string `json:"pubkey"`
	Cert      string `json:"cert"`
	Serial    string `json:"serial"`
	APIv3Key  string `json:"apiv3key"`
	Timestamp string `json:"timestamp"`
	Nonce     string `json:"nonce"`
	Body      string `json:"body"`
	Signature string `json:"signature"`
	Plaintext string `json:"plaintext"`
}

func readVectors(tb testing.TB) vectors {
	tb.Helper()
	data, err := os.ReadFile("testdata/vectors.json")
	require.NoError(tb, err)
	var v vectors
	require.NoError(tb, json.Unmarshal(data, &v))
	return v
}

// key returns the public key of a PEM certificate or public key.
func (v vectors) key(tb testing.TB, name string) *rsa.PublicKey {
	tb.Helper()
	block, _ := pem.Decode([]byte(v.Keys[name]))
	require.NotNil(tb, block, name)
	if block.Type == "CERTIFICATE" {
		cert, err := x509.ParseCertificate(block.Bytes)
		require.NoError(tb, err)
		key, ok := cert.PublicKey.(*rsa.PublicKey)
		require.True(tb, ok)
		return key
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	require.NoError(tb, err)
	key, ok := parsed.(*rsa.PublicKey)
	require.True(tb, ok)
	return key
}

func (s signedVector) stamp(tb testing.TB) wechatpay.Stamp {
	tb.Helper()
	unix, err := strconv.ParseInt(s.Timestamp, 10, 64)
	require.NoError(tb, err)
	return wechatpay.Stamp{Unix: unix, Nonce: s.Nonce}
}

func TestPublishedSignaturesVerify(t *testing.T) {
	t.Parallel()
	v := readVectors(t)
	require.Len(t, v.Verify, 1)
	require.Len(t, v.Notify, 1)
	for _, s := range append(v.Verify, v.Notify...) {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			key := v.key(t, s.PubKey+s.Cert)
			message := wechatpay.AnswerMessage(s.stamp(t), []byte(s.Body))
			require.NoError(t, wechatpay.Verify(key, message, s.Signature))
			message[0]++
			require.ErrorIs(t, wechatpay.Verify(key, message, s.Signature), wechatpay.ErrBadSignature)
		})
	}
}

func TestPublishedCiphertextsOpen(t *testing.T) {
	t.Parallel()
	v := readVectors(t)
	require.Len(t, v.AESGCM, 2)
	for _, a := range v.AESGCM {
		t.Run(a.Source, func(t *testing.T) {
			t.Parallel()
			c, err := wechatpay.NewShortCipher([]byte(a.Key))
			require.NoError(t, err)
			sealed := wechatpay.Sealed{
				Algorithm: wechatpay.Algorithm, Nonce: a.Nonce, AssociatedData: a.AAD, Ciphertext: a.Ciphertext,
			}
			plain, err := c.Open(sealed)
			require.NoError(t, err)
			require.Equal(t, a.Plaintext, string(plain))
			sealed.AssociatedData += "x"
			_, err = c.Open(sealed)
			require.ErrorIs(t, err, wechatpay.ErrNotOpened)
		})
	}
}

func TestThePublishedNotificationOpens(t *testing.T) {
	t.Parallel()
	n := readVectors(t).Notify[0]
	var body struct {
		Resource wechatpay.Sealed `json:"resource"`
	}
	require.NoError(t, json.Unmarshal([]byte(n.Body), &body))
	c, err := wechatpay.NewShortCipher([]byte(n.APIv3Key))
	require.NoError(t, err)
	plain, err := c.Open(body.Resource)
	require.NoError(t, err)
	require.Equal(t, n.Plaintext, string(plain))
}

func TestThePublishedCertificateOpens(t *testing.T) {
	t.Parallel()
	v := readVectors(t).Certificates[0]
	var body struct {
		Data []struct {
			Serial      string           `json:"serial_no"`
			Certificate wechatpay.Sealed `json:"encrypt_certificate"`
		} `json:"data"`
	}
	require.NoError(t, json.Unmarshal([]byte(v.Body), &body))
	require.Equal(t, v.Serial, body.Data[0].Serial)
	c, err := wechatpay.NewShortCipher([]byte(v.APIv3Key))
	require.NoError(t, err)
	plain, err := c.Open(body.Data[0].Certificate)
	require.NoError(t, err)
	require.Equal(t, strings.TrimSpace(v.PEM), strings.TrimSpace(string(plain)))
}
