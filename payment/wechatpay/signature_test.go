package wechatpay_test

import (
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment/wechatpay"
)

// keyOf returns the n-th of a few keys that live as long as the test binary:
// making one takes longer than most tests.
var keyOf = func() func(n int) *rsa.PrivateKey {
	var mu sync.Mutex
	keys := map[int]*rsa.PrivateKey{}
	return func(n int) *rsa.PrivateKey {
		mu.Lock()
		defer mu.Unlock()
		if keys[n] == nil {
			key, err := rsa.GenerateKey(rand.Reader, 2048)
			if err != nil {
				panic(err)
			}
			keys[n] = key
		}
		return keys[n]
	}
}()

func TestMessagesHaveALineForEachPart(t *testing.T) {
	t.Parallel()
	s := wechatpay.Stamp{Unix: 1554208460, Nonce: "593BEC0C930BF1AFEB40B4A08C8FB242"}
	require.Equal(t, "GET\n/v3/certificates?a=b\n1554208460\n593BEC0C930BF1AFEB40B4A08C8FB242\n\n",
		string(wechatpay.RequestMessage("GET", "/v3/certificates?a=b", s, nil)))
	require.Equal(t, "1554208460\n593BEC0C930BF1AFEB40B4A08C8FB242\n{}\n", string(wechatpay.AnswerMessage(s, []byte("{}"))))
	require.Equal(t, "wx1\n1554208460\n593BEC0C930BF1AFEB40B4A08C8FB242\nprepay_id=wx2\n",
		string(wechatpay.PayMessage("wx1", s, "prepay_id=wx2")))
}

func TestASignatureVerifiesWithItsKeyOnly(t *testing.T) {
	t.Parallel()
	message := []byte("a message")
	signature, err := wechatpay.Sign(keyOf(0), message)
	require.NoError(t, err)
	require.NoError(t, wechatpay.Verify(&keyOf(0).PublicKey, message, signature))
	for name, bad := range map[string]string{
		"empty":           "",
		"not base64":      "%%%",
		"the probe":       "WECHATPAY/SIGNTEST/" + signature[19:],
		"cut":             signature[:len(signature)-4],
		"too long":        strings.Repeat("A", 4096),
		"with a new line": signature[:10] + "\n" + signature[10:],
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.ErrorIs(t, wechatpay.Verify(&keyOf(0).PublicKey, message, bad), wechatpay.ErrBadSignature)
		})
	}
	require.ErrorIs(t, wechatpay.Verify(&keyOf(1).PublicKey, message, signature), wechatpay.ErrBadSignature)
}

func TestSignatureHeadersAreRead(t *testing.T) {
	t.Parallel()
	s := wechatpay.Signature{Stamp: wechatpay.Stamp{Unix: 1722850421, Nonce: "n1"}, Serial: "PUB_KEY_ID_01", Value: "AAAA"}
	fresh := func() http.Header {
		h := http.Header{}
		s.Write(h)
		return h
	}
	require.Equal(t, wechatpay.Scheme, fresh().Get(wechatpay.HeaderType))
	got, err := wechatpay.ReadSignature(fresh())
	require.NoError(t, err)
	require.Equal(t, s, got)

	for name, spoil := range map[string]func(http.Header){
		"no serial":             func(h http.Header) { h.Del(wechatpay.HeaderSerial) },
		"an empty nonce":        func(h http.Header) { h.Set(wechatpay.HeaderNonce, "") },
		"two signatures":        func(h http.Header) { h.Add(wechatpay.HeaderSignature, "BBBB") },
		"a long serial":         func(h http.Header) { h.Set(wechatpay.HeaderSerial, strings.Repeat("A", 65)) },
		"a line in the nonce":   func(h http.Header) { h.Set(wechatpay.HeaderNonce, "a\nb") },
		"a time with a sign":    func(h http.Header) { h.Set(wechatpay.HeaderTimestamp, "+1722850421") },
		"a time with a zero":    func(h http.Header) { h.Set(wechatpay.HeaderTimestamp, "01722850421") },
		"a time before the sea": func(h http.Header) { h.Set(wechatpay.HeaderTimestamp, "-1") },
		"a time of words":       func(h http.Header) { h.Set(wechatpay.HeaderTimestamp, "now") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := fresh()
			spoil(h)
			_, err := wechatpay.ReadSignature(h)
			require.ErrorIs(t, err, wechatpay.ErrBadHeader)
		})
	}
}

func TestTheAuthorizationHeaderIsBuiltAndRead(t *testing.T) {
	t.Parallel()
	a := wechatpay.Authorization{
		Stamp: wechatpay.Stamp{Unix: 1554208460, Nonce: "593BEC0C"}, MerchantID: "1900009191", Serial: "1DDE55AD", Signature: "uOVR+/==",
	}
	const header = `WECHATPAY2-SHA256-RSA2048 mchid="1900009191",nonce_str="593BEC0C",timestamp="1554208460",serial_no="1DDE55AD",signature="uOVR+/=="`
	require.Equal(t, header, a.String())
	got, err := wechatpay.ParseAuthorization(header)
	require.NoError(t, err)
	require.Equal(t, a, got)

	got, err = wechatpay.ParseAuthorization(
		`WECHATPAY2-SHA256-RSA2048 signature="uOVR+/==", timestamp="1554208460", serial_no="1DDE55AD", mchid="1900009191", nonce_str="593BEC0C"`)
	require.NoError(t, err, "the order is free, and a blank after the comma")
	require.Equal(t, a, got)

	for name, bad := range map[string]string{
		"nothing":          "",
		"another scheme":   strings.Replace(header, "RSA2048", "RSA1024", 1),
		"a part missing":   strings.Replace(header, `serial_no="1DDE55AD",`, "", 1),
		"a part twice":     header + `,mchid="1900009191"`,
		"a stranger":       header + `,a="b"`,
		"no quotes":        strings.Replace(header, `"593BEC0C"`, `593BEC0C`, 1),
		"empty":            strings.Replace(header, `"593BEC0C"`, `""`, 1),
		"a quote within":   strings.Replace(header, `"593BEC0C"`, `"593"BEC0C"`, 1),
		"a line within":    strings.Replace(header, `"593BEC0C"`, "\"593\nBEC0C\"", 1),
		"a time of words":  strings.Replace(header, `"1554208460"`, `"today"`, 1),
		"longer than ever": header + strings.Repeat(" ", 2048),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := wechatpay.ParseAuthorization(bad)
			require.Equal(t, hospital.Invalid, hospital.KindOf(err), "%v", err)
		})
	}
}

func TestASealedTextOpensAgain(t *testing.T) {
	t.Parallel()
	_, err := wechatpay.NewCipher([]byte("sixteen bytes kk"))
	require.Equal(t, hospital.Invalid, hospital.KindOf(err))
	c, err := wechatpay.NewCipher([]byte("TESTING KEY 0123456789abcdefghij"))
	require.NoError(t, err)
	fresh := func() wechatpay.Sealed { return c.Seal("transaction", []byte(`{"a":1}`)) }
	plain, err := c.Open(fresh())
	require.NoError(t, err)
	require.Equal(t, `{"a":1}`, string(plain))
	first, second := fresh(), fresh()
	require.NotEqual(t, first.Nonce, second.Nonce)

	for name, spoil := range map[string]func(*wechatpay.Sealed){
		"no nonce":                func(s *wechatpay.Sealed) { s.Nonce = "" },
		"a nonce of 11 bytes":     func(s *wechatpay.Sealed) { s.Nonce = s.Nonce[:11] },
		"a nonce of 13 bytes":     func(s *wechatpay.Sealed) { s.Nonce += "x" },
		"another nonce":           func(s *wechatpay.Sealed) { s.Nonce = "abcdefghijkl" },
		"another algorithm":       func(s *wechatpay.Sealed) { s.Algorithm = "AEAD_SM4_GCM" },
		"no ciphertext":           func(s *wechatpay.Sealed) { s.Ciphertext = "" },
		"less than a tag":         func(s *wechatpay.Sealed) { s.Ciphertext = "AAAA" },
		"no base64":               func(s *wechatpay.Sealed) { s.Ciphertext = "%" + s.Ciphertext[1:] },
		"too much of it":          func(s *wechatpay.Sealed) { s.Ciphertext = strings.Repeat("A", 1<<20) },
		"other associated data":   func(s *wechatpay.Sealed) { s.AssociatedData = "refund" },
		"endless associated data": func(s *wechatpay.Sealed) { s.AssociatedData = strings.Repeat("a", 4096) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := fresh()
			spoil(&s)
			_, err := c.Open(s)
			require.ErrorIs(t, err, wechatpay.ErrNotOpened)
			if name == "less than a tag" {
				require.ErrorContains(t, err, "shorter than its tag")
			}
		})
	}
}
