package wechat_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

// Files by their magic bytes.
const (
	testPNG  = "\x89PNG\r\n\x1a\npicture"
	testJPEG = "\xff\xd8\xff\xe0picture"
	testMP3  = "ID3voice"
	testMP4  = "\x00\x00\x00\x18ftypmp42film"
)

func upload(kind wechat.MediaKind, data string) wechat.Upload {
	return wechat.Upload{Kind: kind, Name: "map of ward 3.png", Content: strings.NewReader(data)}
}

func TestATemporaryFileComesBackAsItWasSent(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	client := s.client(t, nil)
	for _, test := range []struct {
		kind        wechat.MediaKind
		data        string
		contentType string
	}{
		{wechat.ImageMedia, testPNG, "image/png"},
		{wechat.ImageMedia, testPNG + strings.Repeat("a", 10<<20-len(testPNG)), "image/png"},
		{wechat.VoiceMedia, testMP3, "audio/mpeg"},
		{wechat.ThumbMedia, testJPEG, "image/jpeg"},
	} {
		media, err := client.UploadMedia(t.Context(), upload(test.kind, test.data))
		require.NoError(t, err)
		require.Equal(t, test.kind, media.Kind)
		require.Len(t, media.ID, 64)
		require.WithinDuration(t, time.Now(), media.UploadedAt, time.Minute)
		got, err := client.FetchMedia(t.Context(), media.ID)
		require.NoError(t, err)
		require.Equal(t, test.contentType, got.Type)
		require.True(t, bytes.Equal([]byte(test.data), got.Data))
		require.Contains(t, got.Name, media.ID)
	}
	film, err := client.UploadMedia(t.Context(), upload(wechat.VideoMedia, testMP4))
	require.NoError(t, err)
	got, err := client.FetchMedia(t.Context(), film.ID)
	require.NoError(t, err)
	require.Contains(t, got.VideoURL, film.ID)
	require.Empty(t, got.Data)
	_, err = client.FetchMedia(t.Context(), "unknown")
	require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Invalid, Code: "40007"}, "the refusal comes with status 200")
	_, err = client.UploadMedia(t.Context(), upload(wechat.ImageMedia, "plain words"))
	require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Invalid, Code: "40005"})
}

func TestAFileThatDidNotArriveWholeIsNotBelieved(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	client := s.client(t, nil)
	media, err := client.UploadMedia(t.Context(), upload(wechat.ImageMedia, testPNG))
	require.NoError(t, err)
	require.NoError(t, s.Break(wechattest.Fault{Kind: wechattest.Page, Path: "/cgi-bin/media/get", Times: 1}))
	_, err = client.FetchMedia(t.Context(), media.ID)
	require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Unavailable, Code: "bad_answer"}, "a page of a gateway")
	require.NoError(t, s.Break(wechattest.Fault{Kind: wechattest.AnswerLost, Path: "/cgi-bin/media/upload"}))
	_, err = client.UploadMedia(t.Context(), upload(wechat.ImageMedia, testPNG))
	require.Equal(t, hospital.Indeterminate, hospital.KindOf(err))
	s.Mend()
	big := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/cgi-bin/stable_token" {
			_, _ = io.WriteString(w, `{"access_token":"TESTING-TOKEN","expires_in":7200}`)
			return
		}
		w.Header().Set("Content-Type", "image/png")
		_, _ = io.WriteString(w, strings.Repeat("a", 12<<20+1))
	}))
	defer big.Close()
	client = s.client(t, func(c *wechat.Config) { c.BaseURL, c.HTTPClient = big.URL, nil })
	_, err = client.FetchMedia(t.Context(), media.ID)
	require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Unavailable, Code: "too_large"})
}

// answers is a client of a platform that says one thing to all calls.
func answers(t *testing.T, contentType, disposition, body string) *wechat.Client {
	t.Helper()
	client, err := wechat.New(wechat.Config{
		AppID: testAppID, Secret: "TESTING-SECRET",
		HTTPClient: &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
			w := httptest.NewRecorder()
			if r.URL.Path == "/cgi-bin/stable_token" {
				_, _ = io.WriteString(w, `{"access_token":"TESTING-TOKEN","expires_in":7200}`)
				return w.Result(), nil
			}
			w.Header().Set("Content-Type", contentType)
			w.Header().Set("Content-Disposition", disposition)
			_, _ = io.WriteString(w, body)
			return w.Result(), nil
		})},
	})
	require.NoError(t, err)
	return client
}

func TestARefusalIsNoFileWhateverItsContentType(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"application/octet-stream", "image/jpeg", "text/plain"} {
		client := answers(t, kind, "", `{"errcode":40007,"errmsg":"invalid media_id"}`)
		_, err := client.FetchMedia(t.Context(), "m1")
		require.Equal(t, "40007", hospital.CodeOf(err), kind)
		_, err = client.FetchMaterial(t.Context(), "m1")
		require.Equal(t, "40007", hospital.CodeOf(err), kind)
	}
}

func TestAFileNameThatLeadsElsewhereIsNotKept(t *testing.T) {
	t.Parallel()
	for disposition, want := range map[string]string{
		`attachment; filename="report.png"`:         "report.png",
		`attachment; filename="../../etc/passwd"`:   "",
		`attachment; filename="..\\..\\report.png"`: "",
		`attachment; filename=".."`:                 "",
	} {
		got, err := answers(t, "image/png", disposition, testPNG).FetchMedia(t.Context(), "m1")
		require.NoError(t, err)
		require.Equal(t, want, got.Name, disposition)
	}
}

// trickle is a file that comes byte by byte, for as long as somebody reads.
type trickle struct{ hear func() }

func (r trickle) Read(p []byte) (int, error) {
	r.hear()
	p[0] = 'a'
	return 1, nil
}

func TestAFileThatTricklesInIsReadNoLongerThanTheCallerWaits(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	client := s.client(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	reads := 0
	slow := trickle{func() {
		if reads++; reads == 3 {
			cancel()
		}
	}}
	_, err := client.UploadMedia(ctx, wechat.Upload{Kind: wechat.ImageMedia, Name: "a.png", Content: slow})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, hospital.Unavailable, hospital.KindOf(err), "nothing was sent")
	require.Equal(t, 3, reads)
}

func TestATokenThatIsRefusedIsReplacedUnderAnUpload(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	client := s.client(t, nil)
	_, err := client.UploadMedia(t.Context(), upload(wechat.ImageMedia, testPNG))
	require.NoError(t, err)
	require.NoError(t, s.Revoke(wechattest.Stable))
	_, err = client.UploadMedia(t.Context(), upload(wechat.ImageMedia, testPNG))
	require.NoError(t, err, "the same bytes are sent again under the new token")
}

func TestMaterialIsAddedListedAndDeleted(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	client := s.client(t, nil)
	image, err := client.AddMaterial(t.Context(), wechat.NewMaterial{Upload: upload(wechat.ImageMedia, testPNG)})
	require.NoError(t, err)
	require.Contains(t, image.URL, image.ID)
	film, err := client.AddMaterial(t.Context(), wechat.NewMaterial{Upload: upload(wechat.VideoMedia, testMP4), Title: "导诊 <&>", Introduction: "怎么走"})
	require.NoError(t, err)
	old, err := s.KeepNews("旧文章", "<p>旧</p>")
	require.NoError(t, err)

	got, err := client.FetchMaterial(t.Context(), image.ID)
	require.NoError(t, err)
	require.Equal(t, wechat.File{Name: image.ID + ".png", Type: "image/png", Data: []byte(testPNG)}, got.File)
	got, err = client.FetchMaterial(t.Context(), film.ID)
	require.NoError(t, err)
	require.Equal(t, "导诊 <&>", got.Title)
	require.Equal(t, "怎么走", got.Introduction)
	require.Contains(t, got.VideoURL, film.ID)
	got, err = client.FetchMaterial(t.Context(), old)
	require.NoError(t, err)
	require.Equal(t, "旧文章", got.Articles[0].Title)

	count, err := client.CountMaterials(t.Context())
	require.NoError(t, err)
	require.Equal(t, wechat.MaterialCount{Videos: 1, Images: 1, News: 1}, count)
	list, err := client.ListMaterials(t.Context(), wechat.ImageMedia, wechat.Page{})
	require.NoError(t, err)
	require.Equal(t, 1, list.Total)
	require.Equal(t, image.ID, list.Entries[0].ID)
	require.Equal(t, "map of ward 3.png", list.Entries[0].Name)
	require.Equal(t, image.URL, list.Entries[0].URL)
	require.WithinDuration(t, time.Now(), list.Entries[0].UpdatedAt, time.Minute)
	list, err = client.ListMaterials(t.Context(), wechat.ImageMedia, wechat.Page{Offset: 1, Count: 1})
	require.NoError(t, err)
	require.Empty(t, list.Entries)
	list, err = client.ListMaterials(t.Context(), wechat.NewsMaterial, wechat.Page{Count: 1})
	require.NoError(t, err)
	require.Equal(t, "<p>旧</p>", list.Entries[0].Articles[0].Content)

	require.NoError(t, client.DeleteMaterial(t.Context(), image.ID))
	_, err = client.FetchMaterial(t.Context(), image.ID)
	require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Invalid, Code: "40007"})
	address, err := client.UploadImage(t.Context(), "map.png", strings.NewReader(testPNG))
	require.NoError(t, err)
	require.Contains(t, address, "http")
}

// thumb is the cover of articles.
func thumb(tb testing.TB, client *wechat.Client) string {
	tb.Helper()
	added, err := client.AddMaterial(tb.Context(), wechat.NewMaterial{Upload: upload(wechat.ImageMedia, testJPEG)})
	require.NoError(tb, err)
	return added.ID
}

func TestADraftIsWrittenChangedAndPublished(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	client := s.client(t, nil)
	cover := thumb(t, client)
	article := wechat.DraftArticle{
		Kind: wechat.NewsArticle, Title: "冬病夏治", Author: "中医科", Digest: "三伏贴", Content: "<p>三伏贴 & 膏方</p>",
		SourceURL: "https://h.example.com/news/1", ThumbID: cover, Comments: true, FollowersOnly: true,
	}
	pictures := wechat.DraftArticle{Kind: wechat.PictureArticle, Title: "门诊大楼", Content: "图", ImageIDs: []string{cover, cover}}
	id, err := client.AddDraft(t.Context(), []wechat.DraftArticle{article, pictures})
	require.NoError(t, err)
	kept, err := client.FetchDraft(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, []wechat.DraftArticle{article, pictures}, kept, "every field arrives under its name")

	changed := article
	changed.Title, changed.Comments, changed.FollowersOnly = "膏方节", false, false
	require.NoError(t, client.UpdateDraft(t.Context(), wechat.DraftChange{ID: id, Index: 0, Article: changed}))
	list, err := client.ListDrafts(t.Context(), wechat.ContentQuery{})
	require.NoError(t, err)
	require.Equal(t, 1, list.Total)
	require.Equal(t, id, list.Entries[0].ID)
	require.Equal(t, []wechat.DraftArticle{changed, pictures}, list.Entries[0].Articles)
	list, err = client.ListDrafts(t.Context(), wechat.ContentQuery{Bare: true})
	require.NoError(t, err)
	require.Empty(t, list.Entries[0].Articles[0].Content)
	n, err := client.CountDrafts(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, n)

	publishID, err := client.PublishDraft(t.Context(), id)
	require.NoError(t, err)
	state, err := client.FindPublication(t.Context(), publishID)
	require.NoError(t, err)
	require.Equal(t, wechat.Published{PublishID: publishID, Status: wechat.PublishRunning}, state)
	finish(t, s)
	state, err = client.FindPublication(t.Context(), publishID)
	require.NoError(t, err)
	require.Equal(t, wechat.PublishDone, state.Status)
	require.Len(t, state.Articles, 2)
	require.Equal(t, 2, state.Articles[1].Index)
	list, err = client.ListPublished(t.Context(), wechat.ContentQuery{Page: wechat.Page{Count: 1}})
	require.NoError(t, err)
	require.Equal(t, state.ArticleID, list.Entries[0].ID)
	require.NoError(t, client.DeletePublished(t.Context(), wechat.PublishedArticle{ArticleID: state.ArticleID, Index: 2}))
	shown, err := client.FetchPublished(t.Context(), state.ArticleID)
	require.NoError(t, err)
	require.Equal(t, []bool{false, true}, []bool{shown[0].Deleted, shown[1].Deleted})
	require.Equal(t, state.Articles[0].URL, shown[0].URL)
	require.NoError(t, client.DeletePublished(t.Context(), wechat.PublishedArticle{ArticleID: state.ArticleID}))
	state, err = client.FindPublication(t.Context(), publishID)
	require.NoError(t, err)
	require.Equal(t, wechat.PublishDeleted, state.Status)

	again, err := client.AddDraft(t.Context(), []wechat.DraftArticle{article})
	require.NoError(t, err)
	require.NoError(t, s.RefusePublishing(wechat.PublishRefused))
	publishID, err = client.PublishDraft(t.Context(), again)
	require.NoError(t, err)
	finish(t, s)
	state, err = client.FindPublication(t.Context(), publishID)
	require.NoError(t, err)
	require.Equal(t, wechat.Published{PublishID: publishID, Status: wechat.PublishRefused, Failed: []int{1}}, state)
	require.NoError(t, client.DeleteDraft(t.Context(), again))
	_, err = client.FetchDraft(t.Context(), again)
	require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Invalid, Code: "40007"})
}

// finish lets the platform do everything that it has taken on.
func finish(tb testing.TB, s *site) {
	tb.Helper()
	for {
		next, err := s.Advance(tb.Context())
		require.NoError(tb, err)
		if next.IsZero() {
			return
		}
		select {
		case <-time.After(time.Until(next)):
		case <-tb.Context().Done():
			return
		}
	}
}

func TestAPublishIDComesAsATextOrAsANumber(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`{"publish_id":"2247503051"}`, `{"errcode":0,"publish_id":2247503051}`} {
		id, err := scripted(t, []string{body}).PublishDraft(t.Context(), "m")
		require.NoError(t, err)
		require.Equal(t, "2247503051", id)
	}
	state, err := scripted(t, []string{`{"publish_id":2247503051,"publish_status":2,"fail_idx":[1,2]}`}).FindPublication(t.Context(), "2247503051")
	require.NoError(t, err)
	require.Equal(t, []int{1, 2}, state.Failed)
}

// TestWhatThePlatformWouldRefuseIsNotSent breaks each rule that is known here; the
// error names the field as the platform does.
func TestWhatThePlatformWouldRefuseIsNotSent(t *testing.T) {
	t.Parallel()
	s := newSite(t, nil)
	client := s.client(t, nil)
	long := func(n int) string { return strings.Repeat("字", n) }
	file := func(edit func(*wechat.Upload)) func() error {
		return func() error {
			u := upload(wechat.ImageMedia, testPNG)
			edit(&u)
			_, err := client.UploadMedia(t.Context(), u)
			return err
		}
	}
	material := func(edit func(*wechat.NewMaterial)) func() error {
		return func() error {
			m := wechat.NewMaterial{Upload: upload(wechat.VideoMedia, testMP4), Title: "导诊"}
			edit(&m)
			_, err := client.AddMaterial(t.Context(), m)
			return err
		}
	}
	article := func(edit func(*wechat.DraftArticle)) func() error {
		return func() error {
			a := wechat.DraftArticle{Title: "a", Content: "a", ThumbID: "t"}
			edit(&a)
			_, err := client.AddDraft(t.Context(), []wechat.DraftArticle{{Title: "a", Content: "a", ThumbID: "t"}, a})
			return err
		}
	}
	code := func(q wechat.QRCode) func() error {
		return func() error {
			_, err := client.CreateQRCode(t.Context(), q)
			return err
		}
	}
	menu := wechat.Menu{Buttons: []wechat.Button{{Name: "a", Type: "click", Key: "k"}}}
	conditional := func(menu wechat.Menu, rule wechat.MatchRule) func() error {
		return func() error {
			_, err := client.AddConditionalMenu(t.Context(), menu, rule)
			return err
		}
	}
	ids := func(n int) []wechat.OpenID { return make([]wechat.OpenID, n) }
	full := func(n int) (all []wechat.OpenID) {
		for i := range n {
			all = append(all, wechat.OpenID(fmt.Sprint(testOpenID, i)))
		}
		return all
	}
	second := func(_ any, err error) error { return err }
	for name, test := range map[string]struct {
		call  func() error
		code  string
		field string
	}{
		"a kind of file that does not exist": {file(func(u *wechat.Upload) { u.Kind = "film" }), "bad_media", "type"},
		"news as a file":                     {file(func(u *wechat.Upload) { u.Kind = wechat.NewsMaterial }), "bad_media", "type"},
		"a file without a name":              {file(func(u *wechat.Upload) { u.Name = "" }), "bad_media", "media"},
		"a name with a line break":           {file(func(u *wechat.Upload) { u.Name = "a\r\nb" }), "bad_media", "media"},
		"a name with a quote":                {file(func(u *wechat.Upload) { u.Name = `a"b` }), "bad_media", "media"},
		"a path as a name":                   {file(func(u *wechat.Upload) { u.Name = "../a" }), "bad_media", "media"},
		"a name of 256 bytes":                {file(func(u *wechat.Upload) { u.Name = strings.Repeat("a", 256) }), "bad_media", "media"},
		"a file without content":             {file(func(u *wechat.Upload) { u.Content = nil }), "bad_media", "media"},
		"an empty file":                      {file(func(u *wechat.Upload) { u.Content = strings.NewReader("") }), "bad_media", "media"},
		"a file that cannot be read":         {file(func(u *wechat.Upload) { u.Content = iotest.ErrReader(errors.New("x")) }), "bad_media", "media"},
		"an image above 10 MB":               {file(func(u *wechat.Upload) { u.Content = strings.NewReader(strings.Repeat("a", 10<<20+1)) }), "bad_media", "media"},
		"a thumb above 64 KB": {file(func(u *wechat.Upload) {
			u.Kind, u.Content = wechat.ThumbMedia, strings.NewReader(strings.Repeat("a", 64<<10+1))
		}), "bad_media", "media"},
		"a film without a title":            {material(func(m *wechat.NewMaterial) { m.Title = "" }), "bad_media", "description.title"},
		"a film's title of 31 characters":   {material(func(m *wechat.NewMaterial) { m.Title = long(31) }), "bad_media", "description.title"},
		"an introduction of 301 characters": {material(func(m *wechat.NewMaterial) { m.Introduction = long(301) }), "bad_media", "description.introduction"},
		"an image with a title":             {material(func(m *wechat.NewMaterial) { m.Kind = wechat.ImageMedia }), "bad_media", "description"},
		"an image for an article of 1 MB": {func() error {
			return second(client.UploadImage(t.Context(), "map.png", strings.NewReader(strings.Repeat("a", 1<<20))))
		}, "bad_media", "media"},
		"no media id":                   {func() error { return second(client.FetchMedia(t.Context(), "")) }, "bad_media", "media_id"},
		"no id of a material":           {func() error { return second(client.FetchMaterial(t.Context(), "")) }, "bad_media", "media_id"},
		"no id of a material to delete": {func() error { return client.DeleteMaterial(t.Context(), "") }, "bad_media", "media_id"},
		"a page of 21": {func() error {
			return second(client.ListMaterials(t.Context(), wechat.ImageMedia, wechat.Page{Count: 21}))
		}, "bad_page", "count"},
		"a page before the first": {func() error {
			return second(client.ListMaterials(t.Context(), wechat.ImageMedia, wechat.Page{Offset: -1, Count: 1}))
		}, "bad_page", "offset"},
		"a list of thumbs": {func() error {
			return second(client.ListMaterials(t.Context(), wechat.ThumbMedia, wechat.Page{Count: 1}))
		}, "bad_media", "type"},
		"no article":                          {func() error { return second(client.AddDraft(t.Context(), nil)) }, "bad_article", "articles"},
		"nine articles":                       {func() error { return second(client.AddDraft(t.Context(), make([]wechat.DraftArticle, 9))) }, "bad_article", "articles"},
		"an unknown kind of article":          {article(func(a *wechat.DraftArticle) { a.Kind = "letter" }), "bad_article", "articles[1].article_type"},
		"an article without a title":          {article(func(a *wechat.DraftArticle) { a.Title = "" }), "bad_article", "articles[1].title"},
		"a title of 33 characters":            {article(func(a *wechat.DraftArticle) { a.Title = long(33) }), "bad_article", "articles[1].title"},
		"an author of 17 characters":          {article(func(a *wechat.DraftArticle) { a.Author = long(17) }), "bad_article", "articles[1].author"},
		"a digest of 129 characters":          {article(func(a *wechat.DraftArticle) { a.Digest = long(129) }), "bad_article", "articles[1].digest"},
		"an article without content":          {article(func(a *wechat.DraftArticle) { a.Content = "" }), "bad_article", "articles[1].content"},
		"20000 characters":                    {article(func(a *wechat.DraftArticle) { a.Content = long(20_000) }), "bad_article", "articles[1].content"},
		"a source that runs":                  {article(func(a *wechat.DraftArticle) { a.SourceURL = "javascript:1" }), "bad_article", "articles[1].content_source_url"},
		"comments for followers without any":  {article(func(a *wechat.DraftArticle) { a.FollowersOnly = true }), "bad_article", "articles[1].only_fans_can_comment"},
		"news without a cover":                {article(func(a *wechat.DraftArticle) { a.ThumbID = "" }), "bad_article", "articles[1].thumb_media_id"},
		"news with pictures":                  {article(func(a *wechat.DraftArticle) { a.ImageIDs = []string{"i"} }), "bad_article", "articles[1].image_info"},
		"a picture article without a picture": {article(func(a *wechat.DraftArticle) { a.Kind, a.ThumbID = wechat.PictureArticle, "" }), "bad_article", "articles[1].image_info.image_list"},
		"a picture article of 21 pictures": {article(func(a *wechat.DraftArticle) {
			a.Kind, a.ThumbID, a.ImageIDs = wechat.PictureArticle, "", make([]string, 21)
		}), "bad_article", "articles[1].image_info.image_list"},
		"a picture article with a cover": {article(func(a *wechat.DraftArticle) { a.Kind, a.ImageIDs = wechat.PictureArticle, []string{"i"} }), "bad_article", "articles[1].thumb_media_id"},
		"a change of no draft":           {func() error { return client.UpdateDraft(t.Context(), wechat.DraftChange{}) }, "bad_article", "media_id"},
		"a change of the ninth article":  {func() error { return client.UpdateDraft(t.Context(), wechat.DraftChange{ID: "m", Index: 8}) }, "bad_article", "index"},
		"a change to nothing":            {func() error { return client.UpdateDraft(t.Context(), wechat.DraftChange{ID: "m"}) }, "bad_article", "articles.title"},
		"no draft":                       {func() error { return second(client.FetchDraft(t.Context(), "")) }, "bad_article", "media_id"},
		"no draft to delete":             {func() error { return client.DeleteDraft(t.Context(), "") }, "bad_article", "media_id"},
		"no draft to publish":            {func() error { return second(client.PublishDraft(t.Context(), "")) }, "bad_article", "media_id"},
		"no publication":                 {func() error { return second(client.FindPublication(t.Context(), "")) }, "bad_article", "publish_id"},
		"no published article":           {func() error { return second(client.FetchPublished(t.Context(), "")) }, "bad_article", "article_id"},
		"no article to delete":           {func() error { return client.DeletePublished(t.Context(), wechat.PublishedArticle{}) }, "bad_article", "article_id"},
		"the minus first article": {func() error {
			return client.DeletePublished(t.Context(), wechat.PublishedArticle{ArticleID: "a", Index: -1})
		}, "bad_article", "index"},
		"a list of 21 drafts": {func() error {
			return second(client.ListDrafts(t.Context(), wechat.ContentQuery{Page: wechat.Page{Count: 21}}))
		}, "bad_page", "count"},
		"a list of 21 publications": {func() error {
			return second(client.ListPublished(t.Context(), wechat.ContentQuery{Page: wechat.Page{Count: 21}}))
		}, "bad_page", "count"},
		"nobody":                       {func() error { return second(client.FindUsers(t.Context(), nil)) }, "bad_users", "user_list"},
		"101 users":                    {func() error { return second(client.FindUsers(t.Context(), full(101))) }, "bad_users", "user_list"},
		"an empty openid":              {func() error { return second(client.FindUsers(t.Context(), ids(1))) }, "bad_users", "user_list[0]"},
		"a remark of 30 bytes":         {func() error { return client.RemarkUser(t.Context(), testOpenID, long(10)) }, "bad_remark", "remark"},
		"a remark for nobody":          {func() error { return client.RemarkUser(t.Context(), "", "a") }, "bad_remark", "openid"},
		"a tag without a name":         {func() error { return second(client.CreateTag(t.Context(), "")) }, "bad_tag", "tag.name"},
		"a tag's name of 31 bytes":     {func() error { return second(client.CreateTag(t.Context(), long(10)+"a")) }, "bad_tag", "tag.name"},
		"the platform's own tag":       {func() error { return client.RenameTag(t.Context(), 2, "a") }, "bad_tag", "tag.id"},
		"a tag renamed to nothing":     {func() error { return client.RenameTag(t.Context(), 100, "") }, "bad_tag", "tag.name"},
		"the platform's own tag to go": {func() error { return client.DeleteTag(t.Context(), 0) }, "bad_tag", "tag.id"},
		"no tag":                       {func() error { return client.TagUsers(t.Context(), 0, full(1)) }, "bad_tag", "tagid"},
		"51 followers":                 {func() error { return client.UntagUsers(t.Context(), 100, full(51)) }, "bad_users", "openid_list"},
		"the tags of nobody":           {func() error { return second(client.TagsOf(t.Context(), "")) }, "bad_users", "openid"},
		"21 barred":                    {func() error { return client.BarUsers(t.Context(), full(21)) }, "bad_users", "openid_list"},
		"nobody let in again":          {func() error { return client.UnbarUsers(t.Context(), nil) }, "bad_users", "openid_list"},
		"a code without a scene":       {code(wechat.QRCode{Life: time.Minute}), "bad_qrcode", "action_info.scene.scene_id"},
		"a code with two scenes":       {code(wechat.QRCode{Scene: "a", SceneID: 1}), "bad_qrcode", "action_info.scene"},
		"a scene of 65 bytes":          {code(wechat.QRCode{Scene: strings.Repeat("a", 65)}), "bad_qrcode", "action_info.scene.scene_str"},
		"a permanent scene of 100001":  {code(wechat.QRCode{SceneID: 100_001}), "bad_qrcode", "action_info.scene.scene_id"},
		"a scene above 32 bits":        {code(wechat.QRCode{SceneID: 1 << 32, Life: time.Minute}), "bad_qrcode", "action_info.scene.scene_id"},
		"a code of 31 days":            {code(wechat.QRCode{Scene: "a", Life: 31 * 24 * time.Hour}), "bad_qrcode", "expire_seconds"},
		"a code of half a second":      {code(wechat.QRCode{Scene: "a", Life: time.Second / 2}), "bad_qrcode", "expire_seconds"},
		"no ticket":                    {func() error { return second(client.FetchQRCode(t.Context(), "")) }, "bad_qrcode", "ticket"},
		"a menu for everybody":         {conditional(menu, wechat.MatchRule{}), "bad_menu", "matchrule"},
		"a menu for a fourth platform": {conditional(menu, wechat.MatchRule{Platform: 4}), "bad_menu", "matchrule.client_platform_type"},
		"a menu for a tag below 0":     {conditional(menu, wechat.MatchRule{Tag: -1}), "bad_menu", "matchrule.tag_id"},
		"a menu without a button":      {conditional(wechat.Menu{}, wechat.MatchRule{Tag: 1}), "bad_menu", "button"},
		"no menu to delete":            {func() error { return client.DeleteConditionalMenu(t.Context(), "") }, "bad_menu", "menuid"},
		"nobody's menu":                {func() error { return second(client.MatchMenu(t.Context(), "")) }, "bad_menu", "user_id"},
		"a text of 4097 bytes": {func() error {
			return second(client.Shorten(t.Context(), strings.Repeat("a", 4097), time.Hour))
		}, "bad_short_key", "long_data"},
		"a key for good":                {func() error { return second(client.Shorten(t.Context(), "a", 0)) }, "bad_short_key", "expire_seconds"},
		"no key":                        {func() error { return second(client.Lengthen(t.Context(), "")) }, "bad_short_key", "short_key"},
		"no code of a mini program":     {func() error { return second(client.FinishMiniLogin(t.Context(), "")) }, "bad_code", "js_code"},
		"a path with its host":          {func() error { return second(client.FindQuota(t.Context(), "https://api.weixin.qq.com/cgi-bin/token")) }, "bad_path", "cgi_path"},
		"a path of web logins":          {func() error { return client.ClearQuotaOf(t.Context(), "/sns/auth") }, "bad_path", "cgi_path"},
		"a rid that is none":            {func() error { return second(client.FindRefused(t.Context(), "61725984")) }, "bad_rid", "rid"},
		"an action that does not exist": {func() error { return second(client.CheckCallback(t.Context(), wechat.CallbackCheck{Action: "look"})) }, "bad_check", "action"},
		"an operator that does not exist": {func() error {
			return second(client.CheckCallback(t.Context(), wechat.CallbackCheck{Operator: "CMCC"}))
		}, "bad_check", "check_operator"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := test.call()
			require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Invalid, Code: test.code})
			require.ErrorContains(t, err, ": "+test.field+":")
			require.NotContains(t, err.Error(), testOpenID)
		})
	}
	t.Cleanup(func() { require.Zero(t, s.tokenCalls(), "nothing was sent") })
}

// TestAnswersThatLackWhatMattersAreNotBelieved gives each call an answer without
// the field that it is made for.
func TestAnswersThatLackWhatMattersAreNotBelieved(t *testing.T) {
	t.Parallel()
	second := func(_ any, err error) error { return err }
	qr := wechat.QRCode{Scene: "a", Life: time.Minute}
	user := []wechat.OpenID{testOpenID}
	for name, test := range map[string]struct {
		body  string
		call  func(*wechat.Client) error
		field string
	}{
		"an upload without an id": {`{"type":"image"}`, func(c *wechat.Client) error {
			return second(c.UploadMedia(t.Context(), upload(wechat.ImageMedia, testPNG)))
		}, "media_id"},
		"an upload without an instant": {`{"media_id":"m","created_at":"x"}`, func(c *wechat.Client) error {
			return second(c.UploadMedia(t.Context(), upload(wechat.ImageMedia, testPNG)))
		}, "created_at"},
		"a film without an address": {`{}`, func(c *wechat.Client) error { return second(c.FetchMedia(t.Context(), "m")) }, "video_url"},
		"a film at a script":        {`{"video_url":"javascript:1"}`, func(c *wechat.Client) error { return second(c.FetchMedia(t.Context(), "m")) }, "video_url"},
		"an image without an address": {`{}`, func(c *wechat.Client) error {
			return second(c.UploadImage(t.Context(), "map.png", strings.NewReader(testPNG)))
		}, "url"},
		"a material without an id": {`{}`, func(c *wechat.Client) error {
			return second(c.AddMaterial(t.Context(), wechat.NewMaterial{Upload: upload(wechat.ImageMedia, testPNG)}))
		}, "media_id"},
		"a material that is nothing": {`{}`, func(c *wechat.Client) error { return second(c.FetchMaterial(t.Context(), "m")) }, "down_url"},
		"news that are none":         {`{"news_item":{"title":1}}`, func(c *wechat.Client) error { return second(c.FetchMaterial(t.Context(), "m")) }, "news_item"},
		"a count of words":           {`{"voice_count":"many"}`, func(c *wechat.Client) error { return second(c.CountMaterials(t.Context())) }, "voice_count"},
		"an entry without an id": {`{"total_count":1,"item":[{}]}`, func(c *wechat.Client) error {
			return second(c.ListMaterials(t.Context(), wechat.ImageMedia, wechat.Page{Count: 1}))
		}, "item"},
		"a draft without an id": {`{}`, func(c *wechat.Client) error {
			return second(c.AddDraft(t.Context(), []wechat.DraftArticle{{Title: "a", Content: "a", ThumbID: "t"}}))
		}, "media_id"},
		"a draft without articles": {`{}`, func(c *wechat.Client) error { return second(c.FetchDraft(t.Context(), "m")) }, "news_item"},
		"no count of drafts":       {`{}`, func(c *wechat.Client) error { return second(c.CountDrafts(t.Context())) }, "total_count"},
		"a draft entry without an id": {`{"total_count":1,"item":[{"content":{"news_item":[]}}]}`, func(c *wechat.Client) error {
			return second(c.ListDrafts(t.Context(), wechat.ContentQuery{Page: wechat.Page{Count: 1}}))
		}, "item"},
		"a publication without an id":    {`{}`, func(c *wechat.Client) error { return second(c.PublishDraft(t.Context(), "m")) }, "publish_id"},
		"another publication":            {`{"publish_id":"8","publish_status":0}`, func(c *wechat.Client) error { return second(c.FindPublication(t.Context(), "7")) }, "publish_id"},
		"a publication without a status": {`{"publish_id":"7"}`, func(c *wechat.Client) error { return second(c.FindPublication(t.Context(), "7")) }, "publish_status"},
		"a status that does not exist":   {`{"publish_id":"7","publish_status":7}`, func(c *wechat.Client) error { return second(c.FindPublication(t.Context(), "7")) }, "publish_status"},
		"a success without an article":   {`{"publish_id":"7","publish_status":0}`, func(c *wechat.Client) error { return second(c.FindPublication(t.Context(), "7")) }, "article_id"},
		"a failed article that is none":  {`{"publish_id":"7","publish_status":2,"fail_idx":["x"]}`, func(c *wechat.Client) error { return second(c.FindPublication(t.Context(), "7")) }, "fail_idx"},
		"fewer users than asked for":     {`{"user_info_list":[]}`, func(c *wechat.Client) error { return second(c.FindUsers(t.Context(), user)) }, "user_info_list"},
		"another user":                   {`{"user_info_list":[{"openid":"o"}]}`, func(c *wechat.Client) error { return second(c.FindUsers(t.Context(), user)) }, "openid"},
		"a tag without an id":            {`{"tag":{}}`, func(c *wechat.Client) error { return second(c.CreateTag(t.Context(), "a")) }, "tag.id"},
		"tags that are none":             {`{"tags":[{"id":"x"}]}`, func(c *wechat.Client) error { return second(c.ListTags(t.Context())) }, "tags"},
		"tags of a user that are none":   {`{"tagid_list":["x"]}`, func(c *wechat.Client) error { return second(c.TagsOf(t.Context(), testOpenID)) }, "tagid_list"},
		"a code without a ticket":        {`{"url":"http://a"}`, func(c *wechat.Client) error { return second(c.CreateQRCode(t.Context(), qr)) }, "ticket"},
		"a code without content":         {`{"ticket":"t"}`, func(c *wechat.Client) error { return second(c.CreateQRCode(t.Context(), qr)) }, "url"},
		"a code without an end":          {`{"ticket":"t","url":"http://a"}`, func(c *wechat.Client) error { return second(c.CreateQRCode(t.Context(), qr)) }, "expire_seconds"},
		"no short key": {`{}`, func(c *wechat.Client) error {
			return second(c.Shorten(t.Context(), "a", time.Hour))
		}, "short_key"},
		"no long text":              {`{}`, func(c *wechat.Client) error { return second(c.Lengthen(t.Context(), "k")) }, "long_data"},
		"a login without a key":     {`{"openid":"o"}`, func(c *wechat.Client) error { return second(c.FinishMiniLogin(t.Context(), "c")) }, "openid or session_key"},
		"no quota":                  {`{}`, func(c *wechat.Client) error { return second(c.FindQuota(t.Context(), "/a")) }, "quota"},
		"a quota in words":          {`{"quota":{"daily_limit":"many"}}`, func(c *wechat.Client) error { return second(c.FindQuota(t.Context(), "/a")) }, "quota.daily_limit"},
		"no request":                {`{}`, func(c *wechat.Client) error { return second(c.FindRefused(t.Context(), "61725984-6126f6f9-040f19c4")) }, "request"},
		"an address that is none":   {`{"dns":[{"ip":"x"}]}`, func(c *wechat.Client) error { return second(c.CheckCallback(t.Context(), wechat.CallbackCheck{})) }, "dns or ping"},
		"a list without an address": {`{"ip_list":[]}`, func(c *wechat.Client) error { return second(c.APIIPs(t.Context())) }, "ip_list"},
		"a menu without an id": {`{}`, func(c *wechat.Client) error {
			return second(c.AddConditionalMenu(t.Context(), testMenu(), wechat.MatchRule{Tag: 100}))
		}, "menuid"},
		"a menu without buttons":    {`{}`, func(c *wechat.Client) error { return second(c.MatchMenu(t.Context(), testOpenID)) }, "button"},
		"a shown menu that is none": {`{}`, func(c *wechat.Client) error { return second(c.ShownMenu(t.Context())) }, "is_menu_open"},
		"a condition that is none": {`{"menu":{"button":[{}]},"conditionalmenu":[{"button":[{}],"menuid":1,"matchrule":{"tag_id":"x"}}]}`, func(c *wechat.Client) error {
			_, _, err := c.Menus(t.Context())
			return err
		}, "conditionalmenu"},
		"a page that comes again": {`{"data":{"openid":["a"]},"next_openid":"a"}`, func(c *wechat.Client) error {
			var failed error
			for _, err := range c.ListUsers(t.Context()) {
				failed = err
			}
			return failed
		}, "next_openid"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := test.call(scripted(t, []string{test.body, test.body, test.body, test.body}))
			require.ErrorIs(t, err, &hospital.Error{Kind: hospital.KindOf(err), Code: "bad_answer"})
			require.Contains(t, []hospital.Kind{hospital.Unavailable, hospital.Indeterminate}, hospital.KindOf(err))
			require.ErrorContains(t, err, ": "+test.field)
		})
	}
}
