package wechat_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
)

// TestEveryEventIsReadInBothFormats has one event a row, as XML and as JSON;
// both say the same.
// Source: developers.weixin.qq.com, 事件推送, 微信认证事件推送, 授权用户资料变更.
func TestEveryEventIsReadInBothFormats(t *testing.T) {
	t.Parallel()
	until := time.Unix(1442401156, 0).In(hospital.CST)
	for _, test := range []struct {
		event, xml, json string
		want             wechat.Content
	}{
		{
			"view_miniprogram", "<EventKey>pages/index</EventKey><MenuId>423</MenuId>", `,"EventKey":"pages/index","MenuId":423`,
			wechat.ViewMiniProgram{Page: "pages/index", MenuID: "423"},
		},
		{
			"scancode_push", "<EventKey>6</EventKey><ScanCodeInfo><ScanType>qrcode</ScanType><ScanResult>1</ScanResult></ScanCodeInfo>",
			`,"EventKey":"6","ScanCodeInfo":{"ScanType":"qrcode","ScanResult":"1"}`,
			wechat.ScanCode{Key: "6", Kind: "qrcode", Result: "1"},
		},
		{
			"scancode_waitmsg", "<EventKey>6</EventKey><ScanCodeInfo><ScanType>barcode</ScanType><ScanResult>CODE_128,就诊卡</ScanResult></ScanCodeInfo>",
			`,"EventKey":"6","ScanCodeInfo":{"ScanType":"barcode","ScanResult":"CODE_128,就诊卡"}`,
			wechat.ScanCode{Key: "6", Kind: "barcode", Result: "CODE_128,就诊卡", Waits: true},
		},
		{
			"pic_sysphoto", "<EventKey>6</EventKey><SendPicsInfo><Count>1</Count><PicList><item><PicMd5Sum>1b5f</PicMd5Sum></item></PicList></SendPicsInfo>",
			`,"EventKey":"6","SendPicsInfo":{"Count":1,"PicList":{"item":{"PicMd5Sum":"1b5f"}}}`,
			wechat.Pictures{Key: "6", Count: 1, MD5s: []string{"1b5f"}},
		},
		{
			"pic_photo_or_album", "<EventKey>6</EventKey><SendPicsInfo><Count>2</Count><PicList><item><PicMd5Sum>a</PicMd5Sum></item>\n<item><PicMd5Sum>b</PicMd5Sum></item></PicList></SendPicsInfo>",
			`,"EventKey":"6","SendPicsInfo":{"Count":2,"PicList":{"item":[{"PicMd5Sum":"a"},{"PicMd5Sum":"b"}]}}`,
			wechat.Pictures{Key: "6", Count: 2, MD5s: []string{"a", "b"}},
		},
		{
			"pic_weixin", "<EventKey>6</EventKey><SendPicsInfo><Count>2</Count><PicList><item><PicMd5Sum>a</PicMd5Sum></item><item><PicMd5Sum>b</PicMd5Sum></item></PicList></SendPicsInfo>",
			`,"EventKey":"6","SendPicsInfo":{"Count":2,"PicList":[{"PicMd5Sum":"a"},{"PicMd5Sum":"b"}]}`,
			wechat.Pictures{Key: "6", Count: 2, MD5s: []string{"a", "b"}},
		},
		{
			"location_select", "<EventKey>6</EventKey><SendLocationInfo><Location_X>31.57</Location_X><Location_Y>120.30</Location_Y><Scale>15</Scale><Label>中南路8号</Label><Poiname></Poiname></SendLocationInfo>",
			`,"EventKey":"6","SendLocationInfo":{"Location_X":"31.57","Location_Y":"120.30","Scale":"15","Label":"中南路8号","Poiname":""}`,
			wechat.LocationSelect{Key: "6", Latitude: "31.57", Longitude: "120.30", Scale: "15", Label: "中南路8号"},
		},
		{
			"MASSSENDJOBFINISH", "<MsgID>1000001625</MsgID><Status>err(30003)</Status><TotalCount>3</TotalCount><FilterCount>2</FilterCount><SentCount>1</SentCount><ErrorCount>1</ErrorCount>" +
				"<CopyrightCheckResult><Count>1</Count><ResultList><item><ArticleIdx>1</ArticleIdx><UserDeclareState>0</UserDeclareState><AuditState>2</AuditState>" +
				"<OriginalArticleUrl>https://o.example.com/1</OriginalArticleUrl><OriginalArticleType>1</OriginalArticleType><CanReprint>1</CanReprint>" +
				"<NeedReplaceContent>1</NeedReplaceContent><NeedShowReprintSource>1</NeedShowReprintSource></item></ResultList><CheckState>2</CheckState></CopyrightCheckResult>" +
				"<ArticleUrlResult><Count>2</Count><ResultList><item><ArticleIdx>1</ArticleIdx><ArticleUrl>https://mp.example.com/1</ArticleUrl></item>" +
				"<item><ArticleIdx>2</ArticleIdx><ArticleUrl>https://mp.example.com/2</ArticleUrl></item></ResultList></ArticleUrlResult>",
			`,"MsgID":1000001625,"Status":"err(30003)","TotalCount":3,"FilterCount":2,"SentCount":1,"ErrorCount":1,
				"CopyrightCheckResult":{"Count":1,"CheckState":2,"ResultList":[{"ArticleIdx":1,"UserDeclareState":0,"AuditState":2,"OriginalArticleUrl":"https://o.example.com/1",
				"OriginalArticleType":1,"CanReprint":1,"NeedReplaceContent":1,"NeedShowReprintSource":1}]},
				"ArticleUrlResult":{"Count":2,"ResultList":[{"ArticleIdx":1,"ArticleUrl":"https://mp.example.com/1"},{"ArticleIdx":2,"ArticleUrl":"https://mp.example.com/2"}]}`,
			wechat.MassSent{
				MsgID: 1000001625, Status: "err(30003)", Total: 3, Filtered: 2, Sent: 1, Failed: 1, CheckState: 2,
				Checks:   []wechat.OriginalCheck{{Index: 1, Audit: 2, OriginalURL: "https://o.example.com/1", OriginalType: 1, CanReprint: true, MustReplace: true, MustCredit: true}},
				Articles: []wechat.ArticleURL{{Index: 1, URL: "https://mp.example.com/1"}, {Index: 2, URL: "https://mp.example.com/2"}},
			},
		},
		{
			"MASSSENDJOBFINISH", "<MsgID>2</MsgID><Status>send success</Status><TotalCount>3</TotalCount><FilterCount>3</FilterCount><SentCount>3</SentCount><ErrorCount>0</ErrorCount>" +
				"<CopyrightCheckResult><Count>0</Count><ResultList></ResultList><CheckState>0</CheckState></CopyrightCheckResult>",
			`,"MsgID":"2","Status":"send success","TotalCount":3,"FilterCount":3,"SentCount":3,"ErrorCount":0,"CopyrightCheckResult":{"Count":0,"ResultList":[],"CheckState":0}`,
			wechat.MassSent{MsgID: 2, Status: "send success", Total: 3, Filtered: 3, Sent: 3},
		},
		{
			"PUBLISHJOBFINISH", "<PublishEventInfo><publish_id>2247503051</publish_id><publish_status>0</publish_status><article_id>b5O2</article_id><article_detail><count>2</count>" +
				"<item><idx>1</idx><article_url>https://mp.example.com/1</article_url></item><item><idx>2</idx><article_url>https://mp.example.com/2</article_url></item></article_detail></PublishEventInfo>",
			`,"PublishEventInfo":{"publish_id":2247503051,"publish_status":0,"article_id":"b5O2","article_detail":{"count":2,"item":[{"idx":1,"article_url":"https://mp.example.com/1"},{"idx":2,"article_url":"https://mp.example.com/2"}]}}`,
			wechat.Published{PublishID: "2247503051", ArticleID: "b5O2", Articles: []wechat.ArticleURL{{Index: 1, URL: "https://mp.example.com/1"}, {Index: 2, URL: "https://mp.example.com/2"}}},
		},
		{
			"PUBLISHJOBFINISH", "<PublishEventInfo><publish_id>P1</publish_id><publish_status>4</publish_status><fail_idx>1</fail_idx><fail_idx>3</fail_idx></PublishEventInfo>",
			`,"PublishEventInfo":{"publish_id":"P1","publish_status":4,"fail_idx":[1,3]}`,
			wechat.Published{PublishID: "P1", Status: 4, Failed: []int{1, 3}},
		},
		{"kf_create_session", "<KfAccount>test1@test</KfAccount>", `,"KfAccount":"test1@test"`, wechat.SessionCreated{Account: "test1@test"}},
		{"kf_close_session", "<KfAccount>test1@test</KfAccount>", `,"KfAccount":"test1@test"`, wechat.SessionClosed{Account: "test1@test"}},
		{
			"kf_switch_session", "<FromKfAccount>test1@test</FromKfAccount><ToKfAccount>test2@test</ToKfAccount>",
			`,"FromKfAccount":"test1@test","ToKfAccount":"test2@test"`,
			wechat.SessionSwitched{From: "test1@test", To: "test2@test"},
		},
		{
			"user_info_modified", "<OpenID>oUSER</OpenID><AppID>wx1</AppID><RevokeInfo>1</RevokeInfo>", `,"OpenID":"oUSER","AppID":"wx1","RevokeInfo":"1"`,
			wechat.UserInfoModified{User: "oUSER", AppID: "wx1", What: "1"},
		},
		{
			"user_authorization_revoke", "<OpenID>oUSER</OpenID><AppID>wx1</AppID><RevokeInfo>201</RevokeInfo>", `,"OpenID":"oUSER","AppID":"wx1","RevokeInfo":"201"`,
			wechat.AuthorizationRevoked{User: "oUSER", AppID: "wx1", What: "201"},
		},
		{
			"user_authorization_cancellation", "<OpenID>oUSER</OpenID><AppID>wx1</AppID>", `,"OpenID":"oUSER","AppID":"wx1"`,
			wechat.AuthorizationCancelled{User: "oUSER", AppID: "wx1"},
		},
		{"qualification_verify_success", "<ExpiredTime>1442401156</ExpiredTime>", `,"ExpiredTime":1442401156`, wechat.Verified{Expires: until}},
		{"naming_verify_success", "<ExpiredTime>1442401156</ExpiredTime>", `,"ExpiredTime":1442401156`, wechat.Verified{Naming: true, Expires: until}},
		{
			"qualification_verify_fail", "<FailTime>1442401156</FailTime><FailReason>材料不全</FailReason>", `,"FailTime":1442401156,"FailReason":"材料不全"`,
			wechat.VerificationFailed{At: until, Reason: "材料不全"},
		},
		{
			"naming_verify_fail", "<FailTime>1442401156</FailTime><FailReason>重名</FailReason>", `,"FailTime":1442401156,"FailReason":"重名"`,
			wechat.VerificationFailed{Naming: true, At: until, Reason: "重名"},
		},
		{"annual_renew", "<ExpiredTime>1442401156</ExpiredTime>", `,"ExpiredTime":1442401156`, wechat.VerificationDue{Expires: until}},
		{"verify_expired", "<ExpiredTime>1442401156</ExpiredTime>", `,"ExpiredTime":1442401156`, wechat.VerificationDue{Lapsed: true, Expires: until}},
	} {
		for _, text := range []string{xmlEvent(test.event, test.xml), jsonEvent(test.event, test.json)} {
			push, err := wechat.ParsePush(text)
			require.NoError(t, err, text)
			require.Equal(t, test.want, push.Content, text)
			require.Equal(t, test.event, push.Event)
		}
	}
	require.True(t, wechat.MassSent{Status: "send success"}.Succeeded())
	require.False(t, wechat.MassSent{Status: "err(10001)"}.Succeeded())
}

func TestAnEventThatSaysNothingUsefulIsRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ event, rest, detail string }{
		{"MASSSENDJOBFINISH", "<Status>send success</Status>", "MsgID"},
		{"MASSSENDJOBFINISH", "<MsgID>1</MsgID><SentCount>many</SentCount>", "SentCount"},
		{"PUBLISHJOBFINISH", "", "publish_id"},
		{"PUBLISHJOBFINISH", "<PublishEventInfo><publish_id>1</publish_id><fail_idx>x</fail_idx></PublishEventInfo>", "fail_idx"},
		{"user_authorization_revoke", "<AppID>wx1</AppID>", "OpenID"},
		{"verify_expired", "<ExpiredTime>tomorrow</ExpiredTime>", "ExpiredTime"},
		{"pic_weixin", "<SendPicsInfo><Count>-1</Count></SendPicsInfo>", "Count"},
	} {
		_, err := wechat.ParsePush(xmlEvent(test.event, test.rest))
		require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Invalid, Code: "bad_field"}, test.event)
		require.ErrorContains(t, err, test.detail)
	}
}

func TestAnUnknownPushCanBeReadAllTheSame(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		xmlEvent("wxa_media_check", "<EventKey>k</EventKey><all><detail><label>100</label></detail><detail><label>200</label></detail></all><empty/>"),
		jsonEvent("wxa_media_check", `,"EventKey":"k","all":{"detail":[{"label":100},{"label":200}]},"empty":null`),
	} {
		push, err := wechat.ParsePush(text)
		require.NoError(t, err)
		unknown, ok := push.Content.(wechat.Unknown)
		require.True(t, ok)
		require.Equal(t, "k", unknown.EventKey)
		require.Equal(t, "100", unknown.Text("all", "detail", "label"))
		require.Empty(t, unknown.Text("all", "nothing"))
		require.Empty(t, unknown.Text("empty"))
		require.Equal(t, []wechat.Field{
			{Name: "all", Fields: []wechat.Field{
				{Name: "detail", Fields: []wechat.Field{{Name: "label", Text: "100"}}}, {Name: "detail", Fields: []wechat.Field{{Name: "label", Text: "200"}}},
			}},
			{Name: "empty"},
		}, unknown.Fields[len(unknown.Fields)-2:])
	}
}

func TestWhatAMessageFromAnArticleCarriesIsKept(t *testing.T) {
	t.Parallel()
	push, err := wechat.ParsePush("<xml>" + envelopeXML + "<MsgType>text</MsgType><MsgId>1</MsgId><MsgDataId>m-7</MsgDataId><Idx>2</Idx></xml>")
	require.NoError(t, err)
	require.Equal(t, "m-7", push.DataID)
	require.Equal(t, "2", push.Index)
}

// TestTwoUsersOfOneSecondAreTwoPushes: what the platform itself says has one
// sender for everybody, so the person it is about tells two pushes apart.
func TestTwoUsersOfOneSecondAreTwoPushes(t *testing.T) {
	t.Parallel()
	heard := 0
	callback := newCallback(t, func(c *wechat.CallbackConfig) {
		inMode(wechat.Plain)(c)
		c.Handle = func(context.Context, wechat.Push) (wechat.Reply, error) {
			heard++
			return nil, nil
		}
	})
	for i, body := range []string{
		xmlEvent("user_authorization_revoke", "<OpenID>oA</OpenID><RevokeInfo>1</RevokeInfo>"),
		xmlEvent("user_authorization_revoke", "<OpenID>oB</OpenID><RevokeInfo>1</RevokeInfo>"),
		xmlEvent("user_authorization_revoke", "<OpenID>oB</OpenID><RevokeInfo>1</RevokeInfo>"), // delivered again
		xmlEvent("kf_switch_session", "<FromKfAccount>a@h</FromKfAccount><ToKfAccount>b@h</ToKfAccount>"),
		xmlEvent("kf_switch_session", "<FromKfAccount>b@h</FromKfAccount><ToKfAccount>a@h</ToKfAccount>"),
	} {
		require.Equal(t, "success", plainly(now, string(rune('a'+i)), body).send(callback).Body.String())
	}
	require.Equal(t, 4, heard)
}
