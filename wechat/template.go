package wechat

import (
	"context"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tidwall/gjson"
)

const (
	maxKeywords    = 10 // of one template; the library's longest has seven
	maxKeywordName = 20 // characters; the library's longest has nine
	industries     = 41 // 行业代码查询 of the template documentation ends there
)

// Template is a message template (模板消息) that the account has taken.
type Template struct {
	ID       string // what [Notice.Template] wants
	Title    string
	Industry string // 一级行业, 二级行业: "医药护理/医药医疗"; "" for 类目模板
	Content  string // "就诊人:{{thing1.DATA}}\n…"
	Example  string
}

// NewTemplate picks a template out of the library.
type NewTemplate struct {
	// Number is the library's: "47123" in 类目模板库, "TM00015" or "OPENTM…" in the
	// older library by industry.
	Number string `json:"template_id_short"`
	// Keywords are the fields to have, by the library's names and in the order in
	// which the phone shall show them. None for the older library.
	Keywords []string `json:"keyword_name_list,omitempty"`
}

// IndustryChoice are the two industries whose older templates the account may
// take, by their numbers: 22 is 医药医疗.
type IndustryChoice struct{ Primary, Secondary int }

// Industry is a pair of names: "医药护理", "医药医疗".
type Industry struct{ First, Second string }

// Industries are those that the account has chosen.
type Industries struct{ Primary, Secondary Industry }

func badTemplate(detail string) error {
	return invalid("wechat.Template", "bad_template", detail)
}

// validate returns Invalid with code bad_template; the detail names the field.
func (n NewTemplate) validate() error {
	if err := required(badTemplate, "template_id_short", n.Number); err != nil {
		return err
	}
	if len(n.Keywords) > maxKeywords {
		return badTemplate("keyword_name_list: want at most 10")
	}
	for i, name := range n.Keywords {
		if strings.TrimSpace(name) == "" || utf8.RuneCountInString(name) > maxKeywordName {
			return badTemplate("keyword_name_list[" + strconv.Itoa(i) + "]: want 1 to 20 characters")
		}
	}
	return nil
}

// validate returns Invalid with code bad_template; the detail names the field.
func (i IndustryChoice) validate() error {
	switch {
	case i.Primary < 1 || i.Primary > industries:
		return badTemplate("industry_id1: want 1 to 41")
	case i.Secondary < 1 || i.Secondary > industries:
		return badTemplate("industry_id2: want 1 to 41")
	case i.Primary == i.Secondary:
		return badTemplate("industry_id2: the same as industry_id1")
	}
	return nil
}

// AddTemplate takes a template out of the library and returns its ID. It
// returns Invalid with code bad_template before anything is sent, and Invalid
// with the platform's code: 40037 no such template, 40246 no such keyword, 45026
// no room for another. Indeterminate: see [Client.ListTemplates] before it is
// repeated.
// API: POST /cgi-bin/template/api_add_template — developers.weixin.qq.com/doc/service/api/notify/template/api_addtemplate.
func (c *Client) AddTemplate(ctx context.Context, n NewTemplate) (id string, err error) {
	if err := n.validate(); err != nil {
		return "", err
	}
	ask := call{op: "wechat.AddTemplate", path: "/cgi-bin/template/api_add_template", changes: true, body: n}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return "", err
	}
	if id = answer.Get("template_id").String(); id == "" {
		return "", ask.bad("template_id")
	}
	return id, nil
}

// ListTemplates returns the account's templates.
// API: GET /cgi-bin/template/get_all_private_template.
func (c *Client) ListTemplates(ctx context.Context) ([]Template, error) {
	ask := call{op: "wechat.ListTemplates", path: "/cgi-bin/template/get_all_private_template"}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return nil, err
	}
	return readList(ask, answer, "template_list", func(row gjson.Result) (Template, string) {
		t := Template{
			ID: row.Get("template_id").String(), Title: row.Get("title").String(),
			Content: row.Get("content").String(), Example: row.Get("example").String(),
		}
		if first := row.Get("primary_industry").String(); first != "" {
			t.Industry = first + "/" + row.Get("deputy_industry").String()
		}
		if t.ID == "" {
			return t, "template_id"
		}
		return t, ""
	})
}

// DeleteTemplate gives a template back; notices under it are refused from then
// on. It returns Invalid, with code bad_template or 40037 for no such template.
// API: POST /cgi-bin/template/del_private_template.
func (c *Client) DeleteTemplate(ctx context.Context, id string) error {
	if err := required(badTemplate, "template_id", id); err != nil {
		return err
	}
	_, err := c.do(ctx, call{
		op: "wechat.DeleteTemplate", path: "/cgi-bin/template/del_private_template", changes: true,
		body: struct {
			ID string `json:"template_id"`
		}{id},
	})
	return err
}

// ChooseIndustries says whose older templates the account may take. It may be
// done once a month and removes the templates of an industry that was left. It
// returns Invalid, with code bad_template or 43100 when the month is not over.
// API: POST /cgi-bin/template/api_set_industry — developers.weixin.qq.com/doc/service/api/notify/template/api_setindustry.
func (c *Client) ChooseIndustries(ctx context.Context, i IndustryChoice) error {
	if err := i.validate(); err != nil {
		return err
	}
	_, err := c.do(ctx, call{
		op: "wechat.ChooseIndustries", path: "/cgi-bin/template/api_set_industry", changes: true,
		body: struct {
			Primary   string `json:"industry_id1"` // a text, as the documentation writes it
			Secondary string `json:"industry_id2"`
		}{strconv.Itoa(i.Primary), strconv.Itoa(i.Secondary)},
	})
	return err
}

// Industries returns the account's industries. It returns Invalid with code
// 40102 where none were chosen.
// API: GET /cgi-bin/template/get_industry.
func (c *Client) Industries(ctx context.Context) (Industries, error) {
	answer, err := c.do(ctx, call{op: "wechat.Industries", path: "/cgi-bin/template/get_industry"})
	if err != nil {
		return Industries{}, err
	}
	read := func(name string) Industry {
		return Industry{answer.Get(name + ".first_class").String(), answer.Get(name + ".second_class").String()}
	}
	return Industries{Primary: read("primary_industry"), Secondary: read("secondary_industry")}, nil
}
