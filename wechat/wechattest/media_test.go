package wechattest_test

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital/wechat/wechattest"
)

// Files by their magic bytes.
var (
	png  = "\x89PNG\r\n\x1a\n" + "picture"
	jpg  = "\xff\xd8\xff\xe0" + "picture"
	gif  = "GIF89a" + "picture"
	bmp  = "BM" + "picture"
	mp3  = "ID3" + "voice"
	mp4  = "\x00\x00\x00\x18ftypmp42" + "film"
	amr  = "#!AMR\n" + strings.Repeat("\x3c"+strings.Repeat("a", 31), 3000) // 60 s
	text = "plain words"
)

// form is a multipart body. Pairs are further fields.
func form(tb testing.TB, field, name, data string, pairs ...string) (contentType, body string) {
	tb.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreateFormFile(field, name)
	require.NoError(tb, err)
	_, err = part.Write([]byte(data))
	require.NoError(tb, err)
	for i := 0; i < len(pairs); i += 2 {
		require.NoError(tb, w.WriteField(pairs[i], pairs[i+1]))
	}
	require.NoError(tb, w.Close())
	return w.FormDataContentType(), b.String()
}

// send posts a body of any type.
func (a *account) send(path, contentType, body string, pairs ...string) *httptest.ResponseRecorder {
	query := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		query.Set(pairs[i], pairs[i+1])
	}
	r := httptest.NewRequest(http.MethodPost, path+"?"+query.Encode(), strings.NewReader(body))
	r.Header.Set("Content-Type", contentType)
	w := httptest.NewRecorder()
	a.Handler().ServeHTTP(w, r)
	return w
}

// upload sends a file and returns the answer's members.
func (a *account) upload(path, kind, data string, pairs ...string) answer {
	a.tb.Helper()
	contentType, body := form(a.tb, "media", "f", data, pairs...)
	return read(a.tb, a.send(path, contentType, body, "type", kind, "access_token", a.token()))
}

const (
	uploadPath = "/cgi-bin/media/upload"
	getPath    = "/cgi-bin/media/get"
)

func TestATemporaryFileIsCheckedByItsBytes(t *testing.T) {
	t.Parallel()
	a := open(t, wechattest.Config{})
	for name, test := range map[string]struct {
		kind, data string
		code       int
	}{
		"PNG":                            {"image", png, 0},
		"JPEG":                           {"image", jpg, 0},
		"GIF":                            {"image", gif, 0},
		"BMP is for permanent files":     {"image", bmp, 40005},
		"words":                          {"image", text, 40005},
		"a film as image":                {"image", mp4, 40005},
		"an empty file":                  {"image", "", 40006},
		"an image of 10 MB":              {"image", png + strings.Repeat("a", 10<<20-len(png)), 0},
		"an image above 10 MB":           {"image", png + strings.Repeat("a", 10<<20-len(png)+1), 45001},
		"MP3":                            {"voice", mp3, 0},
		"an AMR of 60 s":                 {"voice", amr, 0},
		"an AMR of 60.02 s":              {"voice", amr + "\x3c" + strings.Repeat("a", 31), 45007},
		"a voice above 2 MB":             {"voice", mp3 + strings.Repeat("a", 2<<20), 45001},
		"MP4":                            {"video", mp4, 0},
		"a film above 10 MB":             {"video", mp4 + strings.Repeat("a", 10<<20), 45001},
		"a thumb":                        {"thumb", jpg, 0},
		"a thumb of PNG":                 {"thumb", png, 40005},
		"a thumb above 64 KB":            {"thumb", jpg + strings.Repeat("a", 64<<10), 45001},
		"a kind that does not exist":     {"file", png, 40004},
		"no kind":                        {"", png, 40004},
		"a kind in another case":         {"Image", png, 40004},
		"news are not uploaded as files": {"news", png, 40004},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := a.upload(uploadPath, test.kind, test.data)
			require.Equal(t, test.code, got.Code, got.raw)
		})
	}
}

func TestAnUploadIsAFormWithAFileNamedMedia(t *testing.T) {
	t.Parallel()
	a := open(t, wechattest.Config{})
	contentType, body := form(t, "media", "f.png", png)
	otherType, other := form(t, "file", "f.png", png)
	var nameless bytes.Buffer
	w := multipart.NewWriter(&nameless)
	require.NoError(t, w.WriteField("media", png))
	require.NoError(t, w.Close())
	for name, test := range map[string]struct {
		contentType, body string
		code              int
	}{
		"as it should be":        {contentType, body, 0},
		"a file of another name": {otherType, other, 41005},
		"a field without a file": {w.FormDataContentType(), nameless.String(), 41005},
		"JSON":                   {"application/json", `{"media":"x"}`, 41005},
		"no boundary":            {"multipart/form-data", body, 41005},
		"another boundary":       {"multipart/form-data; boundary=x", body, 41005},
		"cut short":              {contentType, body[:len(body)/2], 41005},
		"nothing":                {contentType, "", 41005},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, test.code, read(t, a.send(uploadPath, test.contentType, test.body, "type", "image", "access_token", a.token())).Code)
		})
	}
	require.Equal(t, http.StatusRequestEntityTooLarge, a.send(uploadPath, contentType, strings.Repeat("a", 12<<20+1), "type", "image").Code)
}

func TestATemporaryFileIsGivenOutForThreeDays(t *testing.T) {
	t.Parallel()
	a := open(t, wechattest.Config{})
	image := a.upload(uploadPath, "image", png)
	require.Len(t, image.MediaID, 64)
	require.JSONEq(t, `{"type":"image","media_id":"`+image.MediaID+`","created_at":1795390200}`, image.raw)
	thumb := a.upload(uploadPath, "thumb", jpg)
	require.Empty(t, thumb.MediaID)
	require.Len(t, thumb.ThumbID, 64)
	film := a.upload(uploadPath, "video", mp4)

	got := a.ask(http.MethodGet, getPath, "", "media_id", image.MediaID, "access_token", a.token())
	require.Equal(t, "image/png", got.Header().Get("Content-Type"))
	require.Equal(t, `attachment; filename="`+image.MediaID+`.png"`, got.Header().Get("Content-Disposition"))
	require.Equal(t, png, got.Body.String())

	address, err := url.Parse(a.get(getPath, "media_id", film.MediaID).VideoURL)
	require.NoError(t, err)
	got = a.ask(http.MethodGet, address.Path, "")
	require.Equal(t, "video/mp4", got.Header().Get("Content-Type"))
	require.Equal(t, mp4, got.Body.String())

	require.Equal(t, 40007, a.get(getPath, "media_id", "x").Code)
	require.Equal(t, 40007, a.get(getPath).Code)
	a.clock.Pass(3*24*time.Hour - time.Second)
	require.Equal(t, png, a.ask(http.MethodGet, getPath, "", "media_id", image.MediaID, "access_token", a.token()).Body.String())
	a.clock.Pass(time.Second)
	require.Equal(t, 40007, a.get(getPath, "media_id", image.MediaID).Code)
	require.Equal(t, http.StatusNotFound, a.ask(http.MethodGet, address.Path, "").Code)
}

func TestAFileSurvivesARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first, err := wechattest.New(wechattest.Config{Dir: dir, Now: newClock().Now})
	require.NoError(t, err)
	before := &account{Platform: first, clock: newClock(), tb: t}
	id := before.upload(uploadPath, "image", png).MediaID
	require.NoError(t, first.Close())
	a := open(t, wechattest.Config{Dir: dir})
	require.Equal(t, png, a.ask(http.MethodGet, getPath, "", "media_id", id, "access_token", a.token()).Body.String())
}

// FuzzUpload reads any form; each answer is whole JSON.
func FuzzUpload(f *testing.F) {
	a := open(f, wechattest.Config{Quotas: map[string]wechattest.Quota{uploadPath: {}}})
	token := a.token()
	for _, data := range []string{png, jpg, amr[:100], mp4, ""} {
		contentType, body := form(f, "media", "f", data, "description", `{"title":"a"}`)
		f.Add(contentType, body, "image")
		f.Add(contentType, body, "voice")
	}
	f.Add("multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"media\"; filename=\"\"\r\n\r\n", "thumb")
	f.Fuzz(func(t *testing.T, contentType, body, kind string) {
		if len(body) <= 12<<20 {
			read(t, a.send(uploadPath, contentType, body, "type", kind, "access_token", token))
		}
	})
}
