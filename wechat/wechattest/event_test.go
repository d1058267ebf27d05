package wechattest_test

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

func TestWhatAPersonSendsCanBeFetched(t *testing.T) {
	t.Parallel()
	inbox := &inbox{}
	a := callbackTo(t, inbox, wechattest.Config{Mode: wechat.Plain})
	f := a.follower("陈素心")
	var pushed struct {
		MsgType, MediaID, ThumbMediaID, PicURL, Format, Recognition string
	}
	read := func() {
		var raw struct {
			MsgType     string `xml:"MsgType"`
			Media       string `xml:"MediaId"`
			Thumb       string `xml:"ThumbMediaId"`
			Pic         string `xml:"PicUrl"`
			Format      string `xml:"Format"`
			Recognition string `xml:"Recognition"`
		}
		require.NoError(t, xml.Unmarshal([]byte(inbox.last()), &raw))
		pushed.MsgType, pushed.MediaID, pushed.ThumbMediaID = raw.MsgType, raw.Media, raw.Thumb
		pushed.PicURL, pushed.Format, pushed.Recognition = raw.Pic, raw.Format, raw.Recognition
	}
	token := a.token()
	fetch := func(id string) string {
		return a.ask(http.MethodGet, "/cgi-bin/media/get", "", "access_token", token, "media_id", id).Body.String()
	}

	require.NoError(t, f.SendImage(t.Context(), []byte(png)))
	read()
	require.Equal(t, "image", pushed.MsgType)
	require.Contains(t, pushed.PicURL, pushed.MediaID)
	require.Equal(t, png, fetch(pushed.MediaID))
	require.NoError(t, f.SendVoice(t.Context(), []byte(amr), "我要挂号"))
	read()
	require.Equal(t, []string{"voice", "amr", "我要挂号"}, []string{pushed.MsgType, pushed.Format, pushed.Recognition})
	require.Equal(t, amr, fetch(pushed.MediaID))
	require.NoError(t, f.SendVideo(t.Context(), []byte(mp4), []byte(jpg), true))
	read()
	require.Equal(t, "shortvideo", pushed.MsgType)
	require.Equal(t, jpg, fetch(pushed.ThumbMediaID))

	require.ErrorIs(t, f.SendImage(t.Context(), []byte(mp4)), &hospital.Error{Kind: hospital.Invalid, Code: "bad_file"})
	require.NoError(t, f.Unfollow(t.Context()))
	before := inbox.count()
	require.ErrorIs(t, f.SendLink(t.Context(), "t", "d", "u"), &hospital.Error{Kind: hospital.Rejected, Code: "not_following"})
	require.ErrorIs(t, f.ReportPosition(t.Context(), "1", "2", "3"), &hospital.Error{Kind: hospital.Rejected, Code: "not_following"})
	require.Equal(t, before, inbox.count())
}

func TestMenuButtonsThatOpenACamera(t *testing.T) {
	t.Parallel()
	inbox := &inbox{}
	a := callbackTo(t, inbox, wechattest.Config{Mode: wechat.Plain, Format: wechat.JSON})
	require.Zero(t, a.post("/cgi-bin/menu/create", `{"button":[{"type":"scancode_waitmsg","name":"扫码","key":"scan"},
		{"type":"pic_weixin","name":"照片","key":"pic"},{"type":"location_select","name":"位置","key":"place"}]}`).Code)
	f := a.follower("陈素心")
	require.NoError(t, f.ScanFromMenu(t.Context(), "扫码", "barcode", "CODE_128,1"))
	require.Contains(t, inbox.last(), `"Event":"scancode_waitmsg","EventKey":"scan","ScanCodeInfo":{"ScanType":"barcode","ScanResult":"CODE_128,1"}`)
	before := inbox.count()
	require.NoError(t, f.PicturesFromMenu(t.Context(), "照片", []byte(png), []byte(jpg)))
	require.Equal(t, before+3, inbox.count(), "the event and two messages")
	require.Contains(t, inbox.bodies[before], `"SendPicsInfo":{"Count":2,"PicList":{"item":[{"PicMd5Sum":"`)
	require.NoError(t, f.PlaceFromMenu(t.Context(), "位置", "31.57", "120.30", "中南路8号"))
	require.Contains(t, inbox.bodies[before+3], `"SendLocationInfo":{"Location_X":"31.57"`)
	require.Contains(t, inbox.last(), `"MsgType":"location"`)

	require.ErrorIs(t, f.ScanFromMenu(t.Context(), "照片", "qrcode", "1"), &hospital.Error{Kind: hospital.Rejected, Code: "no_tap"})
	require.ErrorIs(t, f.ScanFromMenu(t.Context(), "没有", "qrcode", "1"), &hospital.Error{Kind: hospital.NotFound, Code: "no_button"})
	require.ErrorIs(t, f.PicturesFromMenu(t.Context(), "照片"), &hospital.Error{Kind: hospital.Invalid, Code: "bad_file"})
}

func TestAnEventThatNoPushCanCarryIsRefused(t *testing.T) {
	t.Parallel()
	inbox := &inbox{}
	a := callbackTo(t, inbox, wechattest.Config{})
	f := a.follower("陈素心")
	deep := wechattest.Field{Name: "A"}
	for range 9 {
		deep = wechattest.Field{Name: "A", Fields: []wechattest.Field{deep}}
	}
	before := inbox.count()
	for name, event := range map[string]wechattest.Event{
		"no name":               {},
		"a field without name":  {Name: "x", Fields: []wechattest.Field{{Text: "1"}}},
		"a name that is markup": {Name: "x", Fields: []wechattest.Field{{Name: "A><B", Text: "1"}}},
		"a number that is none": {Name: "x", Fields: []wechattest.Field{{Name: "A", Text: "1</A>", Number: true}}},
		"nine levels":           {Name: "x", Fields: []wechattest.Field{deep}},
	} {
		require.ErrorIs(t, f.Push(t.Context(), event), &hospital.Error{Kind: hospital.Invalid, Code: "bad_event"}, name)
		require.ErrorIs(t, a.Push(t.Context(), event), &hospital.Error{Kind: hospital.Invalid, Code: "bad_event"}, name)
	}
	require.Equal(t, before, inbox.count())
}

func TestTheControlSurfacePushesAnyEvent(t *testing.T) {
	t.Parallel()
	inbox := &inbox{}
	site := wechattest.Start(t, wechattest.Config{Mode: wechat.Plain})
	site.CallbackTo(inbox)
	f := site.Follower(t.Context(), "陈素心")
	text, err := json.Marshal(wechattest.KfSwitchSession("a@h", "b@h"))
	require.NoError(t, err)
	status, body := steer(t, site, "POST", "/_sim/push", "openid", f.OpenID(), "event", string(text))
	require.Equal(t, http.StatusOK, status, body)
	require.Contains(t, inbox.last(), "<Event><![CDATA[kf_switch_session]]></Event><FromKfAccount><![CDATA[a@h]]></FromKfAccount>")
	require.Contains(t, inbox.last(), f.OpenID())
	status, _ = steer(t, site, "POST", "/_sim/push", "event", `{"name":"verify_expired","fields":[{"name":"ExpiredTime","text":"1442401156","number":true}]}`)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, inbox.last(), "<ExpiredTime>1442401156</ExpiredTime>")
	require.NotContains(t, inbox.last(), f.OpenID())
	for _, wrong := range []string{"", "[]", `{"nam":"x"}`, `{"name":""}`} {
		status, body = steer(t, site, "POST", "/_sim/push", "event", wrong)
		require.Equal(t, http.StatusBadRequest, status)
		require.Contains(t, body, `"code":"bad_event"`)
	}
}
