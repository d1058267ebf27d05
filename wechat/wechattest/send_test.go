package wechattest_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

// desk is a platform with everything that sends.
func desk(tb testing.TB, edit func(*wechattest.Config)) *account {
	tb.Helper()
	keywords := []wechattest.LibraryKeyword{
		{ID: 1, Name: "就诊人", Rule: "thing", Example: "陈素心"},
		{ID: 2, Name: "时间", Rule: "time", Example: "15:01"},
		{ID: 3, Name: "科室", Rule: "thing", Example: "针灸科"},
		{ID: 4, Name: "序号", Rule: "number", Example: "7"},
		{ID: 5, Name: "地点", Rule: "thing", Example: "三楼"},
		{ID: 6, Name: "备注", Rule: "thing", Example: "空腹"},
	}
	config := wechattest.Config{
		Library: []wechattest.LibraryTemplate{
			{Number: "47123", Title: "预约成功通知", Keywords: keywords},
			{Number: "901", Title: "就诊提醒", Kind: wechattest.LongTerm, Category: 616, Keywords: keywords},
		},
		Categories:      []wechattest.Category{{ID: 616, Name: "公立医疗机构"}},
		OneTimeTemplate: "O", Cards: []string{"card1"}, Assistant: true, MiniPrograms: []string{"wx111"}, WeChatID: "wxhospital",
		Quotas: map[string]wechattest.Quota{"/cgi-bin/message/mass/sendall": {}, "/cgi-bin/message/mass/send": {}, "/cgi-bin/message/mass/preview": {}},
	}
	if edit != nil {
		edit(&config)
	}
	return open(tb, config)
}

// wrong is a body that a path refuses, and with what.
type wrong struct {
	body string
	code int
}

// refuses posts each body and wants its errcode.
func (a *account) refuses(path string, cases map[string]wrong) {
	a.tb.Helper()
	for name, test := range cases {
		got := a.post(path, test.body)
		require.Equal(a.tb, test.code, got.Code, "%s: %s: %s", path, name, got.raw)
		if test.code != 0 {
			require.NotContains(a.tb, got.Text, "request refused", name)
		}
	}
}

func TestTemplateAdministrationRefuses(t *testing.T) {
	t.Parallel()
	a := desk(t, nil)
	const add, drop, industry = "/cgi-bin/template/api_add_template", "/cgi-bin/template/del_private_template", "/cgi-bin/template/api_set_industry"
	a.refuses(add, map[string]wrong{
		"an unknown field":       {`{"template_id_short":"47123","keyword_name_list":["科室"],"keywords":[]}`, 47001},
		"a number for a text":    {`{"template_id_short":47123,"keyword_name_list":["科室"]}`, 47001},
		"no number":              {`{"keyword_name_list":["科室"]}`, 40037},
		"an unknown number":      {`{"template_id_short":"1","keyword_name_list":["科室"]}`, 40037},
		"a subscription's entry": {`{"template_id_short":"901","keyword_name_list":["科室"]}`, 40037},
		"no keywords":            {`{"template_id_short":"47123"}`, 40246},
		"an unknown keyword":     {`{"template_id_short":"47123","keyword_name_list":["科室","病房"]}`, 40246},
		"a keyword twice":        {`{"template_id_short":"47123","keyword_name_list":["科室","科室"]}`, 40246},
	})
	for range 25 - 2 { // two stand in the Config
		require.Zero(t, a.post(add, `{"template_id_short":"47123","keyword_name_list":["科室"]}`).Code)
	}
	require.Equal(t, 45026, a.post(add, `{"template_id_short":"47123","keyword_name_list":["科室"]}`).Code)
	a.refuses(drop, map[string]wrong{
		"no id": {`{}`, 40037}, "an unknown id": {`{"template_id":"x"}`, 40037}, "a subscription": {`{"template_id":"report"}`, 40037}, "another name": {`{"priTmplId":"booked"}`, 47001},
	})
	a.refuses(industry, map[string]wrong{
		"one only": {`{"industry_id1":"22"}`, 40102}, "the same twice": {`{"industry_id1":"22","industry_id2":"22"}`, 40102},
		"out of the list": {`{"industry_id1":"22","industry_id2":"42"}`, 40102}, "a word": {`{"industry_id1":"医","industry_id2":"1"}`, 47001},
		"bare numbers": {`{"industry_id1":22,"industry_id2":24}`, 0},
	})
	require.Equal(t, 43100, a.post(industry, `{"industry_id1":"22","industry_id2":"24"}`).Code)
}

func TestSubscriptionAdministrationRefuses(t *testing.T) {
	t.Parallel()
	a := desk(t, nil)
	const add, drop, titles = "/wxaapi/newtmpl/addtemplate", "/wxaapi/newtmpl/deltemplate", "/wxaapi/newtmpl/getpubtemplatetitles"
	form := func(path, body string) answer {
		return read(t, a.send(path, "application/x-www-form-urlencoded", body, "access_token", a.token()))
	}
	for body, code := range map[string]int{
		"kidList=1&kidList=2":         200014,
		"tid=1&kidList=1&kidList=2":   200014,
		"tid=901&kidList=1":           200020,
		"tid=901&kidList=1&kidList=9": 200020,
		"tid=901&kidList=1&kidList=1": 200020,
		"tid=901&kidList=1&kidList=2&kidList=3&kidList=4&kidList=5&kidList=6":      200020,
		"tid=901&kidList=1&kidList=2&sceneDesc=" + strings.Repeat("%E5%AD%97", 16): 200021,
		"tid=901&kidList=1&kidList=2&scene=a":                                      47001,
		"tid=%zz":                                                                  47001,
		"tid=901&kidList=1&kidList=2&sceneDesc=" + strings.Repeat("%E5%AD%97", 15): 0,
		"tid=901&kidList%5B0%5D=1&kidList%5B1%5D=2":                                0,
	} {
		got := form(add, body)
		require.Equal(t, code, got.Code, "%s: %s", body, got.raw)
	}
	require.Contains(t, form(add, "kidList=1").Text, "missing parameter tid rid: ")
	require.Zero(t, a.post(add, `{"tid":"901","kidList":[1,2],"sceneDesc":"就诊"}`).Code, "libraries send JSON")
	require.Equal(t, 47001, a.post(add, `{"tid":"901","kidlist":[1,2]}`).Code)
	for range 50 - 3 - 2 {
		require.Zero(t, form(add, "tid=901&kidList=1&kidList=2").Code)
	}
	require.Equal(t, 200012, form(add, "tid=901&kidList=1&kidList=2").Code, "fifty are enough")
	require.Equal(t, 200014, form(drop, "priTmplId=booked").Code)
	require.Zero(t, form(drop, "priTmplId=report").Code)
	require.Zero(t, form(add, "tid=901&kidList=1&kidList=2").Code, "there is room again")
	for _, test := range []struct {
		ids, start, limit string
		code              int
	}{
		{"616", "-1", "30", 200016},
		{"616", "", "30", 200016},
		{"616", "0", "31", 200017},
		{"616", "0", "0", 200017},
		{"", "0", "30", 200018},
		{"616,2", "0", "30", 200019},
		{"a", "0", "30", 200019},
		{"616", "5", "30", 0},
	} {
		require.Equal(t, test.code, a.get(titles, "ids", test.ids, "start", test.start, "limit", test.limit).Code, "%+v", test)
	}
	require.Equal(t, 200014, a.get("/wxaapi/newtmpl/getpubtemplatekeywords", "tid", "47123").Code)
}

func TestAOneTimeMessageIsRefused(t *testing.T) {
	t.Parallel()
	a := desk(t, nil)
	f := a.follower("陈素心")
	body := func(edit string, args ...any) string {
		base := `{"touser":"` + f.OpenID() + `","template_id":"O","scene":"7","title":"报告","data":{"content":{"value":"已出"}}}`
		old, fresh, _ := strings.Cut(fmt.Sprintf(edit, args...), " => ")
		require.Contains(t, base, old)
		return strings.Replace(base, old, fresh, 1)
	}
	a.refuses("/cgi-bin/message/template/subscribe", map[string]wrong{
		"an unknown openid": {body(`%s => o0`, f.OpenID()), 40003},
		"another template":  {body(`"O" => "T"`), 40037},
		"no scene":          {body(`"scene":"7", => `), 40097},
		"a scene too high":  {body(`"7" => 10001`), 40097},
		"a title of 16":     {body(`"报告" => "%s"`, strings.Repeat("字", 16)), 47003},
		"no content":        {body(`已出 => `), 47003},
		"a content of 201":  {body(`已出 => %s`, strings.Repeat("字", 201)), 47003},
		"a second field":    {body(`"data":{ => "data":{"first":{"value":"a"},`), 47003},
		"an unknown field":  {body(`"title" => "page":"a","title"`), 47001},
		"no agreement":      {body(`"报告" => "报告"`), 43101},
		"a foreign program": {body(`"title" => "miniprogram":{"appid":"wx2","pagepath":"a"},"title"`), 40166},
	})
	for what, link := range map[string]string{
		"action": "action=ask", "appid": "action=get_confirm&appid=wx", "scene": "action=get_confirm&appid=" + a.Account().AppID + "&scene=10001",
		"template_id":  "action=get_confirm&scene=1&template_id=T&appid=" + a.Account().AppID,
		"redirect_url": "action=get_confirm&scene=1&template_id=O&redirect_url=https%3A%2F%2Felsewhere.example&appid=" + a.Account().AppID,
	} {
		_, err := f.AnswerOneTime("https://mp.weixin.qq.com/mp/subscribemsg?"+link+"#wechat_redirect", true)
		require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Rejected, Code: "bad_parameter"}, what)
		require.ErrorContains(t, err, what)
	}
}

func TestEveryKindOfCustomerMessageIsChecked(t *testing.T) {
	t.Parallel()
	a := desk(t, nil)
	f := a.follower("陈素心")
	picture, voice, thumb := a.keep("image", png), a.keep("voice", mp3), a.keep("thumb", jpg)
	film := a.keep("video", mp4)
	say := func(kind, body string) string {
		return fmt.Sprintf(`{"touser":%q,"msgtype":%q,%q:%s}`, f.OpenID(), kind, kind, body)
	}
	cases := map[string]wrong{
		"another object":          {fmt.Sprintf(`{"touser":%q,"msgtype":"text","image":{"media_id":"a"}}`, f.OpenID()), 44004},
		"an unknown object":       {fmt.Sprintf(`{"touser":%q,"msgtype":"text","text":{"content":"a"},"to":"b"}`, f.OpenID()), 47001},
		"an unknown member":       {say("text", `{"content":"a","contents":"b"}`), 47001},
		"no type":                 {fmt.Sprintf(`{"touser":%q,"text":{"content":"a"}}`, f.OpenID()), 40008},
		"a picture without id":    {say("image", `{}`), 41006},
		"a voice for a picture":   {say("image", `{"media_id":"`+voice+`"}`), 40007},
		"a picture for a voice":   {say("voice", `{"media_id":"`+picture+`"}`), 40007},
		"a film without thumb":    {say("video", `{"media_id":"`+film+`"}`), 41006},
		"a film's thumb, a voice": {say("video", `{"media_id":"`+film+`","thumb_media_id":"`+voice+`"}`), 40007},
		"music without address":   {say("music", `{"thumb_media_id":"`+thumb+`"}`), 40048},
		"music without thumb":     {say("music", `{"musicurl":"http://a.cn","hqmusicurl":"http://a.cn"}`), 41006},
		"no news":                 {say("news", `{"articles":[]}`), 44003},
		"two news":                {say("news", `{"articles":[{"title":"a","url":"http://a.cn"},{"title":"b","url":"http://a.cn"}]}`), 45008},
		"news without title":      {say("news", `{"articles":[{"url":"http://a.cn"}]}`), 40035},
		"news without address":    {say("news", `{"articles":[{"title":"a","url":"a"}]}`), 40048},
		"news with a bad picture": {say("news", `{"articles":[{"title":"a","url":"http://a.cn","picurl":"a"}]}`), 40048},
		"no draft":                {say("mpnews", `{"media_id":"`+picture+`"}`), 40007},
		"no publication":          {say("mpnewsarticle", `{"article_id":"a"}`), 40007},
		"a menu without entries":  {say("msgmenu", `{"head_content":"a"}`), 40035},
		"an entry without words":  {say("msgmenu", `{"head_content":"a","list":[{"id":"1"}]}`), 40035},
		"an entry's id twice":     {say("msgmenu", `{"head_content":"a","list":[{"id":"1","content":"a"},{"id":"1","content":"b"}]}`), 40035},
		"an unknown coupon":       {say("wxcard", `{"card_id":"a"}`), 40073},
		"no mini program":         {say("miniprogrampage", `{"title":"a","thumb_media_id":"`+thumb+`"}`), 40166},
		"a foreign mini program":  {say("miniprogrampage", `{"title":"a","appid":"wx2","pagepath":"p","thumb_media_id":"`+thumb+`"}`), 40166},
		"no page":                 {say("miniprogrampage", `{"title":"a","appid":"wx111","thumb_media_id":"`+thumb+`"}`), 40165},
		"no thumb":                {say("miniprogrampage", `{"title":"a","appid":"wx111","pagepath":"p"}`), 41006},
		"an unknown agent":        {fmt.Sprintf(`{"touser":%q,"msgtype":"text","text":{"content":"a"},"customservice":{"kf_account":"a@b"}}`, f.OpenID()), 65401},
	}
	a.refuses("/cgi-bin/message/custom/send", cases)
	require.Empty(t, f.Chat(), "nothing came, and nothing of the credit was spent")
	for range 3 {
		require.Zero(t, a.post("/cgi-bin/message/custom/send", say("text", `{"content":"a"}`)).Code)
	}
	a.refuses("/cgi-bin/message/custom/typing", map[string]wrong{
		"an unknown command": {`{"touser":"` + f.OpenID() + `","command":"typing"}`, 45072},
		"an unknown openid":  {`{"touser":"o0","command":"Typing"}`, 40003},
		"an unknown field":   {`{"touser":"` + f.OpenID() + `","command":"Typing","kf":"a"}`, 47001},
	})
	a.clock.Pass(31 * time.Second)
	require.Equal(t, 45080, a.post("/cgi-bin/message/custom/typing", `{"touser":"`+f.OpenID()+`","command":"Typing"}`).Code)
	a.clock.Pass(3 * 24 * time.Hour)
	require.NoError(t, f.Say(t.Context(), "在吗"))
	require.Equal(t, 40007, a.post("/cgi-bin/message/custom/send", say("image", `{"media_id":"`+picture+`"}`)).Code, "the file has ended")
}

// keep uploads a file and returns its id.
func (a *account) keep(kind, data string) string {
	a.tb.Helper()
	contentType, body := form(a.tb, "media", "a", data)
	var got struct {
		ID    string `json:"media_id"`
		Thumb string `json:"thumb_media_id"`
	}
	w := a.send("/cgi-bin/media/upload", contentType, body, "access_token", a.token(), "type", kind)
	require.NoError(a.tb, json.Unmarshal(w.Body.Bytes(), &got))
	require.NotEmpty(a.tb, got.ID+got.Thumb, w.Body.String())
	return got.ID + got.Thumb
}

func TestOnlyATapThatSpeaksOpensAWindow(t *testing.T) {
	t.Parallel()
	a := desk(t, nil)
	f := a.follower("陈素心")
	require.Zero(t, a.post("/cgi-bin/menu/create", `{"button":[{"type":"view","name":"页","url":"http://a.cn"},{"type":"scancode_push","name":"扫","key":"s"},{"type":"location_select","name":"地","key":"l"}]}`).Code)
	write := func() int {
		return a.post("/cgi-bin/message/custom/send", `{"touser":"`+f.OpenID()+`","msgtype":"text","text":{"content":"a"}}`).Code
	}
	a.clock.Pass(time.Hour)
	_, err := f.Tap(t.Context(), "页")
	require.NoError(t, err)
	require.Equal(t, 45015, write(), "who opens a page has said nothing")
	require.NoError(t, f.ScanFromMenu(t.Context(), "扫", "qrcode", "bed12"))
	require.Zero(t, write())
}

func TestTheDeskRefuses(t *testing.T) {
	t.Parallel()
	a := desk(t, nil)
	f := a.follower("陈素心")
	seat := func(account string) string { return `{"kf_account":"` + account + `","nickname":"王"}` }
	a.refuses("/customservice/kfaccount/add", map[string]wrong{
		"no suffix":           {seat("wang"), 65404},
		"another's suffix":    {seat("wang@elsewhere"), 65404},
		"a sign":              {seat("w-g@wxhospital"), 65404},
		"eleven letters":      {seat("abcdefghijk@wxhospital"), 65404},
		"no name":             {`{"kf_account":"a@wxhospital"}`, 65403},
		"a name of 17":        {`{"kf_account":"a@wxhospital","nickname":"` + strings.Repeat("字", 17) + `"}`, 65403},
		"an unknown field":    {`{"kf_account":"a@wxhospital","nick":"a"}`, 47001},
		"the old password":    {`{"kf_account":"old@wxhospital","nickname":"a","password":"e10adc"}`, 0},
		"nothing wrong":       {seat("wang@wxhospital"), 0},
		"a second, all right": {seat("li@wxhospital"), 0},
	})
	require.Equal(t, 65406, a.post("/customservice/kfaccount/add", seat("wang@wxhospital")).Code)
	a.refuses("/customservice/kfaccount/update", map[string]wrong{"no such seat": {seat("x@wxhospital"), 65401}, "no name": {`{"kf_account":"wang@wxhospital"}`, 65403}})
	invite := func(account, person string) string {
		return `{"kf_account":"` + account + `","invite_wx":"` + person + `"}`
	}
	const inviting = "/customservice/kfaccount/inviteworker"
	a.refuses(inviting, map[string]wrong{
		"no such seat": {invite("x@wxhospital", "nurse_wang"), 65401}, "no WeChat ID": {invite("wang@wxhospital", "1a"), 65409}, "nobody": {`{"kf_account":"wang@wxhospital"}`, 65409},
	})
	talk := `{"kf_account":"wang@wxhospital","openid":"` + f.OpenID() + `"}`
	require.Equal(t, 65402, a.post("/customservice/kfsession/create", talk).Code)
	require.ErrorIs(t, a.Attend("wang@wxhospital", true), &hospital.Error{Kind: hospital.Rejected, Code: "empty"})
	require.Zero(t, a.post(inviting, invite("wang@wxhospital", "nurse_wang")).Code)
	a.clock.Pass(24 * time.Hour)
	require.ErrorIs(t, a.AnswerInvitation("nurse_wang", true), &hospital.Error{Kind: hospital.NotFound, Code: "no_invitation"}, "it has expired")
	require.Contains(t, a.get("/cgi-bin/customservice/getkflist").raw, `"invite_status":"expired"`)
	require.Zero(t, a.post(inviting, invite("wang@wxhospital", "nurse_wang")).Code)
	require.NoError(t, a.AnswerInvitation("nurse_wang", false))
	require.Contains(t, a.get("/cgi-bin/customservice/getkflist").raw, `"invite_status":"rejected"`)
	require.Zero(t, a.post(inviting, invite("wang@wxhospital", "nurse_wang")).Code)
	require.NoError(t, a.AnswerInvitation("nurse_wang", true))
	require.Contains(t, a.get("/cgi-bin/customservice/getkflist").raw, `"kf_wx":"nurse_wang"`)
	for _, path := range []string{"/customservice/kfsession/create", "/customservice/kfsession/close"} {
		a.refuses(path, map[string]wrong{
			"an unknown openid": {strings.Replace(talk, f.OpenID(), "o0", 1), 40003}, "no such seat": {strings.Replace(talk, "wang@", "x@", 1), 65401},
			"an empty seat": {strings.Replace(talk, "wang@", "li@", 1), 65402}, "an unknown field": {strings.Replace(talk, "openid", "open_id", 1), 47001},
		})
	}
	require.Equal(t, 65413, a.post("/customservice/kfsession/close", talk).Code)
	require.Equal(t, 65415, a.post("/customservice/kfsession/create", talk).Code)
	require.Equal(t, 40003, a.get("/customservice/kfsession/getsession", "openid", "o0").Code)
	require.Equal(t, 65401, a.get("/customservice/kfsession/getsessionlist", "kf_account", "x").Code)
	require.ErrorIs(t, a.AgentSay("wang@wxhospital", f.OpenID(), "您好"), &hospital.Error{Kind: hospital.Rejected, Code: "no_session"})
	at := opening.Unix()
	ask := func(from, to, after, number int64) string {
		return fmt.Sprintf(`{"starttime":%d,"endtime":%d,"msgid":%d,"number":%d}`, from, to, after, number)
	}
	a.refuses("/customservice/msgrecord/getmsglist", map[string]wrong{
		"no start": {ask(0, at, 1, 10), 65416}, "an end before the start": {ask(at, at-1, 1, 10), 65416}, "no msgid": {ask(at, at, 0, 10), 65416},
		"too many": {ask(at, at, 1, 10_001), 65416}, "more than a day": {ask(at, at+86_401, 1, 10), 65417}, "all right": {ask(at, at+86_400, 1, 10_000), 0},
		"a text for a number": {`{"starttime":"1","endtime":2,"msgid":1,"number":1}`, 47001},
	})
	picture := func(account, data string) int {
		contentType, body := form(t, "media", "a.jpg", data)
		return read(t, a.send("/customservice/kfaccount/uploadheadimg", contentType, body, "access_token", a.token(), "kf_account", account)).Code
	}
	require.Equal(t, 65401, picture("x@wxhospital", jpg))
	require.Equal(t, 40005, picture("wang@wxhospital", png))
	require.Equal(t, 40009, picture("wang@wxhospital", jpg+strings.Repeat("a", 2<<20)))
	require.Zero(t, picture("wang@wxhospital", jpg))
	require.Equal(t, 65401, a.get("/customservice/kfaccount/del", "kf_account", "x@wxhospital").Code)
	require.Zero(t, a.get("/customservice/kfaccount/del", "kf_account", "li@wxhospital").Code, "the older way")
	require.Equal(t, 47001, a.post("/customservice/kfaccount/del", `{"account":"wang@wxhospital"}`).Code)
	for n := range 98 {
		require.Zero(t, a.post("/customservice/kfaccount/add", seat("s"+strconv.Itoa(n)+"@wxhospital")).Code)
	}
	require.Equal(t, 65405, a.post("/customservice/kfaccount/add", seat("one_more@wxhospital")).Code, "a hundred seats")
}

func TestMessagesToManyAreRefused(t *testing.T) {
	t.Parallel()
	a := desk(t, nil)
	f, other := a.follower("陈素心"), a.follower("老吴")
	picture, film := a.keep("image", png), a.keep("video", mp4)
	toAll := func(rest string) string { return `{"filter":{"is_to_all":true},` + rest + `}` }
	const words = `"msgtype":"text","text":{"content":"停诊"}`
	a.refuses("/cgi-bin/message/mass/sendall", map[string]wrong{
		"no filter":             {`{` + words + `}`, 40035},
		"an unknown tag":        {`{"filter":{"is_to_all":false,"tag_id":999},` + words + `}`, 45159},
		"no tag":                {`{"filter":{"is_to_all":false},` + words + `}`, 45159},
		"a text for true":       {`{"filter":{"is_to_all":"true"},` + words + `}`, 47001},
		"no type":               {toAll(`"text":{"content":"停诊"}`), 40008},
		"a video type":          {toAll(`"msgtype":"video","mpvideo":{"media_id":"` + film + `"}`), 40008},
		"no words":              {toAll(`"msgtype":"text"`), 44004},
		"too many words":        {toAll(`"msgtype":"text","text":{"content":"` + strings.Repeat("a", 2049) + `"}`), 45002},
		"no draft":              {toAll(`"msgtype":"mpnews","mpnews":{"media_id":"` + picture + `"}`), 40007},
		"a picture for a voice": {toAll(`"msgtype":"voice","voice":{"media_id":"` + picture + `"}`), 40007},
		"no pictures":           {toAll(`"msgtype":"image","images":{"media_ids":[]}`), 41006},
		"21 pictures":           {toAll(`"msgtype":"image","images":{"media_ids":["` + strings.Repeat(picture+`","`, 20) + picture + `"]}`), 40035},
		"a film not made ready": {toAll(`"msgtype":"mpvideo","mpvideo":{"media_id":"` + film + `"}`), 40007},
		"an unknown coupon":     {toAll(`"msgtype":"wxcard","wxcard":{"card_id":"a"}`), 40073},
		"a reprint of two":      {toAll(words + `,"send_ignore_reprint":2`), 40035},
		"a long clientmsgid":    {toAll(words + `,"clientmsgid":"` + strings.Repeat("a", 65) + `"`), 45067},
		"an unknown field":      {toAll(words + `,"client_msg_id":"a"`), 47001},
		"a list for all":        {toAll(words + `,"touser":["a"]`), 47001},
	})
	list := func(openIDs ...string) string {
		raw, err := json.Marshal(openIDs)
		require.NoError(t, err)
		return `{"touser":` + string(raw) + `,` + words + `}`
	}
	a.refuses("/cgi-bin/message/mass/send", map[string]wrong{
		"nobody": {list(), 40130}, "one": {list(f.OpenID()), 40130}, "a stranger": {list(f.OpenID(), "o0"), 40031}, "10001": {list(make([]string, 10_001)...), 40032},
		"a text for a list": {`{"touser":"` + f.OpenID() + `",` + words + `}`, 47001}, "a filter": {`{"filter":{"is_to_all":true},` + words + `}`, 47001},
	})
	a.refuses("/cgi-bin/message/mass/preview", map[string]wrong{
		"nobody": {`{` + words + `}`, 40003}, "an unknown name": {`{"towxname":"nobody",` + words + `}`, 40132}, "no type": {`{"touser":"` + f.OpenID() + `"}`, 40008},
	})
	require.Equal(t, 0, a.Pending())

	first := a.post("/cgi-bin/message/mass/send", list(f.OpenID(), other.OpenID()))
	require.Equal(t, "send job submission success", first.Text)
	var sent struct {
		ID int64 `json:"msg_id"`
	}
	require.NoError(t, json.Unmarshal([]byte(first.raw), &sent))
	again := a.post("/cgi-bin/message/mass/send", list(f.OpenID(), other.OpenID()))
	require.Equal(t, 45066, again.Code)
	require.Contains(t, again.Text, "same clientmsgid retry too fast rid: ")
	a.clock.Pass(time.Minute)
	again = a.post("/cgi-bin/message/mass/send", list(f.OpenID(), other.OpenID()))
	require.Equal(t, 45065, again.Code)
	require.Contains(t, again.raw, `"msg_id":`+strconv.FormatInt(sent.ID, 10), "the number of the one that was sent")
	require.Zero(t, a.post("/cgi-bin/message/mass/get", fmt.Sprintf(`{"msg_id":%d}`, sent.ID)).Code, "bare or in quotes")
	a.refuses("/cgi-bin/message/mass/get", map[string]wrong{"no such message": {`{"msg_id":"1"}`, 40059}, "no number": {`{}`, 40059}, "a word": {`{"msg_id":"a"}`, 47001}})
	a.refuses("/cgi-bin/message/mass/delete", map[string]wrong{
		"no such message": {`{"msg_id":1}`, 40059}, "a text": {fmt.Sprintf(`{"msg_id":%d}`, sent.ID), 40059}, "no such address": {`{"url":"http://a.cn"}`, 40059},
	})
	a.refuses("/cgi-bin/message/mass/speed/set", map[string]wrong{"none": {`{}`, 45084}, "five": {`{"speed":5}`, 45083}, "below": {`{"speed":-1}`, 45083}, "a text": {`{"speed":"1"}`, 47001}})
	require.JSONEq(t, `{"speed":0,"realspeed":80}`, a.post("/cgi-bin/message/mass/speed/get", "").raw, "without a body")
	a.refuses("/cgi-bin/media/uploadvideo", map[string]wrong{
		"a picture": {`{"media_id":"` + picture + `","title":"a","description":"b"}`, 40007}, "no title": {`{"media_id":"` + film + `","description":"b"}`, 40035},
	})
	require.ErrorIs(t, a.RefuseMasses("err"), &hospital.Error{Kind: hospital.Invalid, Code: "bad_outcome"})
}

func TestMassesHaveADailyAndAMinutesQuota(t *testing.T) {
	t.Parallel()
	a := desk(t, func(c *wechattest.Config) { c.Quotas = nil })
	a.follower("陈素心")
	send := func() int {
		return a.post("/cgi-bin/message/mass/sendall", `{"filter":{"is_to_all":true},"msgtype":"text","text":{"content":"a"}}`).Code
	}
	for range 60 {
		require.NotEqual(t, 45011, send())
	}
	require.Equal(t, 45011, send())
	a.clock.Pass(time.Minute)
	for range 40 {
		require.NotEqual(t, 45009, send())
	}
	require.Equal(t, 45009, send())
}

func TestAVisitIsRefused(t *testing.T) {
	t.Parallel()
	a := desk(t, nil)
	f := a.follower("陈素心")
	base := fmt.Sprintf(`{"status":1501001,"open_id":%q,"order_id":"v1","msg_id":"m1","app_id":%q,"business_id":150,`+
		`"business_info":{"pat_hospital_id":"a1","pat_name":"李*龙","department_name":"3楼","appointment_time":"2026-11-26 10:30-11:00","redirect_page":{"page_type":"web","url":"http://a.cn"}}}`,
		f.OpenID(), a.Account().AppID)
	edit := func(old, fresh string) string {
		require.Contains(t, base, old)
		return strings.Replace(base, old, fresh, 1)
	}
	a.refuses("/cityservice/sendchannelmsg", map[string]wrong{
		"an unknown openid":      {edit(f.OpenID(), "o0"), 40003},
		"another app":            {edit(a.Account().AppID, "wx0"), 40013},
		"another business":       {edit("150,", "151,"), 40097},
		"an unknown status":      {edit("1501001", "1506001"), 40097},
		"a status in quotes":     {edit("1501001", `"1501001"`), 47001},
		"no order":               {edit(`"v1"`, `""`), 40097},
		"no msg_id":              {edit(`"m1"`, `""`), 40097},
		"an unknown field":       {edit(`"order_id"`, `"orderid"`), 47001},
		"no card":                {edit(`"pat_hospital_id":"a1",`, ``), 40097},
		"no name":                {edit(`李*龙`, ``), 40097},
		"no department":          {edit(`3楼`, ``), 40097},
		"a day that is none":     {edit(`11-26`, `11-31`), 40097},
		"a time in words":        {edit(`2026-11-26 10:30-11:00`, `上午`), 40097},
		"another field":          {edit(`"pat_name"`, `"memo2":"a","pat_name"`), 47001},
		"a number for a text":    {edit(`"3楼"`, `3`), 47001},
		"a page without type":    {edit(`"page_type":"web",`, ``), 40097},
		"a page of another type": {edit(`"web"`, `"h5"`), 40097},
		"a page without address": {edit(`,"url":"http://a.cn"`, ``), 40097},
		"a page's unknown field": {edit(`"url"`, `"path":"a","url"`), 47001},
		"a foreign program":      {edit(`"page_type":"web","url":"http://a.cn"`, `"page_type":"mini_program","app_id":"wx2","fullpath":"a"`), 40166},
		"a program without way":  {edit(`"page_type":"web","url":"http://a.cn"`, `"page_type":"mini_program","app_id":"wx111"`), 40165},
	})
	require.Empty(t, f.Visits())
	require.Zero(t, a.post("/cityservice/sendchannelmsg", base).Code)
	require.Equal(t, 40097, a.post("/cityservice/sendchannelmsg", base).Code)
	closed := desk(t, func(c *wechattest.Config) { c.Assistant = false })
	require.Equal(t, 48001, closed.post("/cityservice/sendchannelmsg", base).Code)
}

func TestWhatSendsSurvivesARestart(t *testing.T) {
	t.Parallel()
	dir, inbox := t.TempDir(), &inbox{}
	edit := func(c *wechattest.Config) {
		c.Dir, c.Callback, c.HTTPClient, c.Mode = dir, "http://hospital.example/wechat", inProcess(inbox), wechat.Plain
	}
	a := desk(t, edit)
	f, other := a.follower("陈素心"), a.follower("老吴")
	require.Zero(t, a.post("/cgi-bin/template/del_private_template", `{"template_id":"booked"}`).Code)
	require.Zero(t, a.post("/cgi-bin/template/api_add_template", `{"template_id_short":"47123","keyword_name_list":["科室"]}`).Code)
	templates := a.get("/cgi-bin/template/get_all_private_template").raw
	require.Zero(t, a.post("/customservice/kfaccount/add", `{"kf_account":"wang@wxhospital","nickname":"王"}`).Code)
	require.Zero(t, a.post("/customservice/kfaccount/inviteworker", `{"kf_account":"wang@wxhospital","invite_wx":"nurse_wang"}`).Code)
	require.NoError(t, a.AnswerInvitation("nurse_wang", true))
	require.NoError(t, a.Attend("wang@wxhospital", true))
	require.Zero(t, a.post("/customservice/kfsession/create", `{"kf_account":"wang@wxhospital","openid":"`+f.OpenID()+`"}`).Code)
	require.NoError(t, a.AgentSay("wang@wxhospital", f.OpenID(), "您好"))
	mass := a.post("/cgi-bin/message/mass/send", `{"touser":["`+f.OpenID()+`","`+other.OpenID()+`"],"msgtype":"text","text":{"content":"停诊"},"clientmsgid":"k"}`)
	require.Zero(t, mass.Code)
	require.NoError(t, a.Close())

	b := desk(t, edit)
	require.Equal(t, templates, b.get("/cgi-bin/template/get_all_private_template").raw)
	require.Contains(t, b.get("/customservice/kfsession/getsession", "openid", f.OpenID()).raw, "wang@wxhospital")
	require.Contains(t, b.post("/customservice/msgrecord/getmsglist", fmt.Sprintf(`{"starttime":%d,"endtime":%d,"msgid":1,"number":10}`, opening.Unix()-60, opening.Unix()+60)).raw, "您好")
	b.clock.Pass(time.Minute)
	require.Equal(t, 45065, b.post("/cgi-bin/message/mass/send", `{"touser":["`+f.OpenID()+`","`+other.OpenID()+`"],"msgtype":"text","text":{"content":"停诊"},"clientmsgid":"k"}`).Code)
	for b.Pending() > 0 {
		_, err := b.Advance(t.Context())
		require.NoError(t, err)
	}
	require.Contains(t, strings.Join(inbox.bodies, ""), "MASSSENDJOBFINISH")
	person, err := b.Find(other.OpenID())
	require.NoError(t, err)
	require.Equal(t, "停诊", person.Chat()[0].Text)
}

func TestALibraryMustMakeTemplates(t *testing.T) {
	t.Parallel()
	good := wechattest.LibraryTemplate{Number: "1", Keywords: []wechattest.LibraryKeyword{{ID: 1, Name: "科室", Rule: "thing"}}}
	for name, edit := range map[string]func(*wechattest.LibraryTemplate){
		"no number":         func(l *wechattest.LibraryTemplate) { l.Number = "" },
		"a word for a tid":  func(l *wechattest.LibraryTemplate) { l.Number, l.Kind = "TM1", wechattest.OneTime },
		"nothing to show":   func(l *wechattest.LibraryTemplate) { l.Keywords = nil },
		"fields and a text": func(l *wechattest.LibraryTemplate) { l.Content = "a" },
		"a field without id": func(l *wechattest.LibraryTemplate) {
			l.Keywords = []wechattest.LibraryKeyword{{Name: "a", Rule: "thing"}}
		},
		"an unknown rule": func(l *wechattest.LibraryTemplate) {
			l.Keywords = []wechattest.LibraryKeyword{{ID: 1, Name: "a", Rule: "gadget"}}
		},
		"an unknown industry": func(l *wechattest.LibraryTemplate) { l.Industry = 42 },
	} {
		l := good
		edit(&l)
		_, err := wechattest.New(wechattest.Config{Library: []wechattest.LibraryTemplate{l}})
		require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Invalid, Code: "bad_config"}, name)
	}
	_, err := wechattest.New(wechattest.Config{Library: []wechattest.LibraryTemplate{good, good}})
	require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Invalid, Code: "bad_config"}, "twice")
}

func TestTheControlSurfaceDrivesTheDesk(t *testing.T) {
	t.Parallel()
	site := wechattest.Start(t, wechattest.Config{OneTimeTemplate: "O", Domains: []string{"h.example.com"}, Assistant: true, WeChatID: "wxhospital"})
	a := &account{Platform: site.Platform, tb: t}
	f := site.Follower(t.Context(), "陈素心")
	must := func(method, path string, pairs ...string) string {
		t.Helper()
		status, body := steer(t, site, method, path, pairs...)
		require.Equal(t, http.StatusOK, status, body)
		return body
	}
	require.Zero(t, a.post("/customservice/kfaccount/add", `{"kf_account":"wang@wxhospital","nickname":"王"}`).Code)
	require.Zero(t, a.post("/customservice/kfaccount/inviteworker", `{"kf_account":"wang@wxhospital","invite_wx":"nurse_wang"}`).Code)
	must("POST", "/_sim/invitation", "person", "nurse_wang", "on", "true")
	must("POST", "/_sim/attend", "account", "wang@wxhospital", "on", "true")
	require.Zero(t, a.post("/customservice/kfsession/create", `{"kf_account":"wang@wxhospital","openid":"`+f.OpenID()+`"}`).Code)
	must("POST", "/_sim/agent", "account", "wang@wxhospital", "openid", f.OpenID(), "text", "您好")
	require.Zero(t, a.post("/cgi-bin/message/custom/send", `{"touser":"`+f.OpenID()+`","msgtype":"msgmenu","msgmenu":{"head_content":"满意吗","list":[{"id":"1","content":"满意"}]}}`).Code)
	must("POST", "/_sim/choose", "openid", f.OpenID(), "id", "1")
	require.Equal(t, "满意", f.Chat()[len(f.Chat())-1].Text)
	must("POST", "/_sim/mute", "openid", f.OpenID(), "on", "true")
	require.Equal(t, 48002, a.post("/cgi-bin/message/custom/send", `{"touser":"`+f.OpenID()+`","msgtype":"text","text":{"content":"a"}}`).Code)
	link := "https://mp.weixin.qq.com/mp/subscribemsg?action=get_confirm&scene=1&template_id=O&redirect_url=https%3A%2F%2Fh.example.com&appid=" + site.Account().AppID + "#wechat_redirect"
	require.Contains(t, must("POST", "/_sim/onetime", "openid", f.OpenID(), "link", link), "action=confirm")
	must("POST", "/_sim/mass", "outcome", "err(20008)")
	require.Equal(t, "[]", must("GET", "/_sim/visits", "openid", f.OpenID()))
	status, _ := steer(t, site, "POST", "/_sim/choose", "openid", f.OpenID(), "id", "9")
	require.Equal(t, http.StatusNotFound, status)
}

// FuzzSend asks everything that sends anything; each answer is whole JSON, and
// what is refused changes nothing on a phone.
func FuzzSend(f *testing.F) {
	a := desk(f, func(c *wechattest.Config) { c.Quotas = map[string]wechattest.Quota{} })
	person := a.follower("陈素心")
	token := a.token()
	paths := []string{
		"/wxaapi/newtmpl/addtemplate", "/wxaapi/newtmpl/deltemplate", "/cgi-bin/message/custom/send", "/cgi-bin/message/mass/sendall",
		"/cgi-bin/message/mass/send", "/cgi-bin/message/mass/delete", "/cityservice/sendchannelmsg", "/cgi-bin/template/api_set_industry",
		"/customservice/kfaccount/del", "/cgi-bin/message/template/subscribe",
	}
	f.Add(0, true, "tid=901&kidList[0]=1&kidList=2")
	f.Add(0, false, `{"tid":901,"kidList":["1",2]}`)
	f.Add(2, false, `{"touser":"`+person.OpenID()+`","msgtype":"msgmenu","msgmenu":{"list":[{"id":"1","content":"a"}]}}`)
	f.Add(3, false, `{"filter":{"is_to_all":true,"tag_id":"2"},"msgtype":"text","text":{"content":"a"}}`)
	f.Add(5, false, `{"msg_id":"3147483649","article_idx":1}`)
	f.Add(6, false, `{"status":1501001,"business_info":{"redirect_page":{"page_type":"web"}}}`)
	f.Add(8, false, `{"kf_account":null}`)
	f.Fuzz(func(t *testing.T, path int, form bool, body string) {
		if len(body) > 64<<10 {
			return
		}
		contentType := "application/json"
		if form {
			contentType = "application/x-www-form-urlencoded"
		}
		before := len(person.Chat())
		w := a.send(paths[max(path, 0)%len(paths)], contentType, body, "access_token", token)
		require.Equal(t, http.StatusOK, w.Code)
		if read(t, w).Code != 0 {
			require.Len(t, person.Chat(), before)
		}
	})
}
