package main

import (
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/payment/wechatpay"
)

// far is the far sides in a program of their own, as a server meets them.
type far struct {
	*testing.T

	Addresses map[string]string
	files     string
	stop      func()
}

// startFar starts the program and waits until it says that it is ready.
func startFar(t *testing.T, data string) *far {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ready, ended := make(chan struct{}), make(chan error, 1)
	f := &far{T: t, files: filepath.Join(t.TempDir(), "credentials")}
	file := filepath.Join(t.TempDir(), "ready.json")
	out := terminal{on: "已就绪", act: func() { close(ready) }}
	go func() {
		ended <- run(ctx, []string{"-far-only", "-data", data, "-now", monday, "-credentials", f.files, "-ready-file", file}, noEnv, &out)
	}()
	stopped := false
	f.stop = func() {
		if cancel(); !stopped {
			stopped = true
			require.NoError(t, <-ended)
		}
	}
	t.Cleanup(f.stop)
	select {
	case <-ready:
	case err := <-ended:
		require.FailNow(t, "the far sides ended", err)
	}
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &f.Addresses))
	return f
}

// secret reads one of the JSON files.
func (f *far) secret(name string) map[string]string {
	f.Helper()
	text, err := os.ReadFile(filepath.Join(f.files, name))
	require.NoError(f, err)
	var values map[string]string
	require.NoError(f, json.Unmarshal(text, &values))
	return values
}

// post asks one of the platforms.
func (f *far) post(address, body string) (answer string) {
	f.Helper()
	r, err := http.NewRequestWithContext(f.Context(), http.MethodPost, address, strings.NewReader(body))
	require.NoError(f, err)
	response, err := http.DefaultTransport.RoundTrip(r)
	require.NoError(f, err)
	defer func() { require.NoError(f, response.Body.Close()) }()
	text, err := io.ReadAll(response.Body)
	require.NoError(f, err)
	return string(text)
}

// TestAServerInAnotherProcessFindsEveryFarSide uses nothing but what the program
// wrote: addresses and credentials.
func TestAServerInAnotherProcessFindsEveryFarSide(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	f := startFar(t, data)
	require.Len(t, f.Addresses, 5)
	entries, err := os.ReadDir(f.files)
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		info, err := e.Info()
		require.NoError(t, err)
		require.Equal(t, fs.FileMode(0o600), info.Mode(), e.Name())
		names = append(names, e.Name())
	}
	require.Equal(t, []string{
		"hospital.yaml", "merchant_cert.pem", "merchant_key.pem", "platform_cert.pem", "wechat.json", "wechatpay.json", "wechatpay_public_key.pem",
	}, names)

	account := f.secret("wechat.json")
	for _, name := range []string{"appid", "secret", "token", "aes_key", "original_id"} {
		require.NotEmpty(t, account[name], name)
	}
	token := f.post(f.Addresses["wechat_api"]+"/cgi-bin/stable_token",
		`{"grant_type":"client_credential","appid":"`+account["appid"]+`","secret":"`+account["secret"]+`"}`)
	require.Contains(t, token, "access_token")

	merchant := f.secret("wechatpay.json")
	for _, name := range []string{"mchid", "appid", "merchant_serial", "api_v3_key", "public_key_id", "platform_serial"} {
		require.NotEmpty(t, merchant[name], name)
	}
	config, err := wechatpay.Files{
		MerchantKey:         filepath.Join(f.files, "merchant_key.pem"),
		MerchantCertificate: filepath.Join(f.files, "merchant_cert.pem"),
		PublicKey:           filepath.Join(f.files, "wechatpay_public_key.pem"),
		PlatformCertificates: []string{
			filepath.Join(f.files, "platform_cert.pem"),
		},
	}.Fill(wechatpay.Config{
		AppID: merchant["appid"], MerchantID: merchant["mchid"], APIv3Key: []byte(merchant["api_v3_key"]),
		PublicKeyID: merchant["public_key_id"], BaseURL: f.Addresses["wechat_pay"], NotifyURL: "http://127.0.0.1:1/notice",
	})
	require.NoError(t, err)
	require.Equal(t, merchant["merchant_serial"], config.MerchantSerial)
	channel, err := wechatpay.New(config)
	require.NoError(t, err)
	_, err = channel.Query(t.Context(), "nobody-prepaid-this")
	require.Equal(t, hospital.NotFound, hospital.KindOf(err), "both signatures were believed: %v", err)

	desk, err := his.NewClient(his.Config{BaseURL: f.Addresses["his"]})
	require.NoError(t, err)
	t.Cleanup(desk.CloseIdle)
	first, err := desk.Ping(t.Context())
	require.NoError(t, err)
	require.Equal(t, "2026-11-23", hospital.DateOf(first).String())

	control := strings.TrimSuffix(f.Addresses["his"], "/his") + "/_sim/"
	require.Contains(t, f.post(control+"clock?forward=24h", ""), "2026-11-24")
	require.Contains(t, f.post(control+"clock?to=2026-11-20T08:00:00Z", ""), "2026-11-24", "time does not go back")
	require.Contains(t, f.post(control+"clock?to=tomorrow", ""), "bad_order")
	require.Contains(t, f.post(control+"fail?fault=answer_lost&op=Ping&times=1", ""), "null")
	err = run(t.Context(), []string{"-far-only", "-data", data}, noEnv, &terminal{})
	require.ErrorContains(t, err, "正被另一个进程使用", "two would write one journal")
	f.stop()

	again := startFar(t, data)
	require.Equal(t, account, again.secret("wechat.json"), "the account is the same after a restart")
	require.Equal(t, merchant, again.secret("wechatpay.json"))
	desk, err = his.NewClient(his.Config{BaseURL: again.Addresses["his"]})
	require.NoError(t, err)
	t.Cleanup(desk.CloseIdle)
	later, err := desk.Ping(t.Context())
	require.NoError(t, err)
	require.False(t, later.Before(first.Add(24*time.Hour)), "and so is business time: %v", later)
}
