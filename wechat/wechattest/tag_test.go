package wechattest_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital/wechat/wechattest"
)

// people lets n people follow and returns their openids.
func people(a *account, n int) []string {
	var ids []string
	for i := range n {
		ids = append(ids, a.follower(strconv.Itoa(i)).OpenID())
	}
	return ids
}

func (a *account) tag(name string) int {
	a.tb.Helper()
	made := a.post("/cgi-bin/tags/create", fmt.Sprintf(`{"tag":{"name":%q}}`, name))
	require.NotZero(a.tb, made.Tag.ID, made.raw)
	return made.Tag.ID
}

const foreign = "oAAAAAAAAAAAAAAAAAAAAAAAAAAA"

func TestTagsAreMadeRenamedAndDeleted(t *testing.T) {
	t.Parallel()
	a := open(t, wechattest.Config{})
	id := a.tag("孕产")
	require.Equal(t, 100, id)
	refusals(t, a, "/cgi-bin/tags/create", map[string]int{
		`{"tag":{"name":""}}`:                                 45157,
		`{"tag":{"name":"孕产"}}`:                               45157,
		`{"tag":{"name":"星标组"}}`:                              45157,
		`{"tag":{"name":"` + strings.Repeat("字", 10) + `a"}}`: 45158,
		`{"tag":{"name":1}}`:                                  47001,
		`{"tag":{"id":1,"name":"x"}}`:                         47001,
		`{"name":"x"}`:                                        47001,
	})
	require.Zero(t, a.post("/cgi-bin/tags/create", `{"tag":{"name":"`+strings.Repeat("字", 10)+`"}}`).Code)
	refusals(t, a, "/cgi-bin/tags/update", map[string]int{
		`{"tag":{"id":2,"name":"x"}}`:     45058,
		`{"tag":{"id":99,"name":"x"}}`:    45159,
		`{"tag":{"id":100,"name":""}}`:    45157,
		`{"tag":{"id":"100","name":"x"}}`: 47001,
	})
	require.Zero(t, a.post("/cgi-bin/tags/update", `{"tag":{"id":100,"name":"产科"}}`).Code)
	patient := people(a, 1)[0]
	require.Zero(t, a.post("/cgi-bin/tags/members/batchtagging", `{"openid_list":["`+patient+`"],"tagid":100}`).Code)
	require.Contains(t, a.get("/cgi-bin/tags/get").raw, `{"tags":[{"id":2,"name":"星标组","count":0},{"id":100,"name":"产科","count":1}`)
	refusals(t, a, "/cgi-bin/tags/delete", map[string]int{`{"tag":{"id":0}}`: 45058, `{"tag":{"id":99}}`: 45159, `{"tag":{"name":"产科"}}`: 47001})
	require.Zero(t, a.post("/cgi-bin/tags/delete", `{"tag":{"id":100}}`).Code)
	require.JSONEq(t, `{"tagid_list":[]}`, a.post("/cgi-bin/tags/getidlist", `{"openid":"`+patient+`"}`).raw, "it goes from its followers too")
	for i := range 99 {
		a.tag(strconv.Itoa(i))
	}
	require.Equal(t, 45056, a.post("/cgi-bin/tags/create", `{"tag":{"name":"one too many"}}`).Code)
}

func TestATagIsPutOnAllOfAListOrNobody(t *testing.T) {
	t.Parallel()
	const give, take, of, list = "/cgi-bin/tags/members/batchtagging", "/cgi-bin/tags/members/batchuntagging", "/cgi-bin/tags/getidlist", "/cgi-bin/user/tag/get"
	a := open(t, wechattest.Config{})
	id, ids := a.tag("孕产"), people(a, 51)
	gone := a.follower("离开的人")
	require.NoError(t, gone.Unfollow(t.Context()))
	body := func(tag int, ids ...string) string { return bodyOf(t, object{"tagid": tag, "openid_list": ids}) }
	for _, path := range []string{give, take} {
		refusals(t, a, path, map[string]int{
			body(id):                         40032,
			body(id, ids...):                 40032,
			body(id, ids[0], "x"):            40003,
			body(id, ids[0], foreign):        49003,
			body(id, ids[0], gone.OpenID()):  40003,
			body(99, ids[0]):                 45159,
			`{"tagId":100,"openid_list":[]}`: 47001,
			`{"tagid":"100"}`:                47001,
		})
	}
	require.JSONEq(t, `{"count":0,"next_openid":""}`, a.post(list, `{"tagid":100,"next_openid":""}`).raw, "nobody of the refused lists")
	require.Zero(t, a.post(give, body(id, ids[:50]...)).Code)
	require.Zero(t, a.post(give, body(id, ids[0])).Code, "again changes nothing")
	require.Zero(t, a.post(take, body(id, ids[2:50]...)).Code)
	require.JSONEq(t, `{"count":2,"data":{"openid":["`+ids[0]+`","`+ids[1]+`"]},"next_openid":"`+ids[1]+`"}`, a.post(list, `{"tagid":100}`).raw)
	require.JSONEq(t, `{"count":1,"data":{"openid":["`+ids[1]+`"]},"next_openid":"`+ids[1]+`"}`, a.post(list, `{"tagid":100,"next_openid":"`+ids[0]+`"}`).raw)
	refusals(t, a, list, map[string]int{`{"tagid":99}`: 45159, `{"tagid":100,"next_openid":"x"}`: 40003, `{"tag":100}`: 47001})
	refusals(t, a, of, map[string]int{`{"openid":"x"}`: 40003, `{"openid":"` + foreign + `"}`: 49003, `{"open_id":"x"}`: 47001})
	for i := range 19 {
		require.Zero(t, a.post(give, body(a.tag(strconv.Itoa(i)), ids[0])).Code)
	}
	require.Equal(t, 45059, a.post(give, body(a.tag("twenty-first"), ids[1], ids[0])).Code)
	require.JSONEq(t, `{"tagid_list":[100]}`, a.post(of, `{"openid":"`+ids[1]+`"}`).raw)
	require.Contains(t, a.get("/cgi-bin/user/info", "openid", ids[0]).raw, `"tagid_list":[100,101,`)
}

func TestTheBlacklistTakesTwentyAtATime(t *testing.T) {
	t.Parallel()
	const list, bar, unbar = "/cgi-bin/tags/members/getblacklist", "/cgi-bin/tags/members/batchblacklist", "/cgi-bin/tags/members/batchunblacklist"
	a := open(t, wechattest.Config{})
	ids := people(a, 21)
	body := func(ids ...string) string { return bodyOf(t, object{"openid_list": ids}) }
	for _, path := range []string{bar, unbar} {
		refusals(t, a, path, map[string]int{
			body(): 40032, body(ids...): 40032, body(ids[0], "x"): 40003, body(ids[0], foreign): 49003, `{"opened_list":["x"]}`: 47001,
		})
	}
	require.JSONEq(t, `{"total":0,"count":0,"next_openid":""}`, a.post(list, `{"begin_openid":""}`).raw)
	require.Zero(t, a.post(bar, body(ids[:20]...)).Code)
	require.Zero(t, a.post(unbar, body(ids[1:19]...)).Code)
	require.JSONEq(t, `{"total":2,"count":1,"data":{"openid":["`+ids[19]+`"]},"next_openid":"`+ids[19]+`"}`, a.post(list, `{"begin_openid":"`+ids[0]+`"}`).raw)
	const custom = "/cgi-bin/message/custom/send"
	words := func(id string) string { return `{"touser":"` + id + `","msgtype":"text","text":{"content":"在吗"}}` }
	require.Equal(t, 43019, a.post(custom, words(ids[0])).Code)
	require.Equal(t, 43019, a.post(templatePath, send(ids[0], "booked", bookedData)).Code)
	require.Zero(t, a.post(custom, words(ids[1])).Code, "one who was let in again")
	refusals(t, a, list, map[string]int{`{"begin_openid":"x"}`: 40003, `{"next_openid":""}`: 47001})
}

func TestUsersAreAskedAboutByTheHundredAndRemarked(t *testing.T) {
	t.Parallel()
	const batch, remark = "/cgi-bin/user/info/batchget", "/cgi-bin/user/info/updateremark"
	a := open(t, wechattest.Config{})
	patient := a.follower("陈素心")
	gone := a.follower("离开的人")
	require.NoError(t, gone.Unfollow(t.Context()))
	entry := func(id string) object { return object{"openid": id, "lang": "zh_CN"} }
	var many []object
	for range 101 {
		many = append(many, entry(patient.OpenID()))
	}
	name := func(id, name string) string { return bodyOf(t, object{"openid": id, "remark": name}) }
	refusals(t, a, remark, map[string]int{
		name(patient.OpenID(), strings.Repeat("字", 10)): 40092,
		name(gone.OpenID(), "x"):                        40003,
		name("x", "x"):                                  40003,
		`{"openid":"x","name":"x"}`:                     47001,
	})
	require.Zero(t, a.post(remark, name(patient.OpenID(), strings.Repeat("字", 9)+"ab")).Code)
	refusals(t, a, batch, map[string]int{
		`{"user_list":[]}`:                   40032,
		bodyOf(t, object{"user_list": many}): 40032,
		`{"user_list":[{"openid":"x"}]}`:     40003,
		`{"user_list":["x"]}`:                47001,
		bodyOf(t, object{"user_list": []object{{"openid": patient.OpenID(), "lang": "de"}}}): 40035,
	})
	require.Equal(t, 40035, a.get("/cgi-bin/user/info", "openid", patient.OpenID(), "lang", "de").Code)
	got := a.post(batch, bodyOf(t, object{"user_list": []object{entry(patient.OpenID()), entry(gone.OpenID())}})).raw
	require.Contains(t, got, `"remark":"`+strings.Repeat("字", 9)+`ab"`)
	require.Contains(t, got, `{"subscribe":0,"openid":"`+gone.OpenID()+`"}`)
}
