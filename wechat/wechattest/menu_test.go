package wechattest_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

// object spares the braces of JSON in a table.
type object = map[string]any

func click(name string) object { return object{"type": "click", "name": name, "key": "k"} }

func TestAMenuIsCheckedAgainstEachLimit(t *testing.T) {
	t.Parallel()
	a := open(t, wechattest.Config{MiniPrograms: []string{"wx111"}})
	token := a.token()
	list := func(n int) (all []object) {
		for range n {
			all = append(all, click("查询"))
		}
		return all
	}
	with := func(b object, key string, value any) object {
		b[key] = value
		return b
	}
	top := func(b object) []object { return []object{b} }
	below := func(b object) []object { return []object{{"name": "更多", "sub_button": []object{b}}} }
	view := func(url string) object { return object{"type": "view", "name": "主页", "url": url} }
	mini := func(appID, path string) object {
		return object{"type": "miniprogram", "name": "小程序", "url": "http://a.cn", "appid": appID, "pagepath": path}
	}
	for name, test := range map[string]struct {
		buttons []object
		code    int
	}{
		"no button":                       {nil, 40016},
		"three":                           {list(3), 0},
		"four":                            {list(4), 40016},
		"five below":                      {top(object{"name": "更多", "sub_button": list(5)}), 0},
		"six below":                       {top(object{"name": "更多", "sub_button": list(6)}), 40023},
		"a third level":                   {below(object{"name": "再多", "sub_button": list(1)}), 40022},
		"without a name":                  {top(click("")), 40018},
		"a name of 16 bytes":              {top(click(strings.Repeat("a", 16))), 0},
		"a name of 17 bytes":              {top(click(strings.Repeat("a", 17))), 40018},
		"six Chinese characters":          {top(click("预约挂号查询")), 40018},
		"60 bytes below":                  {below(click(strings.Repeat("查", 20))), 0},
		"61 bytes below":                  {below(click(strings.Repeat("查", 20) + "a")), 40025},
		"without a name below":            {below(click("")), 40025},
		"without a type":                  {top(with(click("查"), "type", "")), 40017},
		"an unknown type":                 {top(with(click("查"), "type", "tap")), 40017},
		"an unknown type below":           {below(with(click("查"), "type", "tap")), 40024},
		"click without a key":             {top(with(click("查"), "key", "")), 40019},
		"a key of 128 bytes":              {top(with(click("查"), "key", strings.Repeat("k", 128))), 0},
		"a key of 129 bytes":              {top(with(click("查"), "key", strings.Repeat("k", 129))), 40019},
		"a key of 129 bytes below":        {below(with(click("查"), "key", strings.Repeat("k", 129))), 40026},
		"view":                            {top(view("https://hospital.example/a?b=1&c=2")), 0},
		"view without an address":         {top(view("")), 40020},
		"an address of 1024 bytes":        {top(view("http://a.cn/" + strings.Repeat("a", 1012))), 0},
		"an address of 1025 bytes":        {top(view("http://a.cn/" + strings.Repeat("a", 1013))), 40020},
		"an address of 1025 bytes below":  {below(view("http://a.cn/" + strings.Repeat("a", 1013))), 40027},
		"an address without a scheme":     {top(view("hospital.example")), 40055},
		"an address of another scheme":    {top(view("ftp://hospital.example")), 40055},
		"an address without a host below": {below(view("http:///a")), 40054},
		"a linked mini program":           {top(mini("wx111", "pages/a")), 0},
		"a foreign mini program":          {top(mini("wx222", "pages/a")), 40166},
		"a mini program without a page":   {top(mini("wx111", "")), 40165},
		"media the platform has not":      {top(object{"type": "media_id", "name": "图", "media_id": "m"}), 40007},
		"scan":                            {top(object{"type": "scancode_waitmsg", "name": "扫码", "key": "k"}), 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body, err := json.Marshal(object{"button": test.buttons})
			require.NoError(t, err)
			plain := strings.ReplaceAll(string(body), `\u0026`, "&")
			got := read(t, a.ask("POST", "/cgi-bin/menu/create", plain, "access_token", token))
			require.Equal(t, test.code, got.Code, got.raw)
		})
	}
}

func TestTheMenuIsKeptShownAndDeleted(t *testing.T) {
	t.Parallel()
	a := open(t, wechattest.Config{})
	const get, self = "/cgi-bin/menu/get", "/cgi-bin/get_current_selfmenu_info"
	require.Equal(t, 46003, a.get(get).Code)
	require.JSONEq(t, `{"is_menu_open":0,"selfmenu_info":{"button":[]}}`, a.get(self).raw)
	const buttons = `{"button":[{"type":"click","name":"挂号","key":"book","url":"","sub_button":[]},
		{"name":"查询","sub_button":[{"type":"view","name":"报告","url":"http://a.cn/?a=1&b=2","sub_button":[]}]}]}`
	require.Zero(t, a.post("/cgi-bin/menu/create", buttons).Code)
	require.Equal(t, 40016, a.post("/cgi-bin/menu/create", `{"button":[]}`).Code)
	require.JSONEq(t, `{"menu":{"button":[{"type":"click","name":"挂号","key":"book","sub_button":[]},
		{"name":"查询","sub_button":[{"type":"view","name":"报告","url":"http://a.cn/?a=1&b=2","sub_button":[]}]}]}}`, a.get(get).raw, "a refused menu leaves the old one")
	require.Contains(t, a.get(get).raw, "a=1&b=2")
	require.JSONEq(t, `{"is_menu_open":1,"selfmenu_info":{"button":[{"type":"click","name":"挂号","key":"book"},
		{"name":"查询","sub_button":{"list":[{"type":"view","name":"报告","url":"http://a.cn/?a=1&b=2"}]}}]}}`, a.get(self).raw)

	f := a.follower("陈素心")
	address, err := f.Tap(t.Context(), "报告")
	require.NoError(t, err)
	require.Equal(t, "http://a.cn/?a=1&b=2", address)
	_, err = f.Tap(t.Context(), "查询")
	require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Rejected, Code: "no_tap"})
	_, err = f.Tap(t.Context(), "没有")
	require.ErrorIs(t, err, &hospital.Error{Kind: hospital.NotFound, Code: "no_button"})

	require.Zero(t, a.get("/cgi-bin/menu/delete").Code)
	require.Equal(t, 46003, a.get(get).Code)
}
