package wechat

import (
	"context"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

// The limits of a subscription template.
// API: POST /wxaapi/newtmpl/addtemplate, "最多支持5个，最少2个关键词组合", "服务场景描述，15个字以内";
// GET /wxaapi/newtmpl/getpubtemplatetitles, limit "最大为 30".
const (
	minSubscriptionKeywords = 2
	maxSubscriptionKeywords = 5
	maxSceneText            = 15
	maxPublicTemplates      = 30
)

// SubscriptionKind says for how many notices one agreement stands.
type SubscriptionKind int

// The kinds, with the platform's numbers.
const (
	OneTime  SubscriptionKind = 2 // 一次性订阅: an agreement is one notice
	LongTerm SubscriptionKind = 3 // 长期订阅, which medical institutions may offer
)

// Category is 类目, a field of service that the account is registered for.
type Category struct {
	ID   int64
	Name string
}

// PublicTemplate is an entry of the public library (公共模板库).
type PublicTemplate struct {
	ID       int64 // tid
	Title    string
	Kind     SubscriptionKind
	Category int64
}

// PublicTemplateQuery asks for a page of the public library.
type PublicTemplateQuery struct {
	Categories []int64 // see [Client.ListCategories]
	Start      int
	Limit      int // default and at most 30
}

// PublicTemplatePage is a page of the public library.
type PublicTemplatePage struct {
	Count     int // of all pages
	Templates []PublicTemplate
}

// Keyword is a field that a public template offers.
type Keyword struct {
	ID            int // kid
	Name, Example string
	Rule          string // its kind: "thing", "time"
}

// NewSubscription makes a template of the account's own out of a public one.
type NewSubscription struct {
	PublicTemplate int64 // tid
	// Keywords are two to five of its fields, by ID, in the order in which the
	// phone shall show them.
	Keywords []int
	// Scene is what it is used for, at most 15 characters: "就诊提醒".
	Scene string
}

// SubscriptionTemplate is a template of the account's own for subscription
// notices.
type SubscriptionTemplate struct {
	ID      string // priTmplId, what [Notice.Template] wants
	Title   string
	Content string
	Example string
	Kind    SubscriptionKind
}

func badSubscription(detail string) error {
	return invalid("wechat.Subscription", "bad_subscription", detail)
}

// validate returns Invalid with code bad_subscription; the detail names the
// field.
func (q PublicTemplateQuery) validate() error {
	switch {
	case len(q.Categories) == 0:
		return badSubscription("ids: missing")
	case q.Start < 0:
		return badSubscription("start: negative")
	case q.Limit < 0 || q.Limit > maxPublicTemplates:
		return badSubscription("limit: want at most 30")
	}
	return nil
}

// validate returns Invalid with code bad_subscription; the detail names the
// field.
func (n NewSubscription) validate() error {
	switch {
	case n.PublicTemplate <= 0:
		return badSubscription("tid: missing")
	case len(n.Keywords) < minSubscriptionKeywords || len(n.Keywords) > maxSubscriptionKeywords:
		return badSubscription("kidList: want 2 to 5")
	case utf8.RuneCountInString(n.Scene) > maxSceneText:
		return badSubscription("sceneDesc: want at most 15 characters")
	}
	seen := map[int]bool{}
	for i, id := range n.Keywords {
		if id <= 0 || seen[id] {
			return badSubscription("kidList[" + strconv.Itoa(i) + "]: not a number of its own")
		}
		seen[id] = true
	}
	return nil
}

// ListCategories returns what the account is registered for.
// API: GET /wxaapi/newtmpl/getcategory.
func (c *Client) ListCategories(ctx context.Context) ([]Category, error) {
	ask := call{op: "wechat.ListCategories", path: "/wxaapi/newtmpl/getcategory"}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return nil, err
	}
	return readList(ask, answer, "data", func(row gjson.Result) (Category, string) {
		id, err := integer(row.Get("id"))
		if err != nil || id == 0 {
			return Category{}, "id"
		}
		return Category{id, row.Get("name").String()}, ""
	})
}

// ListPublicTemplates returns a page of the public library. It returns Invalid
// with code bad_subscription.
// API: GET /wxaapi/newtmpl/getpubtemplatetitles.
func (c *Client) ListPublicTemplates(ctx context.Context, q PublicTemplateQuery) (PublicTemplatePage, error) {
	if err := q.validate(); err != nil {
		return PublicTemplatePage{}, err
	}
	if q.Limit == 0 {
		q.Limit = maxPublicTemplates
	}
	ids := make([]string, len(q.Categories))
	for i, id := range q.Categories {
		ids[i] = strconv.FormatInt(id, 10)
	}
	ask := call{op: "wechat.ListPublicTemplates", path: "/wxaapi/newtmpl/getpubtemplatetitles", query: url.Values{
		"ids": {strings.Join(ids, ",")}, "start": {strconv.Itoa(q.Start)}, "limit": {strconv.Itoa(q.Limit)},
	}}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return PublicTemplatePage{}, err
	}
	count, err := integer(answer.Get("count"))
	if err != nil {
		return PublicTemplatePage{}, ask.bad("count")
	}
	all, err := readList(ask, answer, "data", func(row gjson.Result) (PublicTemplate, string) {
		id, err := integer(row.Get("tid"))
		if err != nil || id == 0 {
			return PublicTemplate{}, "tid"
		}
		category, err := integer(row.Get("categoryId"))
		if err != nil {
			return PublicTemplate{}, "categoryId"
		}
		kind, err := integer(row.Get("type"))
		if err != nil {
			return PublicTemplate{}, "type"
		}
		return PublicTemplate{ID: id, Title: row.Get("title").String(), Kind: SubscriptionKind(kind), Category: category}, ""
	})
	return PublicTemplatePage{Count: int(count), Templates: all}, err
}

// ListKeywords returns the fields that a public template offers. It returns
// Invalid with code bad_subscription, and 200014 for no such template.
// API: GET /wxaapi/newtmpl/getpubtemplatekeywords.
func (c *Client) ListKeywords(ctx context.Context, publicTemplate int64) ([]Keyword, error) {
	if publicTemplate <= 0 {
		return nil, badSubscription("tid: missing")
	}
	ask := call{
		op: "wechat.ListKeywords", path: "/wxaapi/newtmpl/getpubtemplatekeywords",
		query: url.Values{"tid": {strconv.FormatInt(publicTemplate, 10)}},
	}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return nil, err
	}
	return readList(ask, answer, "data", func(row gjson.Result) (Keyword, string) {
		id, err := integer(row.Get("kid"))
		if err != nil || id == 0 {
			return Keyword{}, "kid"
		}
		return Keyword{
			ID: int(id), Name: row.Get("name").String(), Example: row.Get("example").String(), Rule: row.Get("rule").String(),
		}, ""
	})
}

// AddSubscription makes a template and returns its ID. It returns Invalid with
// code bad_subscription before anything is sent, or the platform's: 200012 no
// room for another, 200013 the template is blocked, 200014 no such template,
// 200020 no such keyword, 200021 the scene. Denied with code 200011: the account
// is blocked. Indeterminate: see [Client.ListSubscriptions] before it is
// repeated.
// It travels as a form: developers report 200014 "missing parameter tid" for
// JSON.
// API: POST /wxaapi/newtmpl/addtemplate — developers.weixin.qq.com/doc/service/api/notify/notify/api_addwxanewtemplate;
// developers.weixin.qq.com/community/develop/doc/00020ca6a5c3c85f6ba99d98c51800.
func (c *Client) AddSubscription(ctx context.Context, n NewSubscription) (id string, err error) {
	if err := n.validate(); err != nil {
		return "", err
	}
	form := url.Values{"tid": {strconv.FormatInt(n.PublicTemplate, 10)}}
	for _, keyword := range n.Keywords {
		form.Add("kidList", strconv.Itoa(keyword))
	}
	if n.Scene != "" {
		form.Set("sceneDesc", n.Scene)
	}
	ask := call{op: "wechat.AddSubscription", path: "/wxaapi/newtmpl/addtemplate", changes: true, fields: form}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return "", err
	}
	if id = answer.Get("priTmplId").String(); id == "" {
		return "", ask.bad("priTmplId")
	}
	return id, nil
}

// ListSubscriptions returns the account's templates for subscription notices.
// API: GET /wxaapi/newtmpl/gettemplate.
func (c *Client) ListSubscriptions(ctx context.Context) ([]SubscriptionTemplate, error) {
	ask := call{op: "wechat.ListSubscriptions", path: "/wxaapi/newtmpl/gettemplate"}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return nil, err
	}
	return readList(ask, answer, "data", func(row gjson.Result) (SubscriptionTemplate, string) {
		kind, err := integer(row.Get("type"))
		if err != nil {
			return SubscriptionTemplate{}, "type"
		}
		t := SubscriptionTemplate{
			ID: row.Get("priTmplId").String(), Title: row.Get("title").String(), Content: row.Get("content").String(),
			Example: row.Get("example").String(), Kind: SubscriptionKind(kind),
		}
		if t.ID == "" {
			return t, "priTmplId"
		}
		return t, ""
	})
}

// DeleteSubscription gives a template back. It returns Invalid with code
// bad_subscription, and 200014 for no such template.
// API: POST /wxaapi/newtmpl/deltemplate.
func (c *Client) DeleteSubscription(ctx context.Context, id string) error {
	if err := required(badSubscription, "priTmplId", id); err != nil {
		return err
	}
	_, err := c.do(ctx, call{
		op: "wechat.DeleteSubscription", path: "/wxaapi/newtmpl/deltemplate", changes: true, fields: url.Values{"priTmplId": {id}},
	})
	return err
}
