package wechat_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/base64"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
)

// vectors are published examples of the message cryptography, by other
// people's programs; each names its origin.
type vectors struct {
	Signature []struct{ ID, Token, Timestamp, Nonce, Signature string } `json:"signature"`
	Messages  []struct {
		ID, Token, Timestamp, Nonce, Encrypt, Signature string

		MsgSignature string `json:"msg_signature"`
	} `json:"msg_signature"`
	Decrypt []struct {
		ID, Random, Encrypt, Message, Content, Token, Timestamp, Nonce string

		AESKey       string `json:"aes_key"`
		AppID        string `json:"app_id"`
		MsgSignature string `json:"msg_signature"`
		Pad          int
	} `json:"decrypt"`
	Pages []struct{ ID, Ticket, NonceStr, Timestamp, URL, Signature string } `json:"jssdk"`
}

func readVectors(tb testing.TB) vectors {
	tb.Helper()
	data, err := os.ReadFile("testdata/vectors.json")
	require.NoError(tb, err)
	var v vectors
	require.NoError(tb, json.Unmarshal(data, &v))
	require.Len(tb, v.Signature, 3)
	require.Len(tb, v.Messages, 5)
	require.Len(tb, v.Decrypt, 6)
	require.Len(tb, v.Pages, 1)
	return v
}

func TestPublishedSignatures(t *testing.T) {
	t.Parallel()
	all := readVectors(t)
	for _, v := range all.Signature {
		require.Equal(t, v.Signature, wechat.Sign(v.Token, v.Timestamp, v.Nonce), v.ID)
		require.True(t, wechat.Signed(v.Signature, v.Token, v.Timestamp, v.Nonce), v.ID)
		require.False(t, wechat.Signed(v.Signature, v.Token, v.Timestamp, v.Nonce+"0"), v.ID)
		require.False(t, wechat.Signed("", v.Token, v.Timestamp, v.Nonce), v.ID)
	}
	for _, v := range all.Messages {
		require.Equal(t, v.MsgSignature, wechat.Sign(v.Token, v.Timestamp, v.Nonce, v.Encrypt), v.ID)
		if v.Signature != "" {
			require.Equal(t, v.Signature, wechat.Sign(v.Token, v.Timestamp, v.Nonce), v.ID)
		}
	}
	for _, v := range all.Pages {
		require.Contains(t, v.URL, "#")
		require.Equal(t, v.Signature, wechat.SignPage(v.Ticket, v.NonceStr, v.Timestamp, v.URL), v.ID)
	}
}

func TestPublishedCiphertexts(t *testing.T) {
	t.Parallel()
	for _, v := range readVectors(t).Decrypt {
		t.Run(v.ID, func(t *testing.T) {
			t.Parallel()
			if v.AppID == "" { // T3 stands on the page of T2
				require.Equal(t, "T3", v.ID)
				v.AppID = "wxba5fad812f8e6fb9"
			}
			c, err := wechat.NewCipher(v.AESKey, v.AppID)
			require.NoError(t, err)
			message, err := c.Open(v.Encrypt)
			require.NoError(t, err)
			if v.Message != "" {
				require.Equal(t, v.Message, string(message))
			}
			if v.Content != "" {
				require.Contains(t, string(message), "<Content><![CDATA["+v.Content+"]]></Content>")
			}
			if v.Pad != 0 {
				require.Equal(t, v.Pad, 32-(20+len(message)+len(v.AppID))%32)
			}
			if v.MsgSignature != "" {
				require.Equal(t, v.MsgSignature, wechat.Sign(v.Token, v.Timestamp, v.Nonce, v.Encrypt))
			}
			if v.Random != "" {
				require.Len(t, v.Random, 16)
				require.Equal(t, v.Encrypt, c.SealWith([16]byte([]byte(v.Random)), message))
			}
			stranger, err := wechat.NewCipher(v.AESKey, "wx0000000000000000")
			require.NoError(t, err)
			_, err = stranger.Open(v.Encrypt)
			require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Denied, Code: "app_id"})
		})
	}
}

const (
	testAESKey = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
	testAppID  = "wxb11529c136998cb6"
)

// frame encrypts bytes that Seal would never produce.
func frame(tb testing.TB, plain []byte) string {
	tb.Helper()
	key, err := base64.StdEncoding.DecodeString(testAESKey + "=")
	require.NoError(tb, err)
	block, err := aes.NewCipher(key)
	require.NoError(tb, err)
	sealed := make([]byte, len(plain))
	cipher.NewCBCEncrypter(block, key[:16]).CryptBlocks(sealed, plain)
	return base64.StdEncoding.EncodeToString(sealed)
}

func TestOpenNamesTheStepThatFailed(t *testing.T) {
	t.Parallel()
	header := func(size ...byte) []byte { return append(make([]byte, 16), size...) }
	pad := func(plain []byte, with byte, n int) []byte { return append(plain, bytes.Repeat([]byte{with}, n)...) }
	c, err := wechat.NewCipher(testAESKey, testAppID)
	require.NoError(t, err)
	for name, test := range map[string]struct{ encrypt, code string }{
		"nothing":                         {"", "encrypt_length"},
		"no base64":                       {"?", "encrypt_encoding"},
		"half a block":                    {frame(t, make([]byte, 16)), "encrypt_length"},
		"a block and a half":              {frame(t, make([]byte, 48)), "encrypt_length"},
		"more than a push may hold":       {strings.Repeat("A", 64<<10+4), "encrypt_length"},
		"a pad of nothing":                {frame(t, make([]byte, 32)), "padding"},
		"a pad beyond the block":          {frame(t, bytes.Repeat([]byte{33}, 64)), "padding"},
		"a pad that differs":              {frame(t, append(make([]byte, 31), 2)), "padding"},
		"only a pad":                      {frame(t, bytes.Repeat([]byte{32}, 32)), "frame_length"},
		"a pad into the header":           {frame(t, pad(make([]byte, 16), 16, 16)), "frame_length"},
		"a length beyond the frame":       {frame(t, pad(header(0, 0, 0, 1), 12, 12)), "frame_length"},
		"a length beyond all":             {frame(t, pad(header(255, 255, 255, 255), 12, 12)), "frame_length"},
		"an app id that is cut":           {frame(t, pad(append(header(0, 0, 0, 0), testAppID[:12]...), 32, 32)), "app_id"},
		"an app id swallowed by a length": {frame(t, pad(append(header(0, 0, 0, 18), testAppID...), 26, 26)), "app_id"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := c.Open(test.encrypt)
			require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Denied, Code: test.code})
		})
	}
	honest, err := c.Open(frame(t, pad(append(header(0, 0, 0, 0), testAppID...), 26, 26)))
	require.NoError(t, err)
	require.Empty(t, honest)
}

func TestEveryLengthSurvivesTheCipher(t *testing.T) {
	t.Parallel()
	c, err := wechat.NewCipher(testAESKey, testAppID)
	require.NoError(t, err)
	for n := range 100 {
		message := bytes.Repeat([]byte{'m'}, n)
		sealed := c.Seal(message)
		require.NotEqual(t, sealed, c.Seal(message), "the frame is salted")
		opened, err := c.Open(sealed)
		require.NoError(t, err)
		require.Equal(t, message, append([]byte{}, opened...))
	}
}

func TestNewCipherRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ key, appID, code string }{
		"a short key":       {testAESKey[1:], testAppID, "bad_aes_key"},
		"a padded key":      {testAESKey + "=", testAppID, "bad_aes_key"},
		"a key with a line": {testAESKey[:42] + "\n", testAppID, "bad_aes_key"},
		"a key with a sign": {testAESKey[:42] + "+", testAppID, "bad_aes_key"},
		"no app id":         {testAESKey, "", "bad_app_id"},
	} {
		_, err := wechat.NewCipher(test.key, test.appID)
		require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Invalid, Code: test.code}, name)
		require.NotContains(t, err.Error(), testAESKey[:20], name)
	}
}

func FuzzCipherOpen(f *testing.F) {
	for _, v := range readVectors(f).Decrypt {
		raw, err := base64.StdEncoding.DecodeString(v.Encrypt)
		require.NoError(f, err)
		f.Add(raw)
	}
	f.Add(make([]byte, 32))
	c, err := wechat.NewCipher(testAESKey, testAppID)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, data []byte) {
		// As plaintext, to get past the padding, and as ciphertext.
		if n := len(data) / 32 * 32; n > 0 {
			if message, err := c.Open(frame(t, data[:n])); err == nil {
				require.Equal(t, frame(t, data[:n]), c.SealWith([16]byte(data), message), "what opens is a frame of ours")
			}
		}
		_, _ = c.Open(base64.StdEncoding.EncodeToString(data))
	})
}
