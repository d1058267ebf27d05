package wechat_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

// idOf is the follower as the client names them.
func idOf(f *wechattest.Follower) wechat.OpenID { return wechat.OpenID(f.OpenID()) }

// refusalOf is what the platform said.
func refusalOf(tb testing.TB, err error) *wechat.Refusal {
	tb.Helper()
	refusal, ok := errors.AsType[*wechat.Refusal](err)
	require.True(tb, ok, "%v", err)
	return refusal
}

func TestFollowersAreListedPageByPage(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	client := s.client(t, nil)
	for _, err := range client.ListUsers(t.Context()) {
		require.Fail(t, "nobody follows", "%v", err)
	}
	const followers = 10_001 // one more than a page
	for range followers {
		s.follower(t, "甲")
	}
	seen := map[wechat.OpenID]bool{}
	for id, err := range client.ListUsers(t.Context()) {
		require.NoError(t, err)
		seen[id] = true
	}
	require.Len(t, seen, followers)
	require.NoError(t, s.Break(wechattest.Fault{Kind: wechattest.Dead, Path: "/cgi-bin/user/get"}))
	failures := 0
	for _, err := range client.ListUsers(t.Context()) {
		require.Equal(t, hospital.Unavailable, hospital.KindOf(err))
		failures++
	}
	require.Equal(t, 1, failures)
}

func TestFollowersAreTaggedRemarkedAndBarred(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	client := s.client(t, nil)
	a, b := s.follower(t, "甲"), s.follower(t, "乙")
	tag, err := client.CreateTag(t.Context(), "孕产")
	require.NoError(t, err)
	require.Equal(t, wechat.Tag{ID: 100, Name: "孕产"}, tag)
	require.NoError(t, client.TagUsers(t.Context(), tag.ID, []wechat.OpenID{idOf(a), idOf(b)}))
	require.NoError(t, client.UntagUsers(t.Context(), tag.ID, []wechat.OpenID{idOf(a)}))
	require.NoError(t, client.RenameTag(t.Context(), tag.ID, "产科"))
	tags, err := client.ListTags(t.Context())
	require.NoError(t, err)
	require.Equal(t, wechat.Tag{ID: 100, Name: "产科", Count: 1}, tags[1])
	of, err := client.TagsOf(t.Context(), idOf(b))
	require.NoError(t, err)
	require.Equal(t, []int64{100}, of)
	var tagged []wechat.OpenID
	for id, err := range client.ListTagged(t.Context(), tag.ID) {
		require.NoError(t, err)
		tagged = append(tagged, id)
	}
	require.Equal(t, []wechat.OpenID{idOf(b)}, tagged)

	require.NoError(t, client.RemarkUser(t.Context(), idOf(b), "乙床 <3>"))
	require.NoError(t, a.Unfollow(t.Context()))
	users, err := client.FindUsers(t.Context(), []wechat.OpenID{idOf(b), idOf(a)})
	require.NoError(t, err)
	require.Equal(t, "乙床 <3>", users[0].Remark)
	require.Equal(t, []int64{100}, users[0].Tags)
	require.Equal(t, wechat.User{OpenID: idOf(a)}, users[1])

	require.NoError(t, client.BarUsers(t.Context(), []wechat.OpenID{idOf(b)}))
	barred := func() (all []wechat.OpenID) {
		for id, err := range client.ListBarred(t.Context()) {
			require.NoError(t, err)
			all = append(all, id)
		}
		return all
	}
	require.Equal(t, []wechat.OpenID{idOf(b)}, barred())
	require.NoError(t, client.UnbarUsers(t.Context(), []wechat.OpenID{idOf(b)}))
	require.Empty(t, barred())

	require.NoError(t, client.DeleteTag(t.Context(), tag.ID))
	for _, err := range client.ListTagged(t.Context(), tag.ID) {
		require.Equal(t, "45159", hospital.CodeOf(err))
	}
	err = client.TagUsers(t.Context(), 99, []wechat.OpenID{idOf(b)})
	require.Equal(t, "45159", hospital.CodeOf(err))
	require.NotContains(t, err.Error(), b.OpenID())
	require.NotContains(t, s.log.String(), b.OpenID())
}

func TestAQRCodeTellsWhichOneWasScanned(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	client := s.client(t, nil)
	for name, test := range map[string]struct {
		code  wechat.QRCode
		scene string
	}{
		"a number for a while":  {wechat.QRCode{SceneID: 4_294_967_295, Life: time.Minute}, "4294967295"},
		"a name for a while":    {wechat.QRCode{Scene: "desk <&>", Life: 30 * 24 * time.Hour}, "desk <&>"},
		"a number for good":     {wechat.QRCode{SceneID: 100_000}, "100000"},
		"a name that stays too": {wechat.QRCode{Scene: "ward-3"}, "ward-3"},
	} {
		made, err := client.CreateQRCode(t.Context(), test.code)
		require.NoError(t, err, name)
		require.Equal(t, test.code.Life == 0, made.ExpiresAt.IsZero(), name)
		if test.code.Life != 0 {
			require.WithinDuration(t, time.Now().Add(test.code.Life), made.ExpiresAt, 10*time.Second, name)
		}
		stranger, err := s.Join("路人")
		require.NoError(t, err)
		require.NoError(t, stranger.ScanCode(t.Context(), client.QRCodeURL(made.Ticket)), name)
		user, err := client.FindUser(t.Context(), idOf(stranger))
		require.NoError(t, err)
		require.Equal(t, test.scene, user.Scene, name)
		require.Equal(t, "ADD_SCENE_QR_CODE", user.Source)
		require.NoError(t, stranger.ScanCode(t.Context(), made.Content))
		picture, err := client.FetchQRCode(t.Context(), made.Ticket)
		require.NoError(t, err)
		_, err = png.Decode(bytes.NewReader(picture.Data))
		require.NoError(t, err)
	}
	_, err := client.FetchQRCode(t.Context(), "unknown")
	require.ErrorIs(t, err, &hospital.Error{Kind: hospital.NotFound, Code: "http_404"})
}

func TestAShortKeyStandsForItsText(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	client := s.client(t, nil)
	key, err := client.Shorten(t.Context(), "楼层 <&> 3", time.Hour)
	require.NoError(t, err)
	long, err := client.Lengthen(t.Context(), key)
	require.NoError(t, err)
	require.Equal(t, "楼层 <&> 3", long.Text)
	require.True(t, long.Left > 59*time.Minute && long.Left <= time.Hour)
	require.WithinDuration(t, time.Now(), long.CreatedAt, 10*time.Second)
	_, err = client.Lengthen(t.Context(), "unknown")
	require.Equal(t, "9410012", hospital.CodeOf(err))
}

func TestConditionalMenusAreAddedMatchedAndDeleted(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *wechattest.Config) { c.MiniPrograms = []string{"wxmini"} })
	client := s.client(t, nil)
	f := s.follower(t, "陈素心")
	tag, err := client.CreateTag(t.Context(), "孕产")
	require.NoError(t, err)
	shown, err := client.ShownMenu(t.Context())
	require.NoError(t, err)
	require.Equal(t, wechat.ShownMenu{}, shown)
	some := wechat.ConditionalMenu{
		Menu: wechat.Menu{Buttons: []wechat.Button{{Name: "产检", Type: "click", Key: "CHECK"}, testMenu().Buttons[0], testMenu().Buttons[1]}},
		Rule: wechat.MatchRule{Tag: tag.ID, Platform: wechat.PlatformAndroid},
	}
	_, err = client.AddConditionalMenu(t.Context(), some.Menu, some.Rule)
	require.Equal(t, "65303", hospital.CodeOf(err), "there is none for everybody")
	require.NoError(t, client.PublishMenu(t.Context(), testMenu()))
	some.ID, err = client.AddConditionalMenu(t.Context(), some.Menu, some.Rule)
	require.NoError(t, err)

	matched, err := client.MatchMenu(t.Context(), idOf(f))
	require.NoError(t, err)
	require.Equal(t, "预约挂号", matched.Buttons[0].Name)
	require.NoError(t, client.TagUsers(t.Context(), tag.ID, []wechat.OpenID{idOf(f)}))
	matched, err = client.MatchMenu(t.Context(), idOf(f))
	require.NoError(t, err)
	require.Equal(t, "产检", matched.Buttons[0].Name)
	everybody, all, err := client.Menus(t.Context())
	require.NoError(t, err)
	require.Len(t, everybody.Buttons, 2)
	require.Len(t, all, 1)
	require.Equal(t, some.ID, all[0].ID)
	require.Equal(t, some.Rule, all[0].Rule)
	require.Equal(t, asJSON(t, some.Buttons), asJSON(t, all[0].Buttons), "every kind of button as it was meant")
	_, err = client.MatchMenu(t.Context(), testOpenID)
	require.Equal(t, "65302", hospital.CodeOf(err))

	shown, err = client.ShownMenu(t.Context())
	require.NoError(t, err)
	require.True(t, shown.Open)
	require.Equal(t, wechat.ShownButton{Name: "预约挂号", Type: "view", URL: "https://h.example.com/book?a=1&b=2"}, shown.Buttons[0])
	require.Equal(t, wechat.ShownButton{Name: "小程序", Type: "miniprogram", URL: "https://h.example.com/old", AppID: "wxmini", Page: "pages/index"}, shown.Buttons[1].Sub[2])

	require.NoError(t, client.DeleteConditionalMenu(t.Context(), some.ID))
	require.Equal(t, "65301", hospital.CodeOf(client.DeleteConditionalMenu(t.Context(), some.ID)))
	_, err = client.AddConditionalMenu(t.Context(), some.Menu, some.Rule)
	require.NoError(t, err)
	require.NoError(t, client.DeleteMenu(t.Context()))
	_, _, err = client.Menus(t.Context())
	require.ErrorIs(t, err, wechat.ErrNoMenu, "the conditional ones went with it")
}

func TestQuotasRefusalsAndTheCallbackAreLookedInto(t *testing.T) {
	t.Parallel()
	const users = "/cgi-bin/user/info/updateremark"
	s := newSite(t, func(c *wechattest.Config) {
		c.Quotas = map[string]wechattest.Quota{users: {Day: 2, Minute: 9}}
		c.APIIPs = []string{"101.226.212.27"}
	})
	client := s.client(t, nil)
	f := s.follower(t, "陈素心")
	remark := func() error { return client.RemarkUser(t.Context(), idOf(f), "甲") }
	require.NoError(t, remark())
	quota, err := client.FindQuota(t.Context(), users)
	require.NoError(t, err)
	require.Equal(t, wechat.Quota{Limit: 2, Used: 1, Left: 1, RateCalls: 9, RateEvery: time.Minute}, quota)
	_, err = client.FindQuota(t.Context(), "/cgi-bin/nothing")
	require.Equal(t, "76021", hospital.CodeOf(err))
	for _, again := range []func() error{
		func() error { return client.ClearQuota(t.Context()) },
		func() error { return client.ClearQuotaOf(t.Context(), users) },
		func() error { return client.ClearQuotaBySecret(t.Context()) },
	} {
		for remark() == nil {
			continue // until the day is used up
		}
		require.Equal(t, wechat.ClassQuota, wechat.ClassOf(remark()))
		require.NoError(t, again())
		require.NoError(t, remark())
	}

	err = client.RemarkUser(t.Context(), testOpenID, "甲")
	refusal := refusalOf(t, err)
	call, err := client.FindRefused(t.Context(), refusal.RID)
	require.NoError(t, err)
	require.Contains(t, call.Answer, refusal.RID)
	require.Contains(t, call.Body, `"remark":"甲"`)
	require.WithinDuration(t, time.Now(), call.At, time.Minute)
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("call", "call", call)
	require.NotContains(t, log.String(), testOpenID)
	_, err = client.FindRefused(t.Context(), "61725984-6126f6f9-040f19c4")
	require.Equal(t, "76001", hospital.CodeOf(err))

	ips, err := client.APIIPs(t.Context())
	require.NoError(t, err)
	require.Equal(t, "[101.226.212.27/32]", fmt.Sprint(ips))
	_, err = client.CheckCallback(t.Context(), wechat.CallbackCheck{})
	require.Equal(t, "40201", hospital.CodeOf(err))
	require.NoError(t, s.SetCallback("http://10.0.0.7/wechat"))
	report, err := client.CheckCallback(t.Context(), wechat.CallbackCheck{Operator: "UNICOM"})
	require.NoError(t, err)
	require.Equal(t, "10.0.0.7", report.Resolved[0].IP.String())
	require.Equal(t, "UNICOM", report.Pinged[0].From)
	require.True(t, report.Pinged[0].Arrived)
}

func TestAMiniProgramLogsItsUserIn(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *wechattest.Config) { c.MiniPrograms = []string{"wxmini"} })
	f := s.follower(t, "陈素心")
	secret, err := s.MiniSecret("wxmini")
	require.NoError(t, err)
	client := s.client(t, func(c *wechat.Config) { c.AppID, c.Secret = "wxmini", secret })
	code, err := f.MiniLogin("wxmini")
	require.NoError(t, err)
	who, err := client.FinishMiniLogin(t.Context(), code)
	require.NoError(t, err)
	require.NotEqual(t, idOf(f), who.OpenID)
	require.NotEmpty(t, who.UnionID)
	require.Equal(t, "***", who.SessionKey.LogValue().String())
	_, err = client.FinishMiniLogin(t.Context(), code)
	require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Denied, Code: "40163"})
	require.NotContains(t, err.Error(), code)
	_, err = s.client(t, nil).FinishMiniLogin(t.Context(), code)
	require.Equal(t, "40013", hospital.CodeOf(err), "the account's own app id")
	require.NoError(t, f.Suspect(true))
	code, err = f.MiniLogin("wxmini")
	require.NoError(t, err)
	_, err = client.FinishMiniLogin(t.Context(), code)
	require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Rejected, Code: "40226"}, "another wx.login would not help")
	require.Equal(t, wechat.AdviceOtherWay, wechat.AdviceOf(err))
	require.Zero(t, s.tokenCalls(), "it goes without a token")
	require.NotContains(t, s.log.String(), string(who.SessionKey))
}

func TestALoginIsProlongedAndChecked(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, f := newLoginSite(t)
		login := newLogin(t, s.client(t, nil), func(c *wechat.LoginConfig) { c.Scope = wechat.ScopeUserInfo })
		link, err := login.Begin("session")
		require.NoError(t, err)
		who, err := login.Finish(t.Context(), "session", through(t, f, link, true))
		require.NoError(t, err)
		require.NoError(t, login.Check(t.Context(), who))
		<-time.After(2 * time.Hour)
		require.Equal(t, "42001", hospital.CodeOf(login.Check(t.Context(), who)))
		fresh, err := login.Refresh(t.Context(), who)
		require.NoError(t, err)
		require.Equal(t, who.OpenID, fresh.OpenID)
		require.NoError(t, login.Check(t.Context(), fresh))
		profile, err := login.Profile(t.Context(), fresh)
		require.NoError(t, err)
		require.Equal(t, "陈素心", profile.Nickname)
		<-time.After(30 * 24 * time.Hour)
		_, err = login.Refresh(t.Context(), fresh)
		require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Denied, Code: "42002"})
		_, err = login.Refresh(t.Context(), wechat.Identity{})
		require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Denied, Code: "scope"})
		require.NotContains(t, s.log.String(), f.OpenID())
	})
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(text)
}
