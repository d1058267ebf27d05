package wechattest

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
)

// The limits of tags.
// API: POST /cgi-bin/tags/create "最多可以创建100个标签", "标签名长度超过30个字节";
// POST /cgi-bin/tags/members/batchtagging "最多50个", "最多20个标签".
const (
	maxTags      = 100
	maxTagName   = 30
	maxTagged    = 50
	maxTagsEach  = 20
	lastSystemID = 2 // 0, 1 and 2 are the platform's own
	firstTagID   = 100
)

// tag is a label that the account puts on users.
type tag struct {
	ID   int    `json:"id"`
	Name string `json:"name"`
}

func tagEndpoints() []endpoint {
	return []endpoint{
		{http.MethodPost, "/cgi-bin/tags/create", withToken, Quota{Day: 1000}, (*turn).createTag},
		{http.MethodGet, "/cgi-bin/tags/get", withToken, Quota{Day: 1000}, (*turn).listTags},
		{http.MethodPost, "/cgi-bin/tags/update", withToken, Quota{Day: 1000}, (*turn).updateTag},
		{http.MethodPost, "/cgi-bin/tags/delete", withToken, Quota{Day: 1000}, (*turn).deleteTag},
		{http.MethodPost, "/cgi-bin/tags/getidlist", withToken, Quota{Day: 500_000}, (*turn).tagsOf},
		{http.MethodPost, "/cgi-bin/tags/members/batchtagging", withToken, Quota{Day: 100_000}, (*turn).tagUsers},
		{http.MethodPost, "/cgi-bin/tags/members/batchuntagging", withToken, Quota{Day: 100_000}, (*turn).untagUsers},
		{http.MethodPost, "/cgi-bin/user/tag/get", withToken, Quota{Day: 1000}, (*turn).listTagged},
	}
}

func tagKey(id int) string { return strconv.Itoa(id) }

// tagName refuses a name that the account may not give, but to the tag of that id.
func (t *turn) tagName(name string, id int) *refusal {
	switch {
	case name == "":
		return refuse(45157)
	case len(name) > maxTagName:
		return refuse(45158)
	}
	for _, other := range t.tags.rows {
		if other.Name == name && other.ID != id || name == "星标组" {
			return refuse(45157)
		}
	}
	return nil
}

// createTag answers tags/create.
func (t *turn) createTag(r *request) (any, *refusal) {
	var in struct {
		Tag struct {
			Name string `json:"name"`
		} `json:"tag"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	if no := t.tagName(in.Tag.Name, 0); no != nil {
		return nil, no
	}
	if len(t.tags.rows) >= maxTags {
		return nil, refuse(45056)
	}
	made := tag{firstTagID - 1 + int(t.next("tags")), in.Tag.Name}
	t.tags.put(t, tagKey(made.ID), made)
	return struct {
		Tag tag `json:"tag"`
	}{made}, nil
}

// listTags answers tags/get: the platform's own 星标组 first.
func (t *turn) listTags(*request) (any, *refusal) {
	type counted struct {
		tag
		Count int `json:"count"`
	}
	all := []counted{{tag: tag{lastSystemID, "星标组"}}}
	for _, one := range t.tags.rows {
		all = append(all, counted{one, len(t.tagged(one.ID))})
	}
	slices.SortFunc(all, func(a, b counted) int { return cmp.Compare(a.ID, b.ID) })
	return struct {
		Tags []counted `json:"tags"`
	}{all}, nil
}

// ownTag finds a tag that the account may change.
func (t *turn) ownTag(id int) *refusal {
	if id >= 0 && id <= lastSystemID {
		return refuse(45058)
	}
	if _, there := t.tags.rows[tagKey(id)]; !there {
		return refuse(45159)
	}
	return nil
}

// updateTag answers tags/update.
func (t *turn) updateTag(r *request) (any, *refusal) {
	var in struct {
		Tag tag `json:"tag"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	if no := t.ownTag(in.Tag.ID); no != nil {
		return nil, no
	}
	if no := t.tagName(in.Tag.Name, in.Tag.ID); no != nil {
		return nil, no
	}
	t.tags.put(t, tagKey(in.Tag.ID), in.Tag)
	return nil, nil
}

// deleteTag answers tags/delete; the tag goes from its users too.
func (t *turn) deleteTag(r *request) (any, *refusal) {
	var in struct {
		Tag struct {
			ID int `json:"id"`
		} `json:"tag"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	if no := t.ownTag(in.Tag.ID); no != nil {
		return nil, no
	}
	for _, openID := range t.users.keys() {
		t.untag(openID, in.Tag.ID)
	}
	t.tags.drop(t, tagKey(in.Tag.ID))
	return nil, nil
}

func (t *turn) untag(openID string, id int) {
	u := t.users.rows[openID]
	if at := slices.Index(u.Tags, id); at >= 0 {
		u.Tags = slices.Delete(slices.Clone(u.Tags), at, at+1)
		t.users.put(t, openID, u)
	}
}

// tagged returns the followers who bear the tag, in the order of joining.
func (t *turn) tagged(id int) []string {
	var ids []string
	for _, openID := range t.followers() {
		if slices.Contains(t.users.rows[openID].Tags, id) {
			ids = append(ids, openID)
		}
	}
	return ids
}

// tagging is what both calls about members carry.
type tagging struct {
	OpenIDs []string `json:"openid_list"`
	Tag     int      `json:"tagid"`
}

// readTagging checks tag and openids. Ours: nothing happens unless all of the
// list is in order; the documentation does not say what becomes of the rest.
func (t *turn) readTagging(r *request) (in tagging, no *refusal) {
	if no := r.decodeWhole(&in); no != nil {
		return in, no
	}
	if n := len(in.OpenIDs); n < 1 || n > maxTagged {
		return in, refuse(40032)
	}
	if _, there := t.tags.rows[tagKey(in.Tag)]; !there {
		return in, refuse(45159)
	}
	for _, openID := range in.OpenIDs {
		u, no := t.person(openID)
		if no != nil {
			return in, no
		}
		if !u.Subscribed {
			return in, refuse(40003)
		}
	}
	return in, nil
}

// tagUsers answers tags/members/batchtagging.
func (t *turn) tagUsers(r *request) (any, *refusal) {
	in, no := t.readTagging(r)
	if no != nil {
		return nil, no
	}
	for _, openID := range in.OpenIDs {
		if u := t.users.rows[openID]; !slices.Contains(u.Tags, in.Tag) && len(u.Tags) >= maxTagsEach {
			return nil, refuse(45059)
		}
	}
	for _, openID := range in.OpenIDs {
		u := t.users.rows[openID]
		if !slices.Contains(u.Tags, in.Tag) {
			u.Tags = append(slices.Clone(u.Tags), in.Tag)
			t.users.put(t, openID, u)
		}
	}
	return nil, nil
}

// untagUsers answers tags/members/batchuntagging.
func (t *turn) untagUsers(r *request) (any, *refusal) {
	in, no := t.readTagging(r)
	if no != nil {
		return nil, no
	}
	for _, openID := range in.OpenIDs {
		t.untag(openID, in.Tag)
	}
	return nil, nil
}

// tagsOf answers tags/getidlist.
func (t *turn) tagsOf(r *request) (any, *refusal) {
	var in struct {
		OpenID string `json:"openid"`
		Tag    int    `json:"tagid"` // passed over: silenceper/wechat sends 0
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	u, no := t.person(in.OpenID)
	if no != nil {
		return nil, no
	}
	return struct {
		Tags []int `json:"tagid_list"`
	}{append([]int{}, u.Tags...)}, nil
}

// listTagged answers user/tag/get.
func (t *turn) listTagged(r *request) (any, *refusal) {
	var in struct {
		Tag  int    `json:"tagid"`
		Next string `json:"next_openid"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	if _, there := t.tags.rows[tagKey(in.Tag)]; !there {
		return nil, refuse(45159)
	}
	out, no := pageAfter(t.tagged(in.Tag), in.Next)
	return out, no
}
