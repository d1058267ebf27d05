package interop_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	ours "github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

// runNode runs a script of the folder node with value as JSON on its stdin and
// returns its stdout.
func runNode(t *testing.T, node, modules, script string, value any, args ...string) []byte {
	t.Helper()
	stdin, err := json.Marshal(value)
	require.NoError(t, err)
	limit, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	command := exec.CommandContext(limit, node, append([]string{filepath.Join("node", script)}, args...)...)
	command.Env = append(os.Environ(), "NODE_PATH="+modules)
	command.Stdin = bytes.NewReader(stdin)
	var said, complained bytes.Buffer
	command.Stdout, command.Stderr = &said, &complained
	require.NoError(t, command.Run(), "%s%s", said.Bytes(), complained.Bytes())
	return said.Bytes()
}

// TestNodeEasyWeChat lets a Node SDK judge the platform, from its own process:
// calls, pushes and replies. Its login library sends the parameters of the
// link in an order that the documentation does not allow.
func TestNodeEasyWeChat(t *testing.T) {
	t.Parallel()
	npmPackage(t, "node-socialite", "1.4.1")
	node, modules := npmPackage(t, "node-easywechat", "3.6.2")
	site := wechattest.Start(t, wechattest.Config{Templates: officialTemplates(), Domains: []string{"hospital.example"}, AnyOrder: true})
	running, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- site.Run(running) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-ended)
	})
	t.Cleanup(func() { t.Log(site.MalformedReply()) })
	said := runNode(t, node, modules, "wechat.js", site.Account(), site.URL)
	require.Empty(t, site.MalformedReply())
	require.Equal(t, []string{
		"tokens", "ticket", "menu", "receiver in safe mode", "users", "template and customer message", "login", "revoked by another system",
	}, strings.Split(strings.TrimSpace(string(said)), "\n"))
}

// TestWeChatCrypto lets the Node package that most servers use, and ours, open
// what the other has sealed.
func TestWeChatCrypto(t *testing.T) {
	t.Parallel()
	node, modules := npmPackage(t, "wechat-crypto", "0.0.2")
	account := benchAccount()
	cipher, err := ours.NewCipher(account.AESKey, account.AppID)
	require.NoError(t, err)
	type sealed struct {
		Encrypt   string `json:"encrypt"`
		Timestamp string `json:"timestamp"`
		Nonce     string `json:"nonce"`
	}
	var texts []string
	var messages []sealed
	for n := range 40 { // every pad from 1 to 32
		text := "<xml>" + strings.Repeat("中", n%3) + strings.Repeat("a", n) + "</xml>"
		texts = append(texts, text)
		messages = append(messages, sealed{cipher.Seal([]byte(text)), "1795571808", "260774613"})
	}
	said := runNode(t, node, modules, "wechat-crypto.js", map[string]any{
		"token": account.Token, "key": account.AESKey, "appID": account.AppID, "messages": messages,
	})
	var answers []struct{ Message, ID, Signature, Encrypt, EncryptSignature string }
	require.NoError(t, json.Unmarshal(said, &answers))
	require.Len(t, answers, len(texts))
	for i, answer := range answers {
		require.Equal(t, texts[i], answer.Message)
		require.Equal(t, account.AppID, answer.ID)
		require.Equal(t, ours.Sign(account.Token, messages[i].Timestamp, messages[i].Nonce, messages[i].Encrypt), answer.Signature)
		opened, err := cipher.Open(answer.Encrypt)
		require.NoError(t, err)
		require.Equal(t, texts[i], string(opened))
		require.True(t, ours.Signed(answer.EncryptSignature, account.Token, messages[i].Timestamp, messages[i].Nonce, answer.Encrypt))
	}
}
