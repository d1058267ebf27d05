package wechattest_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

func TestUserInfoShowsNoProfile(t *testing.T) {
	t.Parallel()
	const path = "/cgi-bin/user/info"
	a := open(t, wechattest.Config{UnionIDs: true})
	require.Equal(t, 40003, a.get(path, "openid", "o0").Code)
	f := a.follower("陈素心")
	require.Regexp(t, "^o[A-Za-z0-9_-]{27}$", f.OpenID())
	var info map[string]any
	require.NoError(t, json.Unmarshal([]byte(a.get(path, "openid", f.OpenID()).raw), &info))
	require.EqualValues(t, 1, info["subscribe"])
	require.Empty(t, info["nickname"])
	require.Empty(t, info["headimgurl"])
	require.EqualValues(t, opening.Unix(), info["subscribe_time"])
	require.Len(t, info["unionid"], 28)
	require.Equal(t, "ADD_SCENE_SEARCH", info["subscribe_scene"])

	require.NoError(t, f.Unfollow(t.Context()))
	require.JSONEq(t, `{"subscribe":0,"openid":"`+f.OpenID()+`"}`, a.get(path, "openid", f.OpenID()).raw)
	require.ErrorIs(t, f.Unfollow(t.Context()), &hospital.Error{Kind: hospital.Rejected, Code: "not_following"})
	require.ErrorIs(t, f.Say(t.Context(), "在吗"), &hospital.Error{Kind: hospital.Rejected, Code: "not_following"})
	require.ErrorIs(t, f.Scan(t.Context(), strings.Repeat("s", 65)), &hospital.Error{Kind: hospital.Invalid, Code: "bad_scene"})
	require.NoError(t, f.Scan(t.Context(), "desk-1"))
	require.ErrorIs(t, f.Say(t.Context(), strings.Repeat("a", 2049)), &hospital.Error{Kind: hospital.Invalid, Code: "bad_text"})
	require.ErrorIs(t, f.Say(t.Context(), ""), &hospital.Error{Kind: hospital.Invalid, Code: "bad_text"})
	require.NoError(t, json.Unmarshal([]byte(a.get(path, "openid", f.OpenID()).raw), &info))
	require.Equal(t, "desk-1", info["qr_scene_str"])
}

func TestFollowersAreListedInTheirOrder(t *testing.T) {
	t.Parallel()
	const path = "/cgi-bin/user/get"
	a := open(t, wechattest.Config{})
	require.JSONEq(t, `{"total":0,"count":0,"next_openid":""}`, a.get(path).raw)
	first, second := a.follower("甲").OpenID(), a.follower("乙").OpenID()
	_, err := a.Join("路人")
	require.NoError(t, err)
	require.JSONEq(t, `{"total":2,"count":2,"data":{"openid":["`+first+`","`+second+`"]},"next_openid":"`+second+`"}`, a.get(path).raw)
	require.JSONEq(t, `{"total":2,"count":1,"data":{"openid":["`+second+`"]},"next_openid":"`+second+`"}`, a.get(path, "next_openid", first).raw)
	require.JSONEq(t, `{"total":2,"count":0,"next_openid":""}`, a.get(path, "next_openid", second).raw)
	require.Equal(t, 40003, a.get(path, "next_openid", "o0").Code)
}
