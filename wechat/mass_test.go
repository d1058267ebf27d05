package wechat_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

func TestAMessageToManyEndsInItsResult(t *testing.T) {
	t.Parallel()
	s := newSender(t)
	ctx := t.Context()
	chen, wu, zhao := s.Follower(ctx, "陈素心"), s.Follower(ctx, "老吴"), s.Follower(ctx, "小赵")
	require.NoError(t, wu.Mute(true))
	box := s.draft("冬病夏治", "膏方")
	require.NoError(t, s.PreviewMass(ctx, wechat.MassPreview{To: openID(chen), Content: wechat.MPNewsMessage{MediaID: box}}))
	require.Len(t, chen.Chat(), 1)
	require.NoError(t, s.PreviewMass(ctx, wechat.MassPreview{WeChatID: zhao.WeChatID(), Content: wechat.TextMessage{Content: "预览"}}))
	require.Equal(t, "40132", code(s.PreviewMass(ctx, wechat.MassPreview{WeChatID: "nobody", Content: wechat.TextMessage{Content: "预览"}})))

	sent, err := s.SendMass(ctx, wechat.Mass{All: true, Content: wechat.MPNewsMessage{MediaID: box}, Key: "summer-2026"})
	require.NoError(t, err)
	require.NotZero(t, sent.DataID)
	state, err := s.FindMass(ctx, sent.MsgID)
	require.NoError(t, err)
	require.Equal(t, wechat.MassSending, state)
	s.settle()
	result, ok := s.latest().(wechat.MassSent)
	require.True(t, ok)
	require.Equal(t, sent.MsgID, result.MsgID, "the result names the message")
	require.True(t, result.Succeeded())
	require.Equal(t, []int{3, 2, 2, 0}, []int{result.Total, result.Filtered, result.Sent, result.Failed})
	require.Len(t, result.Articles, 2)
	require.Equal(t, "冬病夏治", lastBubble(chen).Cards[0].Title)
	require.Empty(t, wu.Chat())
	state, err = s.FindMass(ctx, sent.MsgID)
	require.NoError(t, err)
	require.Equal(t, wechat.MassDone, state)
	_, err = s.SendMass(ctx, wechat.Mass{All: true, Content: wechat.MPNewsMessage{MediaID: box}, Key: "summer-again"})
	require.Equal(t, "40007", code(err), "a draft that was sent is gone")

	require.Equal(t, "40060", code(s.DeleteMass(ctx, wechat.MassDeletion{MsgID: sent.MsgID, Article: 3})))
	require.NoError(t, s.DeleteMass(ctx, wechat.MassDeletion{URL: result.Articles[0].URL}))
	require.NoError(t, s.DeleteMass(ctx, wechat.MassDeletion{MsgID: sent.MsgID, Article: 2}))
	state, err = s.FindMass(ctx, sent.MsgID)
	require.NoError(t, err)
	require.Equal(t, wechat.MassDeleted, state)
	require.Equal(t, "40059", code(s.DeleteMass(ctx, wechat.MassDeletion{MsgID: 1})))
	_, err = s.FindMass(ctx, 1)
	require.Equal(t, "40059", code(err))
}

func TestOneKeyIsOneMessageToMany(t *testing.T) {
	t.Parallel()
	s := newSender(t)
	ctx := t.Context()
	f := s.Follower(ctx, "陈素心")
	mass := wechat.Mass{All: true, Content: wechat.TextMessage{Content: "明日停诊"}, Key: "closed-1124"}
	require.NoError(t, s.Break(wechattest.Fault{Kind: wechattest.AnswerLost, Path: "/cgi-bin/message/mass/sendall", Times: 1}))
	_, err := s.SendMass(ctx, mass)
	require.Equal(t, hospital.Indeterminate, hospital.KindOf(err), "it may be on its way")
	_, err = s.SendMass(ctx, mass)
	require.Equal(t, "45066", code(err), "sooner than a minute")
	s.clock.Pass(time.Minute)
	sent, err := s.SendMass(ctx, mass)
	require.NoError(t, err)
	require.True(t, sent.Repeated)
	s.settle()
	result, ok := s.latest().(wechat.MassSent)
	require.True(t, ok)
	require.Equal(t, result.MsgID, sent.MsgID, "the number is the first one's")
	require.Len(t, f.Chat(), 1)

	require.Equal(t, "closed-1124", gjson.GetBytes(s.last("/cgi-bin/message/mass/sendall").body, "clientmsgid").String())

	mass.Key = ""
	first, err := s.SendMass(ctx, mass)
	require.NoError(t, err)
	require.NotEqual(t, sent.MsgID, first.MsgID)
	s.clock.Pass(time.Minute)
	_, err = s.SendMass(ctx, mass)
	require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Conflict, Code: "45065"}, "without a key the content is the key")
	s.clock.Pass(24 * time.Hour)
	_, err = s.SendMass(ctx, mass)
	require.NoError(t, err, "a day later it is another message")
}

func TestAFollowerGetsFourAMonth(t *testing.T) {
	t.Parallel()
	s := newSender(t)
	ctx := t.Context()
	chen, wu := s.Follower(ctx, "陈素心"), s.Follower(ctx, "老吴")
	send := func(words string, tag int64) error {
		mass := wechat.Mass{Tag: tag, Content: wechat.TextMessage{Content: words}}
		if tag == 0 {
			mass.OpenIDs = []wechat.OpenID{openID(chen), openID(wu)}
		}
		_, err := s.SendMass(ctx, mass)
		s.settle() //nolint:contextcheck // it takes the test's own
		return err
	}
	tag, err := s.CreateTag(ctx, "慢病")
	require.NoError(t, err)
	require.NoError(t, s.TagUsers(ctx, tag.ID, []wechat.OpenID{openID(wu)}))
	require.NoError(t, send("量血压", tag.ID))
	require.Empty(t, chen.Chat())
	require.Len(t, wu.Chat(), 1)
	for _, words := range []string{"一", "二", "三", "四"} {
		require.NoError(t, send(words, 0))
	}
	require.Len(t, chen.Chat(), 4)
	require.Len(t, wu.Chat(), 4, "the fifth does not come")
	err = send("五", 0)
	require.Equal(t, "45028", code(err))
	require.Equal(t, wechat.ClassQuota, wechat.ClassOf(err))
	s.clock.Pass(31 * 24 * time.Hour)
	require.NoError(t, send("五", 0))
	require.Len(t, wu.Chat(), 5)
	require.Equal(t, "45159", code(send("六", 7)), "no such tag")
}

func TestAFilmIsMadeReadyForAll(t *testing.T) {
	t.Parallel()
	s := newSender(t)
	ctx := t.Context()
	f, other := s.Follower(ctx, "陈素心"), s.Follower(ctx, "老吴")
	film := s.upload(wechat.VideoMedia, aFilm)
	_, err := s.SendMass(ctx, wechat.Mass{All: true, Content: wechat.MassVideo{MediaID: film}})
	require.Equal(t, "40007", code(err), "to all it must be made ready")
	ready, err := s.UploadMassVideo(ctx, wechat.MassVideo{MediaID: film, Title: "康复操", Description: "十分钟"})
	require.NoError(t, err)
	sent, err := s.SendMass(ctx, wechat.Mass{All: true, Content: wechat.MassVideo{MediaID: ready}})
	require.NoError(t, err)
	require.Zero(t, sent.DataID)
	s.settle()
	require.Equal(t, ready, lastBubble(f).Text)
	require.NoError(t, s.DeleteMass(ctx, wechat.MassDeletion{MsgID: sent.MsgID}))
	_, err = s.SendMass(ctx, wechat.Mass{OpenIDs: []wechat.OpenID{openID(f), openID(other)}, Content: wechat.MassVideo{MediaID: film, Title: "康复操"}})
	require.NoError(t, err)
	_, err = s.UploadMassVideo(ctx, wechat.MassVideo{MediaID: "none", Title: "a", Description: "b"})
	require.Equal(t, "40007", code(err))
	_, err = s.SendMass(ctx, wechat.Mass{OpenIDs: []wechat.OpenID{openID(f), "oNobody0000000000000000000000"}, Content: wechat.TextMessage{Content: "您好"}})
	require.Equal(t, "40031", code(err))
	require.NotContains(t, err.Error(), f.OpenID())

	require.NoError(t, s.RefuseMasses("err(20008)"))
	sent, err = s.SendMass(ctx, wechat.Mass{All: true, Content: wechat.TextMessage{Content: "包治百病"}})
	require.NoError(t, err)
	s.settle()
	result, ok := s.latest().(wechat.MassSent)
	require.True(t, ok)
	require.Equal(t, "err(20008)", result.Status)
	require.Equal(t, result.Filtered, result.Failed)
	state, err := s.FindMass(ctx, sent.MsgID)
	require.NoError(t, err)
	require.Equal(t, wechat.MassFailed, state)
	require.Equal(t, "40059", code(s.DeleteMass(ctx, wechat.MassDeletion{MsgID: sent.MsgID})))
}

func TestTheSpeedIsLimited(t *testing.T) {
	t.Parallel()
	s := newSender(t)
	speed, err := s.FindMassSpeed(t.Context())
	require.NoError(t, err)
	require.Equal(t, wechat.MassSpeed{Level: 0, PerMinute: 800_000}, speed)
	require.NoError(t, s.LimitMassSpeed(t.Context(), 4))
	speed, err = s.FindMassSpeed(t.Context())
	require.NoError(t, err)
	require.Equal(t, wechat.MassSpeed{Level: 4, PerMinute: 100_000}, speed)
	require.ErrorContains(t, s.LimitMassSpeed(t.Context(), 5), "speed")
}

func TestAMessageToManyIsCheckedBeforeItIsSent(t *testing.T) {
	t.Parallel()
	text := wechat.TextMessage{Content: "a"}
	two := []wechat.OpenID{"o1", "o2"}
	s, ctx := newSender(t), t.Context()
	send := func(m wechat.Mass) error {
		_, err := s.SendMass(ctx, m)
		return err
	}
	for field, err := range map[string]error{
		"filter, touser":                      send(wechat.Mass{Content: text}),
		"filter, touser: want one":            send(wechat.Mass{All: true, Tag: 1, Content: text}),
		"filter.tag_id":                       send(wechat.Mass{Tag: -1, Content: text}),
		"touser: want 2":                      send(wechat.Mass{OpenIDs: two[:1], Content: text}),
		"touser: want 2 to 10000":             send(wechat.Mass{OpenIDs: make([]wechat.OpenID, 10_001), Content: text}),
		"touser[1]":                           send(wechat.Mass{OpenIDs: []wechat.OpenID{"o1", ""}, Content: text}),
		"clientmsgid":                         send(wechat.Mass{All: true, Content: text, Key: "a b"}),
		"msgtype":                             send(wechat.Mass{All: true}),
		"text.content":                        send(wechat.Mass{All: true, Content: wechat.TextMessage{}}),
		"images.media_ids: want":              send(wechat.Mass{All: true, Content: wechat.MassImages{}}),
		"images.media_ids[0]":                 send(wechat.Mass{All: true, Content: wechat.MassImages{MediaIDs: []string{""}}}),
		"images.only_fans_can_comment":        send(wechat.Mass{All: true, Content: wechat.MassImages{MediaIDs: []string{"a"}, FollowersOnly: true}}),
		"mpvideo.media_id":                    send(wechat.Mass{All: true, Content: wechat.MassVideo{}}),
		"mpvideo.title":                       send(wechat.Mass{All: true, Content: wechat.MassVideo{MediaID: "a", Title: "b"}}),
		"touser, towxname: want one":          s.PreviewMass(ctx, wechat.MassPreview{Content: text}),
		"touser, towxname: want one of":       s.PreviewMass(ctx, wechat.MassPreview{To: "o", WeChatID: "w", Content: text}),
		"msgtype: missing":                    s.PreviewMass(ctx, wechat.MassPreview{To: "o"}),
		"image: a preview shows one picture,": s.PreviewMass(ctx, wechat.MassPreview{To: "o", Content: wechat.MassImages{MediaIDs: []string{"a"}}}),
		"msg_id, url":                         s.DeleteMass(ctx, wechat.MassDeletion{}),
		"msg_id: negative":                    s.DeleteMass(ctx, wechat.MassDeletion{MsgID: -1}),
		"article_idx":                         s.DeleteMass(ctx, wechat.MassDeletion{URL: "https://h.example.com", Article: 1}),
		"url: want":                           s.DeleteMass(ctx, wechat.MassDeletion{URL: "h"}),
	} {
		require.Equal(t, hospital.Invalid, hospital.KindOf(err), field)
		require.ErrorContains(t, err, field)
	}
	require.Error(t, send(wechat.Mass{All: true, Content: wechat.TextMessage{Content: strings.Repeat("a", 2049)}}))
	require.Empty(t, s.sent, "nothing was sent")
}
