package wechattest_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital/wechat/wechattest"
)

const (
	addMaterial   = "/cgi-bin/material/add_material"
	getMaterial   = "/cgi-bin/material/get_material"
	delMaterial   = "/cgi-bin/material/del_material"
	listMaterials = "/cgi-bin/material/batchget_material"
	uploadImage   = "/cgi-bin/media/uploadimg"
)

// refusals posts each body and wants its code.
func refusals(t *testing.T, a *account, path string, bodies map[string]int) {
	t.Helper()
	for body, code := range bodies {
		require.Equal(t, code, a.post(path, body).Code, "%s %s", path, body)
	}
}

func TestAPermanentFileIsCheckedAndAVideoWantsATitle(t *testing.T) {
	t.Parallel()
	a := open(t, wechattest.Config{})
	for name, test := range map[string]struct {
		kind, data  string
		description string
		code        int
	}{
		"BMP":                             {"image", bmp, "", 0},
		"an image above 10 MB":            {"image", png + strings.Repeat("a", 10<<20), "", 45001},
		"words":                           {"image", text, "", 40005},
		"a thumb":                         {"thumb", jpg, "", 0},
		"a kind that does not exist":      {"film", mp4, "", 40004},
		"a film":                          {"video", mp4, `{"title":"导诊","introduction":"怎么走"}`, 0},
		"a film without a description":    {"video", mp4, "", 47001},
		"a description that is no JSON":   {"video", mp4, "导诊", 47001},
		"a description without a title":   {"video", mp4, `{"introduction":"怎么走"}`, 40097},
		"a description of the wrong type": {"video", mp4, `{"title":1}`, 47001},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var fields []string
			if test.description != "" {
				fields = []string{"description", test.description}
			}
			require.Equal(t, test.code, a.upload(addMaterial, test.kind, test.data, fields...).Code)
		})
	}
}

func TestMaterialIsListedGivenOutAndDeleted(t *testing.T) {
	t.Parallel()
	a := open(t, wechattest.Config{})
	image := a.upload(addMaterial, "image", png)
	require.Contains(t, image.URL, image.MediaID)
	voice := a.upload(addMaterial, "voice", mp3)
	require.Empty(t, voice.URL)
	film := a.upload(addMaterial, "video", mp4, "description", `{"title":"导诊","introduction":"怎么走"}`)
	news, err := a.KeepNews("旧文章", "<p>旧</p>")
	require.NoError(t, err)
	body := func(id string) string { return `{"media_id":"` + id + `"}` }

	got := a.ask(http.MethodPost, getMaterial, body(image.MediaID), "access_token", a.token())
	require.Equal(t, "image/png", got.Header().Get("Content-Type"))
	require.Equal(t, png, got.Body.String())
	described := a.post(getMaterial, body(film.MediaID))
	require.JSONEq(t, `{"title":"导诊","description":"怎么走","down_url":"http://example.com/_media/`+film.MediaID+`"}`, described.raw)
	require.Contains(t, a.post(getMaterial, body(news)).raw, `"news_item":[{"title":"旧文章"`)
	require.JSONEq(t, `{"voice_count":1,"video_count":1,"image_count":1,"news_count":1}`, a.get("/cgi-bin/material/get_materialcount").raw)

	second := a.upload(addMaterial, "image", jpg)
	require.Contains(t, a.post(listMaterials, `{"type":"image","offset":0,"count":1}`).raw, `{"total_count":2,"item_count":1,"item":[{"media_id":"`+second.MediaID, "the newest first")
	require.Contains(t, a.post(listMaterials, `{"type":"image","offset":1,"count":20}`).raw, `"item_count":1,"item":[{"media_id":"`+image.MediaID)
	require.Contains(t, a.post(listMaterials, `{"type":"image","offset":2,"count":20}`).raw, `"item_count":0,"item":[]`)
	require.Contains(t, a.post(listMaterials, `{"type":"news","offset":0,"count":20}`).raw, `"content":{"news_item":[{"title":"旧文章"`)
	refusals(t, a, listMaterials, map[string]int{
		`{"type":"image","offset":0,"count":0}`:   40097,
		`{"type":"image","offset":0,"count":21}`:  40097,
		`{"type":"image","offset":-1,"count":1}`:  40097,
		`{"type":"thumb","offset":0,"count":1}`:   40004,
		`{"offset":0,"count":1}`:                  40004,
		`{"type":"image","offset":"0","count":1}`: 47001,
	})
	for _, path := range []string{getMaterial, delMaterial} {
		refusals(t, a, path, map[string]int{body("x"): 40007, `{}`: 41006, `{"media_id":1}`: 47001, `{"mediaid":"x"}`: 41006})
	}
	require.Zero(t, a.post(delMaterial, body(image.MediaID)).Code)
	require.Equal(t, 40007, a.post(getMaterial, body(image.MediaID)).Code)
	require.Equal(t, 40007, a.get(getPath, "media_id", voice.MediaID).Code, "what stays is not temporary")
}

func TestAnImageForAnArticleIsSmallAndInNoList(t *testing.T) {
	t.Parallel()
	a := open(t, wechattest.Config{})
	require.Equal(t, 45001, a.upload(uploadImage, "", png+strings.Repeat("a", 1<<20)).Code)
	require.Equal(t, 40005, a.upload(uploadImage, "", gif).Code)
	image := a.upload(uploadImage, "", png)
	address, err := url.Parse(image.URL)
	require.NoError(t, err)
	require.Equal(t, png, a.ask(http.MethodGet, address.Path, "").Body.String())
	require.Contains(t, a.get("/cgi-bin/material/get_materialcount").raw, `"image_count":0`)
	require.Equal(t, 40007, a.post(getMaterial, fmt.Sprintf(`{"media_id":%q}`, address.Path[len("/_media/"):])).Code)
}
