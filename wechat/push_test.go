package wechat_test

import (
	"encoding/xml"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
)

const (
	testOriginalID = "gh_97417a04a28d"
	testOpenID     = "o9AgO5Kd5ggOC-bXrbNODIiE3bGY"
	envelopeXML    = "<ToUserName><![CDATA[" + testOriginalID + "]]></ToUserName><FromUserName><![CDATA[" + testOpenID +
		"]]></FromUserName><CreateTime>1714112445</CreateTime>"
	envelopeJSON = `"ToUserName":"` + testOriginalID + `","FromUserName":"` + testOpenID + `","CreateTime":1714112445`
)

func xmlEvent(event, rest string) string {
	return "<xml>" + envelopeXML + "<MsgType><![CDATA[event]]></MsgType><Event><![CDATA[" + event + "]]></Event>" + rest + "</xml>"
}

func jsonEvent(event, rest string) string {
	return "{" + envelopeJSON + `,"MsgType":"event","Event":"` + event + `"` + rest + "}"
}

func TestParsePush(t *testing.T) {
	t.Parallel()
	message := func(kind, rest string) string {
		return "<xml>" + envelopeXML + "<MsgType><![CDATA[" + kind + "]]></MsgType><MsgId>23456789012345678</MsgId>" + rest + "</xml>"
	}
	accepted := wechat.SubscriptionChoice{TemplateID: "T1", Accepted: true, Scene: "2"}
	rejected := wechat.SubscriptionChoice{TemplateID: "T2", Scene: "2"}
	list := func(inner string) string { return "<List>" + inner + "</List>" }
	for name, test := range map[string]struct {
		text string
		want wechat.Content
	}{
		"a text": {message("text", "<Content><![CDATA[a<b&c]]></Content>"), wechat.Text{Content: "a<b&c"}},
		"a text in pieces": {
			message("text", "<Content>1 &lt; 2 &amp;&#x41;&#66;&quot;&apos;<![CDATA[]]]]><![CDATA[>]]>&gt;</Content>"),
			wechat.Text{Content: `1 < 2 &AB"']]>>`},
		},
		"a text that is empty":            {message("text", "<Content/>"), wechat.Text{}},
		"a text with a control character": {message("text", "<Content><![CDATA[a\x1b\xffb\r\nc]]></Content>"), wechat.Text{Content: "a\ufffd\ufffdb\nc"}},
		"a choice from a menu message":    {message("text", "<Content>满意</Content><bizmsgmenuid>101</bizmsgmenuid>"), wechat.Text{Content: "满意", MenuChoice: "101"}},
		"an image":                        {message("image", "<PicUrl>http://x/1</PicUrl><MediaId>m1</MediaId>"), wechat.Image{URL: "http://x/1", MediaID: "m1"}},
		"a voice": {
			message("voice", "<MediaId>m1</MediaId><MediaId16K>m2</MediaId16K><Format>amr</Format><Recognition>你好</Recognition>"),
			wechat.Voice{MediaID: "m1", MediaID16K: "m2", Format: "amr", Recognition: "你好"},
		},
		"a video":       {message("video", "<MediaId>m1</MediaId><ThumbMediaId>t1</ThumbMediaId>"), wechat.Video{MediaID: "m1", ThumbMediaID: "t1"}},
		"a short video": {message("shortvideo", "<MediaId>m1</MediaId><ThumbMediaId>t1</ThumbMediaId>"), wechat.Video{MediaID: "m1", ThumbMediaID: "t1", Short: true}},
		"a location": {
			message("location", "<Location_X>31.57</Location_X><Location_Y>120.30</Location_Y><Scale>20</Scale><Label>无锡</Label>"),
			wechat.Location{Latitude: "31.57", Longitude: "120.30", Scale: "20", Label: "无锡"},
		},
		"a link": {message("link", "<Title>t</Title><Description>d</Description><Url>u</Url>"), wechat.Link{Title: "t", Description: "d", URL: "u"}},

		"a follower":              {xmlEvent("subscribe", "<EventKey></EventKey>"), wechat.Subscribe{}},
		"a follower by a QR code": {xmlEvent("subscribe", "<EventKey>qrscene_bed12</EventKey><Ticket>T</Ticket>"), wechat.Subscribe{Scene: "bed12", Ticket: "T"}},
		"a scan":                  {xmlEvent("SCAN", "<EventKey>bed12</EventKey><Ticket>T</Ticket>"), wechat.Scan{Scene: "bed12", Ticket: "T"}},
		"a farewell":              {xmlEvent("unsubscribe", ""), wechat.Unsubscribe{}},
		"a position":              {xmlEvent("LOCATION", "<Latitude>31.57</Latitude><Longitude>120.3</Longitude><Precision>40.0</Precision>"), wechat.Position{Latitude: "31.57", Longitude: "120.3", Precision: "40.0"}},
		"a click":                 {xmlEvent("CLICK", "<EventKey>BOOK</EventKey>"), wechat.Click{Key: "BOOK"}},
		"a view":                  {xmlEvent("VIEW", "<EventKey>https://h/</EventKey><MenuId>7</MenuId>"), wechat.View{URL: "https://h/", MenuID: "7"}},
		"a delivered template":    {xmlEvent("TEMPLATESENDJOBFINISH", "<MsgID>200163836</MsgID><Status>success</Status>"), wechat.TemplateSent{MsgID: 200163836, Status: "success"}},
		"a blocked template":      {xmlEvent("TEMPLATESENDJOBFINISH", "<MsgID>2</MsgID><Status>failed:user block</Status>"), wechat.TemplateSent{MsgID: 2, Status: "failed:user block"}},
		"choices": {
			xmlEvent("subscribe_msg_popup_event", "<SubscribeMsgPopupEvent>"+
				list("<TemplateId>T1</TemplateId><SubscribeStatusString>accept</SubscribeStatusString><PopupScene>2</PopupScene>")+"\n"+
				list("<TemplateId>T2</TemplateId><SubscribeStatusString>reject</SubscribeStatusString><PopupScene>2</PopupScene>")+
				"</SubscribeMsgPopupEvent>"),
			wechat.SubscriptionsChosen{Choices: []wechat.SubscriptionChoice{accepted, rejected}},
		},
		"one choice in JSON": {
			jsonEvent("subscribe_msg_popup_event", `,"List":{"TemplateId":"T1","SubscribeStatusString":"accept","PopupScene":"2"}`),
			wechat.SubscriptionsChosen{Choices: []wechat.SubscriptionChoice{accepted}},
		},
		"several choices in JSON": {
			jsonEvent("subscribe_msg_popup_event", `,"List":[{"TemplateId":"T1","SubscribeStatusString":"accept","PopupScene":"2"},
				{"TemplateId":"T2","SubscribeStatusString":"reject","PopupScene":"2"}]`),
			wechat.SubscriptionsChosen{Choices: []wechat.SubscriptionChoice{accepted, rejected}},
		},
		"a change": {
			xmlEvent("subscribe_msg_change_event", "<SubscribeMsgChangeEvent>"+list("<TemplateId>T2</TemplateId><SubscribeStatusString>reject</SubscribeStatusString>")+"</SubscribeMsgChangeEvent>"),
			wechat.SubscriptionsChanged{Choices: []wechat.SubscriptionChoice{{TemplateID: "T2"}}},
		},
		"a sent notice": {
			xmlEvent("subscribe_msg_sent_event", "<SubscribeMsgSentEvent>"+list("<TemplateId>T2</TemplateId><MsgID>1700827132819554304</MsgID><ErrorCode>0</ErrorCode><ErrorStatus>success</ErrorStatus>")+"</SubscribeMsgSentEvent>"),
			wechat.SubscriptionsSent{Results: []wechat.SubscriptionResult{{TemplateID: "T2", MsgID: "1700827132819554304", Status: "success"}}},
		},
		"a notice that failed, in JSON": {
			jsonEvent("subscribe_msg_sent_event", `,"List":{"TemplateId":"T2","MsgID":"1700827132819554304","ErrorCode":"43101","ErrorStatus":"user refuse"}`),
			wechat.SubscriptionsSent{Results: []wechat.SubscriptionResult{{TemplateID: "T2", MsgID: "1700827132819554304", Code: 43101, Status: "user refuse"}}},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			push, err := wechat.ParsePush(test.text)
			require.NoError(t, err)
			require.Equal(t, test.want, push.Content)
			require.Equal(t, testOriginalID, push.To)
			require.Equal(t, wechat.OpenID(testOpenID), push.From)
			require.Equal(t, time.Unix(1714112445, 0).Unix(), push.CreatedAt.Unix())
			require.Equal(t, test.text, push.Raw)
			if push.Type != "event" {
				require.EqualValues(t, 23456789012345678, push.ID)
				require.Empty(t, push.Event)
			}
		})
	}
}

func TestWhatIsUnheardOfIsUnknownAndNoError(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"<xml>" + envelopeXML + "<MsgType>hologram</MsgType><MsgId>1</MsgId><EventKey>k</EventKey></xml>",
		xmlEvent("moon_landing", "<EventKey>k</EventKey>"),
		xmlEvent("scan", "<EventKey>k</EventKey>"), // names are in the case in which they are sent
		xmlEvent("templatesendjobfinish", "<EventKey>k</EventKey>"),
	} {
		push, err := wechat.ParsePush(text)
		require.NoError(t, err)
		unknown, ok := push.Content.(wechat.Unknown)
		require.True(t, ok, text)
		require.Equal(t, "k", unknown.EventKey)
		require.Equal(t, testOriginalID, unknown.Text("ToUserName"))
		require.Equal(t, text, push.Raw)
	}
}

func TestATemplateMessageArrivedOnlyWithSuccess(t *testing.T) {
	t.Parallel()
	require.True(t, wechat.TemplateSent{Status: "success"}.Delivered())
	require.False(t, wechat.TemplateSent{Status: "failed:user block"}.Delivered())
}

func TestParsePushRefuses(t *testing.T) {
	t.Parallel()
	text := func(rest string) string { return "<xml>" + envelopeXML + "<MsgType>text</MsgType>" + rest + "</xml>" }
	without := func(part string) string {
		whole := "<xml>" + envelopeXML + "<MsgType>text</MsgType></xml>"
		require.Contains(t, whole, part)
		return strings.Replace(whole, part, "", 1)
	}
	for name, test := range map[string]struct{ text, code, detail string }{
		"nothing":                       {"", "bad_xml", "cut"},
		"no markup":                     {"hello", "bad_xml", ""},
		"another document":              {"<html></html>", "bad_xml", "<xml>"},
		"two documents":                 {text("") + text(""), "bad_xml", "<xml>"},
		"text after it":                 {text("") + "x", "bad_xml", "after"},
		"text before it":                {"x" + text(""), "bad_xml", "outside"},
		"a document type":               {`<!DOCTYPE xml [<!ENTITY a "b">]>` + text("<Content>&a;</Content>"), "bad_xml", "plain name"},
		"an outside entity":             {text("<Content>&xxe;</Content>"), "bad_xml", "entity"},
		"an entity without end":         {text("<Content>a & b</Content>"), "bad_xml", "entity"},
		"a code point beyond":           {text("<Content>&#x110000;</Content>"), "bad_xml", "entity"},
		"a comment":                     {text("<!-- x -->"), "bad_xml", "plain name"},
		"an instruction":                {text("<?php x ?>"), "bad_xml", "plain name"},
		"an attribute":                  {text(`<Content a="b">x</Content>`), "bad_xml", "plain name"},
		"a tag that does not end":       {"<xml><ToUserName", "bad_xml", "tag"},
		"CDATA that does not end":       {"<xml><ToUserName><![CDATA[x</ToUserName></xml>", "bad_xml", "CDATA"},
		"a wrong end":                   {"<xml><a></b></xml>", "bad_xml", "fit"},
		"an end too many":               {text("") + "</xml>", "bad_xml", "beginning"},
		"a cut":                         {"<xml><ToUserName>x</ToUserName>", "bad_xml", "cut"},
		"a receiver who stands twice":   {text("<ToUserName>gh_other</ToUserName>"), "bad_xml", "twice"},
		"text beside fields":            {text("<A>x<B>y</B></A>"), "bad_xml", "beside"},
		"nine levels":                   {text(strings.Repeat("<A>", 8) + strings.Repeat("</A>", 8)), "bad_xml", "levels"},
		"too many fields":               {text("<A>" + strings.Repeat("<B/>", 1024) + "</A>"), "bad_xml", "fields"},
		"more than a push may hold":     {text(strings.Repeat(" ", 64<<10)), "too_large", ""},
		"no receiver":                   {without("<ToUserName><![CDATA[" + testOriginalID + "]]></ToUserName>"), "bad_field", "ToUserName"},
		"no sender":                     {without("<FromUserName><![CDATA[" + testOpenID + "]]></FromUserName>"), "bad_field", "FromUserName"},
		"no time":                       {without("<CreateTime>1714112445</CreateTime>"), "bad_field", "CreateTime"},
		"no type":                       {without("<MsgType>text</MsgType>"), "bad_field", "MsgType"},
		"an id that is no number":       {text("<MsgId>1e3</MsgId>"), "bad_field", "MsgId"},
		"an id beyond 64 bits":          {text("<MsgId>9223372036854775808</MsgId>"), "bad_field", "MsgId"},
		"an event without a name":       {xmlEvent("", ""), "bad_field", "Event"},
		"a result without a message":    {xmlEvent("TEMPLATESENDJOBFINISH", ""), "bad_field", "MsgID"},
		"JSON that is cut":              {"{" + envelopeJSON, "bad_json", ""},
		"JSON with a field twice":       {jsonEvent("CLICK", `,"ToUserName":"gh_other"`), "bad_json", "twice"},
		"JSON with the field disguised": {jsonEvent("CLICK", `,"\u0054oUserName":"gh_other"`), "bad_json", "twice"},
		"JSON of nine levels":           {jsonEvent("CLICK", `,"A":`+strings.Repeat(`{"A":`, 8)+"1"+strings.Repeat("}", 8)), "bad_json", "levels"},
		"JSON with a list in a list":    {jsonEvent("CLICK", `,"A":[[1]]`), "bad_json", "list"},
		"JSON with too many fields":     {jsonEvent("CLICK", `,"A":[1`+strings.Repeat(",1", 1024)+"]"), "bad_json", "fields"},
		"a JSON list":                   {"[]", "bad_xml", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := wechat.ParsePush(test.text)
			require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Invalid, Code: test.code})
			require.ErrorContains(t, err, test.detail)
			require.NotContains(t, err.Error(), testOpenID)
		})
	}
}

// FuzzParsePush compares with encoding/xml: what we accept, it accepts, and
// both read the same words.
func FuzzParsePush(f *testing.F) {
	f.Add(xmlEvent("CLICK", "<EventKey>BOOK</EventKey>"))
	f.Add(jsonEvent("subscribe_msg_popup_event", `,"List":[{"TemplateId":"T1"},{}]`))
	f.Add(xmlEvent("MASSSENDJOBFINISH", "<MsgID>1</MsgID><CopyrightCheckResult><ResultList><item><ArticleIdx>1</ArticleIdx></item></ResultList></CopyrightCheckResult>"))
	f.Add(jsonEvent("PUBLISHJOBFINISH", `,"PublishEventInfo":{"publish_id":1,"fail_idx":[1,"2"],"article_detail":{"item":{"idx":1}}}`))
	f.Add(jsonEvent("pic_weixin", `,"SendPicsInfo":{"Count":1,"PicList":{"item":[{"PicMd5Sum":"a"}]}}`))
	f.Add(xmlEvent("moon_landing", "<A><B><C>1</C></B></A>"))
	f.Add("\ufeff <?xml version='1.0'?><xml>" + envelopeXML + "<MsgType>text</MsgType><Content>&#65;<![CDATA[]]></Content ></xml>\n")
	f.Fuzz(func(t *testing.T, text string) {
		push, err := wechat.ParsePush(text)
		if err != nil {
			require.Equal(t, hospital.Invalid, hospital.KindOf(err))
			return
		}
		if unknown, is := push.Content.(wechat.Unknown); is {
			require.Equal(t, push.To, unknown.Text("ToUserName"))
		}
		content, isText := push.Content.(wechat.Text)
		if push.Format != wechat.XML || !isText || strings.Contains(text, "<?xml") || strings.ContainsRune(push.Raw, '\ufffd') {
			return
		}
		var reference struct {
			Content    string
			CreateTime string
		}
		if err := xml.Unmarshal([]byte(strings.TrimPrefix(text, "\ufeff")), &reference); err != nil {
			// encoding/xml refuses characters that we replace, and "]]>" in text.
			return
		}
		require.Equal(t, reference.Content, content.Content)
		seconds, err := strconv.ParseInt(strings.TrimSpace(reference.CreateTime), 10, 64)
		require.NoError(t, err)
		require.Equal(t, seconds, push.CreatedAt.Unix())
	})
}
