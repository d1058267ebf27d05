package wechattest

import (
	"cmp"
	"net/http"
	"slices"
	"time"
)

// maxDraftBytes caps the body of a draft: eight articles at their limit of 20,000
// characters.
const maxDraftBytes = 2 << 20

// draft is one entry of the draft box (草稿箱).
type draft struct {
	Articles []article
	Order    int64
	Updated  time.Time
	Leaving  bool `json:",omitempty"` // it is being published
}

func draftEndpoints() []endpoint {
	return []endpoint{
		{http.MethodPost, "/cgi-bin/draft/add", withToken, Quota{Day: 1000}, (*turn).addDraft},
		{http.MethodPost, "/cgi-bin/draft/get", withToken, Quota{Day: 500}, (*turn).getDraft},
		{http.MethodPost, "/cgi-bin/draft/update", withToken, Quota{Day: 1000}, (*turn).updateDraft},
		{http.MethodPost, "/cgi-bin/draft/delete", withToken, Quota{Day: 1000}, (*turn).deleteDraft},
		{http.MethodGet, "/cgi-bin/draft/count", withToken, Quota{Day: 1000}, (*turn).countDrafts},
		{http.MethodPost, "/cgi-bin/draft/batchget", withToken, Quota{Day: 1000}, (*turn).listDrafts},
	}
}

// addDraft answers draft/add.
func (t *turn) addDraft(r *request) (any, *refusal) {
	var in struct {
		Articles []article `json:"articles"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	switch n := len(in.Articles); {
	case n == 0:
		return nil, refuse(44003)
	case n > maxArticles:
		return nil, refuse(45008)
	}
	for i, a := range in.Articles {
		kept, no := t.checkArticle(a, len(in.Articles) == 1, r.host)
		if no != nil {
			return nil, no
		}
		in.Articles[i] = kept
	}
	id := randomText(idLetters, 64)
	t.drafts.put(t, id, draft{Articles: in.Articles, Order: t.next("drafts"), Updated: t.now})
	return struct {
		ID string `json:"media_id"`
	}{id}, nil
}

// draft finds a draft that a message may carry or a call may change.
func (t *turn) draft(id string) (draft, *refusal) {
	d, there := t.drafts.rows[id]
	if !there {
		return draft{}, refuse(40007)
	}
	return d, nil
}

// draftByID reads the one field of two calls.
func (t *turn) draftByID(r *request) (string, draft, *refusal) {
	id, no := r.byMediaID()
	if no != nil {
		return "", draft{}, no
	}
	d, no := t.draft(id)
	return id, d, no
}

// getDraft answers draft/get.
func (t *turn) getDraft(r *request) (any, *refusal) {
	_, d, no := t.draftByID(r)
	if no != nil {
		return nil, no
	}
	return newsAnswer{d.Articles}, nil
}

// updateDraft answers draft/update: one article, whose index counts from 0.
func (t *turn) updateDraft(r *request) (any, *refusal) {
	var in struct {
		ID      string  `json:"media_id"`
		Index   int     `json:"index"`
		Article article `json:"articles"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	d, no := t.draft(in.ID)
	switch {
	case no != nil:
		return nil, no
	case in.Index < 0, in.Index >= len(d.Articles):
		return nil, refuse(40114)
	}
	kept, no := t.checkArticle(in.Article, len(d.Articles) == 1, r.host)
	if no != nil {
		return nil, no
	}
	d.Articles = slices.Clone(d.Articles)
	d.Articles[in.Index], d.Updated = kept, t.now
	t.drafts.put(t, in.ID, d)
	return nil, nil
}

// deleteDraft answers draft/delete.
func (t *turn) deleteDraft(r *request) (any, *refusal) {
	id, _, no := t.draftByID(r)
	if no != nil {
		return nil, no
	}
	t.drafts.drop(t, id)
	return nil, nil
}

// countDrafts answers draft/count.
func (t *turn) countDrafts(*request) (any, *refusal) {
	return struct {
		Total int `json:"total_count"`
	}{len(t.drafts.rows)}, nil
}

// contentPage is what the lists of articles ask for.
type contentPage struct {
	page
	Without int `json:"no_content"`
}

// item is one entry of such a list.
type contentItem struct {
	ID        string     `json:"media_id,omitempty"`
	ArticleID string     `json:"article_id,omitempty"`
	Content   newsAnswer `json:"content"`
	Updated   int64      `json:"update_time"`
}

type contentList struct {
	Total int           `json:"total_count"`
	Count int           `json:"item_count"`
	Items []contentItem `json:"item"`
}

// without leaves the articles' text out where the page asks for it.
func (p contentPage) without(articles []article) newsAnswer {
	if p.Without == 0 {
		return newsAnswer{articles}
	}
	bare := slices.Clone(articles)
	for i := range bare {
		bare[i].Content = ""
	}
	return newsAnswer{bare}
}

// listDrafts answers draft/batchget, the newest first.
func (t *turn) listDrafts(r *request) (any, *refusal) {
	var in contentPage
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	all := t.drafts.keys()
	slices.SortFunc(all, func(a, b string) int { return cmp.Compare(t.drafts.rows[b].Order, t.drafts.rows[a].Order) })
	ids, no := in.of(all)
	if no != nil {
		return nil, no
	}
	out := contentList{Total: len(all), Count: len(ids), Items: []contentItem{}}
	for _, id := range ids {
		d := t.drafts.rows[id]
		out.Items = append(out.Items, contentItem{ID: id, Content: in.without(d.Articles), Updated: d.Updated.Unix()})
	}
	return out, nil
}
