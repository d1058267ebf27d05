package wechat

import (
	"context"
	"encoding/json"
	"net/url"
	"time"
	"unicode/utf8"

	"github.com/wxhospital/hospital"
)

const (
	// maxPage is the longest page of a list of contents.
	// API: POST /cgi-bin/material/batchget_material, count "取值在1到20之间".
	maxPage = 20
	// maxContents bounds an answer that holds articles, in bytes: twenty drafts of
	// eight articles at their limit would have more, and nobody has those.
	maxContents = 16 << 20
	// maxVideoTitle and maxIntroduction are ours, in characters: the page names
	// none, and the console takes no more.
	maxVideoTitle   = 30
	maxIntroduction = 300
)

// NewMaterial is a file that is to stay (永久素材). Title and Introduction are those
// of a video, which wants a title.
type NewMaterial struct {
	Upload
	Title, Introduction string
}

// validate checks all but the content. It returns Invalid with code bad_media,
// and the detail names the field as the platform does: "description.title".
func (m NewMaterial) validate() error {
	if err := m.Upload.validate(); err != nil {
		return err
	}
	video := m.Kind == VideoMedia
	switch {
	case !video && (m.Title != "" || m.Introduction != ""):
		return badMedia("description: only a video has one")
	case video && (m.Title == "" || utf8.RuneCountInString(m.Title) > maxVideoTitle):
		return badMedia("description.title: want 1 to 30 characters")
	case utf8.RuneCountInString(m.Introduction) > maxIntroduction:
		return badMedia("description.introduction: want at most 300 characters")
	}
	return nil
}

// AddedMaterial is where a file that stays is found. Images have an address.
type AddedMaterial struct {
	ID  string // media_id
	URL string
}

// AddMaterial sends a file that stays until it is deleted. It returns Invalid
// with code bad_media before anything is sent. Indeterminate: it may be there;
// look with [Client.ListMaterials], for an account may keep only so many.
// API: POST /cgi-bin/material/add_material.
func (c *Client) AddMaterial(ctx context.Context, m NewMaterial) (AddedMaterial, error) {
	if err := m.validate(); err != nil {
		return AddedMaterial{}, err
	}
	var fields []string
	if m.Kind == VideoMedia {
		about, err := encodeJSON(struct {
			Title        string `json:"title"`
			Introduction string `json:"introduction"`
		}{m.Title, m.Introduction})
		if err != nil {
			return AddedMaterial{}, &hospital.Error{Kind: hospital.Invalid, Op: "wechat.AddMaterial", Code: "bad_request", Err: err}
		}
		fields = []string{"description", string(about)}
	}
	body, err := m.newForm(ctx, m.Kind.most(), fields...)
	if err != nil {
		return AddedMaterial{}, err
	}
	ask := call{
		op: "wechat.AddMaterial", path: "/cgi-bin/material/add_material", query: url.Values{"type": {string(m.Kind)}}, upload: body, changes: true,
	}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return AddedMaterial{}, err
	}
	added := AddedMaterial{ID: answer.Get("media_id").String(), URL: answer.Get("url").String()}
	if added.ID == "" {
		return AddedMaterial{}, ask.bad("media_id")
	}
	return added, nil
}

// Material is a file that stays, as it came back: the file itself; of a video
// its title, introduction and address; of news its articles.
type Material struct {
	File
	Title, Introduction, VideoURL string
	Articles                      []DraftArticle
}

// byMediaID is the body of several calls.
type byMediaID struct {
	ID string `json:"media_id"`
}

// FetchMaterial fetches a file that stays. An unknown one is Invalid with code
// 40007.
// API: POST /cgi-bin/material/get_material.
func (c *Client) FetchMaterial(ctx context.Context, id string) (Material, error) {
	if id == "" {
		return Material{}, invalid("wechat.FetchMaterial", "bad_media", "media_id: missing")
	}
	var out Material
	ask := call{
		op: "wechat.FetchMaterial", path: "/cgi-bin/material/get_material", body: byMediaID{id}, into: &out.File, most: maxFile,
	}
	answer, err := c.do(ctx, ask)
	if err != nil || out.Data != nil {
		return out, err
	}
	if news := answer.Get("news_item"); news.Exists() {
		if out.Articles, err = readArticles(ask, news); err != nil {
			return Material{}, err
		}
		return out, nil
	}
	out.Title, out.Introduction = answer.Get("title").String(), answer.Get("description").String()
	if out.VideoURL = answer.Get("down_url").String(); !webAddress(out.VideoURL) {
		return Material{}, ask.bad("down_url")
	}
	return out, nil
}

// DeleteMaterial deletes a file that stays. An unknown one is Invalid with code
// 40007.
// API: POST /cgi-bin/material/del_material.
func (c *Client) DeleteMaterial(ctx context.Context, id string) error {
	if id == "" {
		return invalid("wechat.DeleteMaterial", "bad_media", "media_id: missing")
	}
	_, err := c.do(ctx, call{op: "wechat.DeleteMaterial", path: "/cgi-bin/material/del_material", body: byMediaID{id}, changes: true})
	return err
}

// MaterialCount is how many files stay.
type MaterialCount struct {
	Voices int `json:"voice_count"`
	Videos int `json:"video_count"`
	Images int `json:"image_count"`
	News   int `json:"news_count"`
}

// CountMaterials counts the files that stay, those uploaded in the console
// included.
// API: GET /cgi-bin/material/get_materialcount.
func (c *Client) CountMaterials(ctx context.Context) (MaterialCount, error) {
	ask := call{op: "wechat.CountMaterials", path: "/cgi-bin/material/get_materialcount"}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return MaterialCount{}, err
	}
	var count MaterialCount
	if err := json.Unmarshal([]byte(answer.Raw), &count); err != nil {
		return MaterialCount{}, ask.bad("voice_count, video_count, image_count or news_count")
	}
	return count, nil
}

// Page is a part of a list: Count entries from Offset on. Count is at most 20,
// which is also the default.
type Page struct {
	Offset int `json:"offset"`
	Count  int `json:"count"`
}

// check fills the default in. It returns Invalid with code bad_page.
func (p Page) check(op string) (Page, error) {
	switch {
	case p.Offset < 0:
		return p, invalid(op, "bad_page", "offset: negative")
	case p.Count < 0 || p.Count > maxPage:
		return p, invalid(op, "bad_page", "count: want at most 20")
	case p.Count == 0:
		p.Count = maxPage
	}
	return p, nil
}

// MaterialEntry is one line of a [MaterialList].
type MaterialEntry struct {
	ID        string
	Name      string // none of news
	URL       string // of an image
	UpdatedAt time.Time
	Articles  []DraftArticle // of news
}

// MaterialList is a page of the files that stay. Total counts the whole list.
type MaterialList struct {
	Total   int
	Entries []MaterialEntry
}

// ListMaterials lists the files of a kind that stay, the newest first. It
// returns Invalid with code bad_page or bad_media before anything is sent.
// API: POST /cgi-bin/material/batchget_material.
func (c *Client) ListMaterials(ctx context.Context, kind MediaKind, page Page) (MaterialList, error) {
	const op = "wechat.ListMaterials"
	page, err := page.check(op)
	if err != nil {
		return MaterialList{}, err
	}
	switch kind {
	case ImageMedia, VoiceMedia, VideoMedia, NewsMaterial:
	case ThumbMedia:
		return MaterialList{}, invalid(op, "bad_media", "type: thumbs are listed nowhere")
	default:
		return MaterialList{}, invalid(op, "bad_media", "type: want image, voice, video or news")
	}
	body := struct {
		Type MediaKind `json:"type"`
		Page
	}{kind, page}
	ask := call{op: op, path: "/cgi-bin/material/batchget_material", body: body, most: maxContents}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return MaterialList{}, err
	}
	total, err := integer(answer.Get("total_count"))
	if err != nil {
		return MaterialList{}, ask.bad("total_count")
	}
	out := MaterialList{Total: int(total)}
	for _, item := range answer.Get("item").Array() {
		seconds, err := integer(item.Get("update_time"))
		if err != nil || item.Get("media_id").String() == "" {
			return MaterialList{}, ask.bad("item")
		}
		entry := MaterialEntry{
			ID: item.Get("media_id").String(), Name: item.Get("name").String(), URL: item.Get("url").String(),
			UpdatedAt: time.Unix(seconds, 0).In(hospital.CST),
		}
		if news := item.Get("content.news_item"); news.Exists() {
			if entry.Articles, err = readArticles(ask, news); err != nil {
				return MaterialList{}, err
			}
		}
		out.Entries = append(out.Entries, entry)
	}
	return out, nil
}
