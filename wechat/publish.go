package wechat

import (
	"context"

	"github.com/tidwall/gjson"
)

// PublishStatus is how far a publication has come.
type PublishStatus int

// The states. API: POST /cgi-bin/freepublish/get, publish_status.
const (
	PublishDone     PublishStatus = 0
	PublishRunning  PublishStatus = 1
	PublishOriginal PublishStatus = 2 // 原创失败
	PublishFailed   PublishStatus = 3 // 常规失败
	PublishRefused  PublishStatus = 4 // 平台审核不通过
	PublishDeleted  PublishStatus = 5 // 成功后用户删除所有文章
	PublishBanned   PublishStatus = 6 // 成功后系统封禁所有文章
)

// PublishDraft publishes a draft (发布) and returns the publish_id. It tells
// nobody: followers find it on the account's page. The end comes later, as
// [Published], and [Client.FindPublication] asks for it. Indeterminate: it may be
// under way; a second call then is refused with 53503.
// API: POST /cgi-bin/freepublish/submit.
func (c *Client) PublishDraft(ctx context.Context, id string) (publishID string, err error) {
	if id == "" {
		return "", invalid("wechat.PublishDraft", "bad_article", "media_id: missing")
	}
	ask := call{op: "wechat.PublishDraft", path: "/cgi-bin/freepublish/submit", body: byMediaID{id}, changes: true}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return "", err
	}
	// The id is a text in the pages of 2025 and a number in the field.
	if publishID = answer.Get("publish_id").String(); publishID == "" {
		return "", ask.bad("publish_id")
	}
	return publishID, nil
}

// FindPublication asks what became of a publication.
// API: POST /cgi-bin/freepublish/get.
func (c *Client) FindPublication(ctx context.Context, publishID string) (Published, error) {
	if publishID == "" {
		return Published{}, invalid("wechat.FindPublication", "bad_article", "publish_id: missing")
	}
	body := struct {
		ID string `json:"publish_id"`
	}{publishID}
	ask := call{op: "wechat.FindPublication", path: "/cgi-bin/freepublish/get", body: body}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return Published{}, err
	}
	number, err := integer(answer.Get("publish_status"))
	status := PublishStatus(number)
	switch {
	case answer.Get("publish_id").String() != publishID:
		return Published{}, ask.bad("publish_id: not the one that was asked for")
	case err != nil, !answer.Get("publish_status").Exists(), status < PublishDone, status > PublishBanned:
		return Published{}, ask.bad("publish_status")
	}
	out := Published{PublishID: publishID, Status: status, ArticleID: answer.Get("article_id").String()}
	if out.Status == PublishDone && out.ArticleID == "" {
		return Published{}, ask.bad("article_id")
	}
	for _, item := range answer.Get("article_detail.item").Array() {
		index, err := integer(item.Get("idx"))
		if err != nil {
			return Published{}, ask.bad("article_detail.item.idx")
		}
		out.Articles = append(out.Articles, ArticleURL{Index: int(index), URL: item.Get("article_url").String()})
	}
	answer.Get("fail_idx").ForEach(func(_, at gjson.Result) bool {
		var index int64
		index, err = integer(at)
		out.Failed = append(out.Failed, int(index))
		return err == nil
	})
	if err != nil {
		return Published{}, ask.bad("fail_idx")
	}
	return out, nil
}

// PublishedArticle is one article of a publication, or all of them: Index counts
// from 1, and 0 means all.
type PublishedArticle struct {
	ArticleID string `json:"article_id"`
	Index     int    `json:"index"`
}

// DeletePublished deletes what was published, for good.
// API: POST /cgi-bin/freepublish/delete.
func (c *Client) DeletePublished(ctx context.Context, a PublishedArticle) error {
	switch {
	case a.ArticleID == "":
		return invalid("wechat.DeletePublished", "bad_article", "article_id: missing")
	case a.Index < 0 || a.Index > maxDraftArticles:
		return invalid("wechat.DeletePublished", "bad_article", "index: want 0 to 8")
	}
	_, err := c.do(ctx, call{op: "wechat.DeletePublished", path: "/cgi-bin/freepublish/delete", body: a, changes: true, idempotent: true})
	return err
}

// FetchPublished returns the articles of a publication, deleted ones included.
// API: POST /cgi-bin/freepublish/getarticle.
func (c *Client) FetchPublished(ctx context.Context, articleID string) ([]DraftArticle, error) {
	if articleID == "" {
		return nil, invalid("wechat.FetchPublished", "bad_article", "article_id: missing")
	}
	body := struct {
		ID string `json:"article_id"`
	}{articleID}
	ask := call{op: "wechat.FetchPublished", path: "/cgi-bin/freepublish/getarticle", body: body, most: maxContents}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return nil, err
	}
	return readArticles(ask, answer.Get("news_item"))
}

// ListPublished lists what was published, the newest first. It returns Invalid
// with code bad_page before anything is sent.
// API: POST /cgi-bin/freepublish/batchget.
func (c *Client) ListPublished(ctx context.Context, q ContentQuery) (ContentList, error) {
	return c.listContent(ctx, "wechat.ListPublished", "/cgi-bin/freepublish/batchget", q)
}
