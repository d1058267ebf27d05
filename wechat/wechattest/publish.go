package wechattest

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat"
)

// The states of a publication.
// API: POST /cgi-bin/freepublish/get, publish_status.
const (
	published       = 0
	publishing      = 1
	originalRefused = 2
	ordinaryFailure = 3
	auditRefused    = 4
	publishDeleted  = 5
)

const (
	firstPublishID = 2_247_483_649 // beyond 31 bits, as they are
	// helper is who a PUBLISHJOBFINISH comes from.
	// API: 发布结果的事件推送, "公众号群发助手的openid".
	helper = "mphelper"
	// publishJob ends in that event.
	publishJob            = "publish"
	publishOutcomeSetting = "publish outcome"
)

// publication is what became of a draft that was submitted.
type publication struct {
	MediaID   string
	Status    int
	ArticleID string    `json:",omitempty"`
	Articles  []article `json:",omitempty"`
	Host      string
	Updated   time.Time
}

func publishEndpoints() []endpoint {
	return []endpoint{
		{http.MethodPost, "/cgi-bin/freepublish/submit", withToken, Quota{Day: 100}, (*turn).submitDraft},
		{http.MethodPost, "/cgi-bin/freepublish/get", withToken, Quota{Day: 100}, (*turn).getPublication},
		{http.MethodPost, "/cgi-bin/freepublish/delete", withToken, Quota{Day: 10}, (*turn).deletePublished},
		{http.MethodPost, "/cgi-bin/freepublish/getarticle", withToken, Quota{Day: 100}, (*turn).getPublished},
		{http.MethodPost, "/cgi-bin/freepublish/batchget", withToken, Quota{Day: 100}, (*turn).listPublished},
	}
}

// RefusePublishing lets drafts that are submitted from now on end in a status:
// [wechat.PublishOriginal], [wechat.PublishFailed] or [wechat.PublishRefused];
// [wechat.PublishDone] lets them be published again. Invalid: another status.
func (p *Platform) RefusePublishing(status wechat.PublishStatus) error {
	if status != wechat.PublishDone && (status < wechat.PublishOriginal || status > wechat.PublishRefused) {
		return verbError(hospital.Invalid, "RefusePublishing", "bad_status", "want done, original, failed or refused")
	}
	return p.act(func(t *turn) error {
		t.settings.put(t, publishOutcomeSetting, strconv.Itoa(int(status)))
		return nil
	})
}

// submitDraft answers freepublish/submit. A draft that is being published
// already is not taken again.
func (t *turn) submitDraft(r *request) (any, *refusal) {
	id, d, no := t.draftByID(r)
	if no != nil {
		return nil, no
	}
	if d.Leaving {
		return nil, refuse(53503)
	}
	d.Leaving = true
	t.drafts.put(t, id, d)
	number := firstPublishID + t.next("publications")
	t.publishes.put(t, decimal(number), publication{MediaID: id, Status: publishing, Host: r.host, Updated: t.now})
	t.later(job{Kind: publishJob, OpenID: helper, MsgID: number})
	return struct {
		status
		ID   string `json:"publish_id"`
		Data string `json:"msg_data_id"`
	}{okay(), decimal(number), decimal(number)}, nil
}

// finishPublish publishes, or refuses, and tells the account. The draft leaves
// the box when it is published.
func (t *turn) finishPublish(j job) []field {
	id := decimal(j.MsgID)
	p := t.publishes.rows[id]
	d, there := t.drafts.rows[p.MediaID]
	p.Status, p.Updated = published, t.now
	if outcome, err := strconv.Atoi(t.settings.rows[publishOutcomeSetting]); err == nil {
		p.Status = outcome
	}
	if !there { // deleted in the meantime
		p.Status = ordinaryFailure
	}
	info := []field{number("publish_id", j.MsgID)}
	if p.Status == published {
		p.ArticleID, p.Articles = randomText(idLetters, 43), slices.Clone(d.Articles)
		kept := false
		for i := range p.Articles {
			p.Articles[i].URL = "http://" + p.Host + "/s/" + p.ArticleID + "/" + strconv.Itoa(i+1)
			p.Articles[i].Deleted = &kept
		}
		t.drafts.drop(t, p.MediaID)
		detail := []field{number("count", int64(len(p.Articles)))}
		for i, a := range p.Articles {
			detail = append(detail, nest("item", number("idx", int64(i+1)), text("article_url", a.URL)))
		}
		info = append(info, number("publish_status", published), text("article_id", p.ArticleID), nest("article_detail", detail...))
	} else {
		if there {
			d.Leaving = false
			t.drafts.put(t, p.MediaID, d)
		}
		info = append(info, number("publish_status", int64(p.Status)))
		for i := range t.failed(p) {
			info = append(info, number("fail_idx", int64(i+1)))
		}
	}
	t.publishes.put(t, id, p)
	return t.event(user{OpenID: helper}, "PUBLISHJOBFINISH", nest("PublishEventInfo", info...))
}

// failed numbers the articles that were refused: all of them, where the status
// tells at all.
// API: POST /cgi-bin/freepublish/get, fail_idx "当发布状态为2或4时".
func (t *turn) failed(p publication) []int {
	numbers := []int{}
	if p.Status == originalRefused || p.Status == auditRefused {
		for i := range t.drafts.rows[p.MediaID].Articles {
			numbers = append(numbers, i+1)
		}
	}
	return numbers
}

// getPublication answers freepublish/get. The number comes bare or in quotes.
func (t *turn) getPublication(r *request) (any, *refusal) {
	var in struct {
		ID json.RawMessage `json:"publish_id"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	id := strings.Trim(string(in.ID), `"`)
	p, there := t.publishes.rows[id]
	if !there {
		return nil, refuse(40035)
	}
	type item struct {
		Index int    `json:"idx"`
		URL   string `json:"article_url"`
	}
	type detail struct {
		Count int    `json:"count"`
		Items []item `json:"item"`
	}
	out := struct {
		ID        string  `json:"publish_id"`
		Status    int     `json:"publish_status"`
		ArticleID string  `json:"article_id,omitempty"`
		Detail    *detail `json:"article_detail,omitempty"`
		Failed    []int   `json:"fail_idx"`
	}{ID: id, Status: p.Status, Failed: t.failed(p)}
	if p.Status == published {
		out.ArticleID, out.Detail = p.ArticleID, &detail{Count: len(p.Articles)}
		for i, a := range p.Articles {
			out.Detail.Items = append(out.Detail.Items, item{i + 1, a.URL})
		}
	}
	return out, nil
}

// publication finds what was published under an article id.
func (t *turn) publication(articleID string) (id string, p publication, no *refusal) {
	for id, p := range t.publishes.rows {
		if p.ArticleID == articleID && articleID != "" {
			return id, p, nil
		}
	}
	return "", publication{}, refuse(53600)
}

// deletePublished answers freepublish/delete: index counts from 1, and 0 or none
// means all.
func (t *turn) deletePublished(r *request) (any, *refusal) {
	var in struct {
		ArticleID string `json:"article_id"`
		Index     int    `json:"index"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	id, p, no := t.publication(in.ArticleID)
	switch {
	case no != nil:
		return nil, no
	case in.Index < 0, in.Index > len(p.Articles):
		return nil, refuse(40114)
	}
	p.Articles = slices.Clone(p.Articles)
	gone, all := true, true
	for i := range p.Articles {
		if in.Index == 0 || in.Index == i+1 {
			p.Articles[i].Deleted = &gone
		}
		all = all && *p.Articles[i].Deleted
	}
	if all {
		p.Status = publishDeleted
	}
	t.publishes.put(t, id, p)
	return nil, nil
}

// getPublished answers freepublish/getarticle.
func (t *turn) getPublished(r *request) (any, *refusal) {
	var in struct {
		ArticleID string `json:"article_id"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	_, p, no := t.publication(in.ArticleID)
	if no != nil {
		return nil, no
	}
	return newsAnswer{p.Articles}, nil
}

// listPublished answers freepublish/batchget, the newest first.
func (t *turn) listPublished(r *request) (any, *refusal) {
	var in contentPage
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	var all []string
	for id, p := range t.publishes.rows {
		if p.Status == published {
			all = append(all, id)
		}
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(b, a)) })
	ids, no := in.of(all)
	if no != nil {
		return nil, no
	}
	out := contentList{Total: len(all), Count: len(ids), Items: []contentItem{}}
	for _, id := range ids {
		p := t.publishes.rows[id]
		out.Items = append(out.Items, contentItem{ArticleID: p.ArticleID, Content: in.without(p.Articles), Updated: p.Updated.Unix()})
	}
	return out, nil
}
