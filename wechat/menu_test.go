package wechat_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

func testMenu() wechat.Menu {
	return wechat.Menu{Buttons: []wechat.Button{
		{Name: "预约挂号", Type: "view", URL: "https://h.example.com/book?a=1&b=2"},
		{Name: "就诊服务", Sub: []wechat.Button{
			{Name: "候诊查询", Type: "click", Key: "QUEUE"},
			{Name: "扫码缴费", Type: "scancode_waitmsg", Key: "PAY"},
			{Name: "小程序", Type: "miniprogram", URL: "https://h.example.com/old", AppID: "wxmini", Page: "pages/index"},
		}},
	}}
}

func TestTheMenuIsPublishedReadAndDeleted(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(c *wechattest.Config) { c.MiniPrograms = []string{"wxmini"} })
	client := s.client(t, nil)
	_, err := client.Menu(t.Context())
	require.ErrorIs(t, err, wechat.ErrNoMenu)
	require.NoError(t, client.PublishMenu(t.Context(), testMenu()))
	menu, err := client.Menu(t.Context())
	require.NoError(t, err)
	for i := range menu.Buttons { // the platform writes empty lists
		if len(menu.Buttons[i].Sub) == 0 {
			menu.Buttons[i].Sub = nil
		}
		for j := range menu.Buttons[i].Sub {
			menu.Buttons[i].Sub[j].Sub = nil
		}
	}
	require.Equal(t, testMenu(), menu)
	require.NoError(t, client.DeleteMenu(t.Context()))
	_, err = client.Menu(t.Context())
	require.ErrorIs(t, err, wechat.ErrNoMenu)
}

// TestMenuLimits breaks each limit, is refused here, and sees that the
// platform would have refused too.
func TestMenuLimits(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("a", n) }
	for name, test := range map[string]struct {
		edit  func(*wechat.Menu)
		field string
	}{
		"no button":                           {func(m *wechat.Menu) { m.Buttons = nil }, "button"},
		"four buttons":                        {func(m *wechat.Menu) { m.Buttons = append(m.Buttons, m.Buttons[0], m.Buttons[0]) }, "button"},
		"a name of 17 bytes":                  {func(m *wechat.Menu) { m.Buttons[0].Name = long(17) }, "button[0].name"},
		"six Chinese characters":              {func(m *wechat.Menu) { m.Buttons[1].Name = "一二三四五六" }, "button[1].name"},
		"no name":                             {func(m *wechat.Menu) { m.Buttons[0].Name = "" }, "button[0].name"},
		"a sub name of 61 bytes":              {func(m *wechat.Menu) { m.Buttons[1].Sub[0].Name = long(61) }, "button[1].sub_button[0].name"},
		"six sub buttons":                     {func(m *wechat.Menu) { m.Buttons[1].Sub = append(m.Buttons[1].Sub, m.Buttons[1].Sub...) }, "button[1].sub_button"},
		"a third level":                       {func(m *wechat.Menu) { m.Buttons[1].Sub[0].Sub = m.Buttons[1].Sub[1:2] }, "button[1].sub_button[0].sub_button"},
		"a key of 129 bytes":                  {func(m *wechat.Menu) { m.Buttons[1].Sub[0].Key = long(129) }, "button[1].sub_button[0].key"},
		"no key":                              {func(m *wechat.Menu) { m.Buttons[1].Sub[1].Key = "" }, "button[1].sub_button[1].key"},
		"an address of 1025 bytes":            {func(m *wechat.Menu) { m.Buttons[0].URL = "https://h.example.com/" + long(1003) }, "button[0].url"},
		"no address":                          {func(m *wechat.Menu) { m.Buttons[0].URL = "" }, "button[0].url"},
		"an address that runs":                {func(m *wechat.Menu) { m.Buttons[0].URL = "javascript:alert(1)" }, "button[0].url"},
		"a mini program without an app id":    {func(m *wechat.Menu) { m.Buttons[1].Sub[2].AppID = "" }, "button[1].sub_button[2].appid"},
		"a mini program without a page":       {func(m *wechat.Menu) { m.Buttons[1].Sub[2].Page = "" }, "button[1].sub_button[2].pagepath"},
		"a mini program without a substitute": {func(m *wechat.Menu) { m.Buttons[1].Sub[2].URL = "" }, "button[1].sub_button[2].url"},
		"an unknown type":                     {func(m *wechat.Menu) { m.Buttons[0].Type = "hover" }, "button[0].type"},
		"no type":                             {func(m *wechat.Menu) { m.Buttons[0].Type = "" }, "button[0].type"},
		"a material without an id":            {func(m *wechat.Menu) { m.Buttons[0] = wechat.Button{Name: "a", Type: "media_id"} }, "button[0].media_id"},
		"an article without an id":            {func(m *wechat.Menu) { m.Buttons[0] = wechat.Button{Name: "a", Type: "article_id"} }, "button[0].article_id"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			menu := testMenu()
			require.NoError(t, menu.Validate())
			test.edit(&menu)
			err := menu.Validate()
			require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Invalid, Code: "bad_menu"})
			require.ErrorContains(t, err, test.field+":")
			s := newSite(t, func(c *wechattest.Config) { c.MiniPrograms = []string{"wxmini"} })
			require.ErrorIs(t, s.client(t, nil).PublishMenu(t.Context(), menu), err)
			require.Zero(t, s.count("/cgi-bin/menu/create"), "nothing was sent")
		})
	}
}
