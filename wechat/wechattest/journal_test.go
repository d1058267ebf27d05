package wechattest_test

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

func TestARestartForgetsNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	inbox := &inbox{}
	config := wechattest.Config{
		Dir: dir, Callback: "http://hospital.example", HTTPClient: inProcess(inbox), Mode: wechat.Plain, Domains: []string{"hospital.example"},
		Quotas: map[string]wechattest.Quota{"/cgi-bin/menu/delete": {Day: 1}},
	}
	a := open(t, config)
	f := a.follower("陈素心")
	stable, classic, ticket := a.stable(false).Token, a.classic().Token, a.get("/cgi-bin/ticket/getticket", "type", "jsapi").raw
	require.Zero(t, a.get("/cgi-bin/menu/delete").Code)
	require.Zero(t, a.post("/cgi-bin/menu/create", `{"button":[{"type":"click","name":"挂号","key":"book"}]}`).Code)
	require.NoError(t, f.Say(t.Context(), "在吗"))
	require.NoError(t, f.Subscribe(t.Context(), true, "queue"))
	used, unused := a.authorize(f, "snsapi_base"), a.authorize(f, "snsapi_base")
	session := a.exchange(used)
	sent := a.post(templatePath, send(f.OpenID(), "booked", bookedData+`,"client_msg_id":"m1"`))
	ours := a.Account()
	require.Equal(t, 1, a.Pending())
	require.NoError(t, f.Subscribe(t.Context(), true, "report"))
	require.NoError(t, f.Unsubscribe(t.Context(), "report"))
	chat := f.Chat()
	require.NoError(t, a.Close())
	file := filepath.Join(dir, "wechat.journal")
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, append(data, `{"seq":99,"torn`...), 0o600))

	b := open(t, config)
	require.Equal(t, ours, b.Account())
	require.Equal(t, stable, b.stable(false).Token)
	require.Zero(t, b.works(classic))
	require.Equal(t, ticket, b.get("/cgi-bin/ticket/getticket", "type", "jsapi").raw)
	require.Equal(t, 45009, b.get("/cgi-bin/menu/delete").Code)
	require.Contains(t, b.get("/cgi-bin/menu/get").raw, "挂号")
	person, err := b.Find(f.OpenID())
	require.NoError(t, err)
	require.Equal(t, chat, person.Chat())
	require.Equal(t, 40163, b.exchange(used).Code)
	require.Zero(t, b.exchange(unused).Code)
	require.Zero(t, b.sns("/sns/auth", "access_token", session.Access, "openid", session.OpenID).Code)
	require.Equal(t, sent.MsgID, b.post(templatePath, send(f.OpenID(), "booked", bookedData+`,"client_msg_id":"m1"`)).MsgID)
	require.Zero(t, b.post(subscribePath, send(f.OpenID(), "queue", `"data":{"number1":{"value":"1"}}`)).Code)
	require.Equal(t, 43101, b.post(subscribePath, send(f.OpenID(), "report", `"data":{"thing1":{"value":"血常规"}}`)).Code, "what was taken away stays away")
	require.Equal(t, 43101, b.post(subscribePath, send(f.OpenID(), "queue", `"data":{"number1":{"value":"1"}}`)).Code)
	b.clock.Pass(time.Second)
	_, err = b.Advance(t.Context())
	require.NoError(t, err)
	require.Zero(t, b.Pending())
	require.Contains(t, strings.Join(inbox.bodies, ""), "TEMPLATESENDJOBFINISH")
	other, err := b.Join("新人")
	require.NoError(t, err)
	require.NotEqual(t, f.OpenID(), other.OpenID())
}

func TestARestartMakesNoFourthDelivery(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	var a *account
	config := wechattest.Config{Dir: t.TempDir(), Callback: "http://hospital.example", HTTPClient: inProcess(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if calls.Add(1) == 3 {
			_ = a.Close() // the process ends before the third answer
		}
		w.WriteHeader(http.StatusInternalServerError)
	}))}
	a = open(t, config)
	f, err := a.Join("陈素心")
	require.NoError(t, err)
	require.ErrorIs(t, f.Follow(t.Context()), &hospital.Error{Kind: hospital.Unavailable, Code: "closed"})
	b := open(t, config)
	require.Equal(t, 1, b.Pending())
	_, err = b.Advance(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 3, calls.Load())
	person, err := b.Find(f.OpenID())
	require.NoError(t, err)
	require.Len(t, person.Chat(), 1)
	require.Equal(t, fault, person.Chat()[0].Text)
}

func TestAJournalThatCannotBeReadIsAnError(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ text, says string }{
		"torn in the middle": {"{\"seq\":1,\n{\"seq\":2}\n", "line 1 cannot be read"},
		"a line is missing":  {"{\"seq\":2}\n", "line 1 cannot be read: it carries number 2"},
		"an unknown shelf":   {"{\"seq\":1,\"rows\":[{\"s\":\"cards\",\"k\":\"1\"}]}\n", `line 1 cannot be read: it names the unknown shelf "cards"`},
		"another shape":      {"{\"seq\":1,\"rows\":[{\"s\":\"tokens\",\"k\":\"1\",\"v\":[]}]}\n", "line 1 cannot be read: shelf tokens"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			require.NoError(t, os.WriteFile(filepath.Join(dir, "wechat.journal"), []byte(test.text), 0o600))
			_, err := wechattest.New(wechattest.Config{Dir: dir})
			require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Internal, Code: "bad_journal"})
			require.ErrorContains(t, err, test.says)
		})
	}
}

func TestAClosedPlatformPromisesNothing(t *testing.T) {
	t.Parallel()
	a := open(t, wechattest.Config{Dir: t.TempDir()})
	f := a.follower("陈素心")
	token := a.token()
	require.NoError(t, a.Close())
	require.NoError(t, a.Close())
	require.Equal(t, -1, a.works(token))
	require.ErrorIs(t, f.Say(t.Context(), "在吗"), &hospital.Error{Kind: hospital.Unavailable, Code: "closed"})
	require.NoError(t, a.Run(t.Context()))
}

func TestNewNamesTheBadField(t *testing.T) {
	t.Parallel()
	for field, config := range map[string]wechattest.Config{
		"Mode":        {Mode: 9},
		"Format":      {Format: 9},
		"PushTimeout": {PushTimeout: -1},
		"Callback":    {Callback: "hospital.example"},
		"Token":       {Token: "ab"},
		"AESKey":      {AESKey: "short"},
		"Templates":   {Templates: []wechattest.Template{{ID: "a", Content: "no fields"}}},
	} {
		_, err := wechattest.New(config)
		require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Invalid, Code: "bad_config"}, field)
		require.ErrorContains(t, err, field)
	}
}
