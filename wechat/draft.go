package wechat

import (
	"context"
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/tidwall/gjson"

	"github.com/wxhospital/hospital"
)

// The limits of a draft; lengths are characters where nothing else is said.
// API: POST /cgi-bin/draft/add, 图文素材集合. How many articles it may have is the
// limit of the news material before it.
const (
	maxDraftArticles = 8
	maxArticleTitle  = 32
	maxAuthor        = 16
	maxDigest        = 128
	maxContentRunes  = 20_000  // it must be shorter
	maxContentBytes  = 1 << 20 // likewise
	maxSourceURL     = 1 << 10 // bytes
	maxArticleImages = 20
)

// ArticleKind is what an article looks like.
type ArticleKind string

// The kinds. The zero value is [NewsArticle].
const (
	NewsArticle    ArticleKind = "news"    // 图文消息: HTML and a cover
	PictureArticle ArticleKind = "newspic" // 图片消息: pictures and plain text
)

// DraftArticle is one article of a draft or of a publication.
type DraftArticle struct {
	Kind    ArticleKind
	Title   string
	Author  string
	Digest  string // the platform takes the text's beginning where it is empty
	Content string // HTML of news; scripts and foreign images are taken out of it
	// SourceURL is where "阅读原文" leads.
	SourceURL string
	// ThumbID is the cover of news: the id of a permanent image.
	ThumbID string
	// ImageIDs are the pictures of a picture article: one to twenty permanent
	// images.
	ImageIDs []string
	// Comments lets readers comment, FollowersOnly only those who follow.
	Comments, FollowersOnly bool
	// URL and Deleted are the platform's word, and not sent.
	URL     string
	Deleted bool
}

// wireArticle is the article as the calls carry it.
type wireArticle struct {
	Kind     ArticleKind `json:"article_type,omitempty"`
	Title    string      `json:"title"`
	Author   string      `json:"author,omitempty"`
	Digest   string      `json:"digest,omitempty"`
	Content  string      `json:"content"`
	Source   string      `json:"content_source_url,omitempty"`
	ThumbID  string      `json:"thumb_media_id,omitempty"`
	Comments int         `json:"need_open_comment"`
	FansOnly int         `json:"only_fans_can_comment"`
	Images   *wireImages `json:"image_info,omitempty"`
	URL      string      `json:"url,omitempty"`
	Deleted  bool        `json:"is_deleted,omitempty"`
}

type wireImages struct {
	List []wireImage `json:"image_list"`
}

type wireImage struct {
	ID string `json:"image_media_id"`
}

func (a DraftArticle) validate(at string) error {
	bad := func(detail string) error { return invalid("wechat.DraftArticle", "bad_article", at+detail) }
	switch runes := utf8.RuneCountInString; {
	case a.Kind != "" && a.Kind != NewsArticle && a.Kind != PictureArticle:
		return bad("article_type: want news or newspic")
	case a.Title == "" || runes(a.Title) > maxArticleTitle:
		return bad("title: want 1 to 32 characters")
	case runes(a.Author) > maxAuthor:
		return bad("author: want at most 16 characters")
	case runes(a.Digest) > maxDigest:
		return bad("digest: want at most 128 characters")
	case a.Content == "" || runes(a.Content) >= maxContentRunes || len(a.Content) >= maxContentBytes:
		return bad("content: want 1 to 19999 characters and less than 1 MB")
	case a.SourceURL != "" && (!webAddress(a.SourceURL) || len(a.SourceURL) > maxSourceURL):
		return bad("content_source_url: want http:// or https:// and a host, at most 1024 bytes")
	case a.FollowersOnly && !a.Comments:
		return bad("only_fans_can_comment: want need_open_comment too")
	case a.Kind == PictureArticle && (len(a.ImageIDs) == 0 || len(a.ImageIDs) > maxArticleImages):
		return bad("image_info.image_list: want 1 to 20")
	case a.Kind == PictureArticle && a.ThumbID != "":
		return bad("thumb_media_id: a picture article has none")
	case a.Kind != PictureArticle && a.ThumbID == "":
		return bad("thumb_media_id: missing")
	case a.Kind != PictureArticle && len(a.ImageIDs) > 0:
		return bad("image_info: only a picture article has it")
	}
	return nil
}

// wire is the article as it is sent.
func (a DraftArticle) wire() wireArticle {
	w := wireArticle{
		Kind: a.Kind, Title: a.Title, Author: a.Author, Digest: a.Digest, Content: a.Content, Source: a.SourceURL, ThumbID: a.ThumbID,
	}
	if a.Comments {
		w.Comments = 1
	}
	if a.FollowersOnly {
		w.FansOnly = 1
	}
	if len(a.ImageIDs) > 0 {
		w.Images = &wireImages{}
		for _, id := range a.ImageIDs {
			w.Images.List = append(w.Images.List, wireImage{id})
		}
	}
	return w
}

// readArticles reads news_item.
func readArticles(ask call, news gjson.Result) ([]DraftArticle, error) {
	var rows []wireArticle
	if err := json.Unmarshal([]byte(news.Raw), &rows); err != nil {
		return nil, ask.bad("news_item")
	}
	all := make([]DraftArticle, len(rows))
	for i, w := range rows {
		all[i] = DraftArticle{
			Kind: w.Kind, Title: w.Title, Author: w.Author, Digest: w.Digest, Content: w.Content, SourceURL: w.Source, ThumbID: w.ThumbID,
			Comments: w.Comments == 1, FollowersOnly: w.FansOnly == 1, URL: w.URL, Deleted: w.Deleted,
		}
		if w.Images != nil {
			for _, image := range w.Images.List {
				all[i].ImageIDs = append(all[i].ImageIDs, image.ID)
			}
		}
	}
	return all, nil
}

// AddDraft puts one to eight articles into the draft box (草稿箱) and returns the
// draft's media_id. It leaves the box when it is published or sent to all. It
// returns Invalid with code bad_article before anything is sent.
// API: POST /cgi-bin/draft/add.
func (c *Client) AddDraft(ctx context.Context, articles []DraftArticle) (id string, err error) {
	if len(articles) == 0 || len(articles) > maxDraftArticles {
		return "", invalid("wechat.AddDraft", "bad_article", "articles: want 1 to 8")
	}
	var body struct {
		Articles []wireArticle `json:"articles"`
	}
	for i, a := range articles {
		if err := a.validate("articles[" + strconv.Itoa(i) + "]."); err != nil {
			return "", err
		}
		body.Articles = append(body.Articles, a.wire())
	}
	ask := call{op: "wechat.AddDraft", path: "/cgi-bin/draft/add", body: body, changes: true}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return "", err
	}
	if id = answer.Get("media_id").String(); id == "" {
		return "", ask.bad("media_id")
	}
	return id, nil
}

// FetchDraft returns the articles of a draft. An unknown one is Invalid with code
// 40007.
// API: POST /cgi-bin/draft/get.
func (c *Client) FetchDraft(ctx context.Context, id string) ([]DraftArticle, error) {
	if id == "" {
		return nil, invalid("wechat.FetchDraft", "bad_article", "media_id: missing")
	}
	ask := call{op: "wechat.FetchDraft", path: "/cgi-bin/draft/get", body: byMediaID{id}, most: maxContents}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return nil, err
	}
	return readArticles(ask, answer.Get("news_item"))
}

// DraftChange replaces one article of a draft; Index counts from 0.
type DraftChange struct {
	ID      string
	Index   int
	Article DraftArticle
}

// validate returns Invalid with code bad_article, and the detail names the field
// as the platform does.
func (d DraftChange) validate() error {
	switch {
	case d.ID == "":
		return invalid("wechat.DraftChange", "bad_article", "media_id: missing")
	case d.Index < 0 || d.Index >= maxDraftArticles:
		return invalid("wechat.DraftChange", "bad_article", "index: want 0 to 7")
	}
	return d.Article.validate("articles.")
}

// UpdateDraft replaces one article of a draft. It may be repeated when the answer
// was lost.
// API: POST /cgi-bin/draft/update.
func (c *Client) UpdateDraft(ctx context.Context, change DraftChange) error {
	if err := change.validate(); err != nil {
		return err
	}
	body := struct {
		ID      string      `json:"media_id"`
		Index   int         `json:"index"`
		Article wireArticle `json:"articles"`
	}{change.ID, change.Index, change.Article.wire()}
	_, err := c.do(ctx, call{op: "wechat.UpdateDraft", path: "/cgi-bin/draft/update", body: body, changes: true, idempotent: true})
	return err
}

// DeleteDraft deletes a draft. An unknown one is Invalid with code 40007.
// API: POST /cgi-bin/draft/delete.
func (c *Client) DeleteDraft(ctx context.Context, id string) error {
	if id == "" {
		return invalid("wechat.DeleteDraft", "bad_article", "media_id: missing")
	}
	_, err := c.do(ctx, call{op: "wechat.DeleteDraft", path: "/cgi-bin/draft/delete", body: byMediaID{id}, changes: true})
	return err
}

// CountDrafts returns how many drafts the box holds.
// API: GET /cgi-bin/draft/count.
func (c *Client) CountDrafts(ctx context.Context) (int, error) {
	ask := call{op: "wechat.CountDrafts", path: "/cgi-bin/draft/count"}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return 0, err
	}
	n, err := integer(answer.Get("total_count"))
	if err != nil || !answer.Get("total_count").Exists() {
		return 0, ask.bad("total_count")
	}
	return int(n), nil
}

// ContentQuery asks for a part of a list of articles. Bare leaves out their
// text, which is most of the answer.
type ContentQuery struct {
	Page
	Bare bool
}

// ContentEntry is a draft, whose ID is a media_id, or a publication, whose ID is
// an article_id.
type ContentEntry struct {
	ID        string
	Articles  []DraftArticle
	UpdatedAt time.Time
}

// ContentList is a page of drafts or of publications. Total counts the whole
// list.
type ContentList struct {
	Total   int
	Entries []ContentEntry
}

// ListDrafts lists the draft box, the newest first. It returns Invalid with code
// bad_page before anything is sent.
// API: POST /cgi-bin/draft/batchget.
func (c *Client) ListDrafts(ctx context.Context, q ContentQuery) (ContentList, error) {
	return c.listContent(ctx, "wechat.ListDrafts", "/cgi-bin/draft/batchget", q)
}

func (c *Client) listContent(ctx context.Context, op, path string, q ContentQuery) (ContentList, error) {
	page, err := q.check(op)
	if err != nil {
		return ContentList{}, err
	}
	body := struct {
		Page
		Bare int `json:"no_content"`
	}{Page: page}
	if q.Bare {
		body.Bare = 1
	}
	ask := call{op: op, path: path, body: body, most: maxContents}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return ContentList{}, err
	}
	total, err := integer(answer.Get("total_count"))
	if err != nil {
		return ContentList{}, ask.bad("total_count")
	}
	out := ContentList{Total: int(total)}
	for _, item := range answer.Get("item").Array() {
		entry := ContentEntry{ID: item.Get("media_id").String() + item.Get("article_id").String()}
		seconds, err := integer(item.Get("update_time"))
		if err != nil || entry.ID == "" {
			return ContentList{}, ask.bad("item")
		}
		entry.UpdatedAt = time.Unix(seconds, 0).In(hospital.CST)
		if entry.Articles, err = readArticles(ask, item.Get("content.news_item")); err != nil {
			return ContentList{}, err
		}
		out.Entries = append(out.Entries, entry)
	}
	return out, nil
}
