package wechattest

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"time"
	"unicode/utf8"
)

const (
	// maxImages and maxOthers are how many permanent files an account may keep.
	// API: POST /cgi-bin/material/add_material, "图文消息素材、图片素材上限为100000，其他类型为1000".
	maxImages = 100_000
	maxOthers = 1000
	// maxPage is the longest page of a list of contents.
	// API: POST /cgi-bin/material/batchget_material, count "取值在1到20之间".
	maxPage = 20
	// maxBodyImage is the largest image for the text of an article.
	// API: POST /cgi-bin/media/uploadimg, "仅支持jpg/png格式，大小必须在1MB以下".
	maxBodyImage = 1 << 20
	newsMaterial = "news"
)

// material is a file that is kept until it is deleted (永久素材).
type material struct {
	medium
	Name    string // as uploaded; a video's title
	About   string `json:",omitempty"` // a video's introduction
	Order   int64
	Updated time.Time
	Hidden  bool      `json:",omitempty"` // an image of an article's text: in no list
	News    []article `json:",omitempty"` // of the time before drafts
}

func materialEndpoints() []endpoint {
	return []endpoint{
		{http.MethodPost, "/cgi-bin/material/add_material", withToken, Quota{Day: 1000}, (*turn).addMaterial},
		{http.MethodPost, "/cgi-bin/material/get_material", withToken, Quota{Day: 200_000}, (*turn).getMaterial},
		{http.MethodPost, "/cgi-bin/material/del_material", withToken, Quota{Day: 1000}, (*turn).deleteMaterial},
		{http.MethodGet, "/cgi-bin/material/get_materialcount", withToken, Quota{Day: 5000}, (*turn).countMaterials},
		{http.MethodPost, "/cgi-bin/material/batchget_material", withToken, Quota{Day: 2000}, (*turn).listMaterials},
		{http.MethodPost, "/cgi-bin/media/uploadimg", withToken, Quota{Day: 1000}, (*turn).uploadImage},
	}
}

// permanentRule is [temporaryRule] for files that stay: images may be BMP too.
// API: POST /cgi-bin/material/add_material, "图片 10M，支持bmp/png/jpeg/jpg/gif格式；
// 语音 2M，60s，mp3/wma/wav/amr". wma and wav are left out here: nothing we know sends them.
func permanentRule(kind string) (fileRule, bool) {
	rule, known := temporaryRule(kind)
	if kind == imageFile {
		rule.types = append(rule.types, "image/bmp")
	}
	return rule, known
}

// addMaterial answers material/add_material.
func (t *turn) addMaterial(r *request) (any, *refusal) {
	kind := r.query.Get("type")
	rule, known := permanentRule(kind)
	if !known {
		return nil, refuse(40004)
	}
	contentType, no := rule.check(r.form.data)
	if no != nil {
		return nil, no
	}
	kept := material{medium: medium{Kind: kind, Type: contentType, Data: r.form.data}, Name: r.form.name}
	if kind == videoFile {
		var about struct {
			Title string `json:"title"`
			About string `json:"introduction"`
		}
		if text := r.form.fields["description"]; !utf8.ValidString(text) || json.Unmarshal([]byte(text), &about) != nil {
			return nil, refuse(47001)
		}
		if about.Title == "" {
			return nil, refuse(40097)
		}
		kept.Name, kept.About = about.Title, about.About
	}
	most := maxOthers
	if kind == imageFile {
		most = maxImages
	}
	if len(t.materialsOf(kind)) >= most {
		return nil, refuse(45010) // the nearest of the documented codes: "创建菜单个数超过限制" in other places
	}
	id := t.keepMaterial(kept)
	return struct {
		ID  string `json:"media_id"`
		URL string `json:"url,omitempty"`
	}{id, t.imageAddress(r.host, id, kind)}, nil
}

func (t *turn) keepMaterial(m material) string {
	m.Order, m.Updated = t.next("materials"), t.now
	id := randomText(idLetters, 64)
	t.materials.put(t, id, m)
	return id
}

// imageAddress is the address of an image, "" for other kinds.
func (t *turn) imageAddress(host, id, kind string) string {
	if kind != imageFile {
		return ""
	}
	return mediaAddress(host, id)
}

// uploadImage answers media/uploadimg: an image for the text of articles, which
// is in no list.
func (t *turn) uploadImage(r *request) (any, *refusal) {
	contentType, no := fileRule{maxBodyImage, []string{"image/png", "image/jpeg"}}.check(r.form.data)
	if no != nil {
		return nil, no
	}
	id := t.keepMaterial(material{medium: medium{Kind: imageFile, Type: contentType, Data: r.form.data}, Name: r.form.name, Hidden: true})
	return struct {
		URL string `json:"url"`
	}{mediaAddress(r.host, id)}, nil
}

// materialsOf returns the ids of a kind, newest first.
func (t *turn) materialsOf(kind string) []string {
	var ids []string
	for id, m := range t.materials.rows {
		if m.Kind == kind && !m.Hidden {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b string) int { return cmp.Compare(t.materials.rows[b].Order, t.materials.rows[a].Order) })
	return ids
}

// byMediaID reads the one field of several calls.
func (r *request) byMediaID() (string, *refusal) {
	var in struct {
		ID string `json:"media_id"`
	}
	if no := r.decode(&in); no != nil {
		return "", no
	}
	if in.ID == "" {
		return "", refuse(41006)
	}
	return in.ID, nil
}

// getMaterial answers material/get_material: a video's description, news as
// articles, anything else itself.
func (t *turn) getMaterial(r *request) (any, *refusal) {
	id, no := r.byMediaID()
	if no != nil {
		return nil, no
	}
	m, there := t.materials.rows[id]
	switch {
	case !there, m.Hidden:
		return nil, refuse(40007)
	case m.Kind == newsMaterial:
		return newsAnswer{Items: m.News}, nil
	case m.Kind == videoFile:
		return struct {
			Title string `json:"title"`
			About string `json:"description"`
			URL   string `json:"down_url"`
		}{m.Name, m.About, mediaAddress(r.host, id)}, nil
	}
	return m.file(id), nil
}

// deleteMaterial answers material/del_material.
func (t *turn) deleteMaterial(r *request) (any, *refusal) {
	id, no := r.byMediaID()
	if no != nil {
		return nil, no
	}
	if m, there := t.materials.rows[id]; !there || m.Hidden {
		return nil, refuse(40007)
	}
	t.materials.drop(t, id)
	return nil, nil
}

// countMaterials answers material/get_materialcount. Thumbs are images there.
func (t *turn) countMaterials(*request) (any, *refusal) {
	return struct {
		Voice int `json:"voice_count"`
		Video int `json:"video_count"`
		Image int `json:"image_count"`
		News  int `json:"news_count"`
	}{
		len(t.materialsOf(voiceFile)), len(t.materialsOf(videoFile)),
		len(t.materialsOf(imageFile)) + len(t.materialsOf(thumbFile)), len(t.materialsOf(newsMaterial)),
	}, nil
}

// page is what the list calls ask for.
type page struct {
	Offset int `json:"offset"`
	Count  int `json:"count"`
}

// of cuts the page out of a list. Its limits are the platform's.
func (p page) of(all []string) ([]string, *refusal) {
	if p.Offset < 0 || p.Count < 1 || p.Count > maxPage {
		return nil, refuse(40097)
	}
	return all[min(len(all), p.Offset):min(len(all), p.Offset+p.Count)], nil
}

// listMaterials answers material/batchget_material.
func (t *turn) listMaterials(r *request) (any, *refusal) {
	var in struct {
		Type   string `json:"type"`
		Offset int    `json:"offset"`
		Count  int    `json:"count"`
	}
	if no := r.decode(&in); no != nil {
		return nil, no
	}
	switch in.Type {
	case imageFile, voiceFile, videoFile, newsMaterial:
	default:
		return nil, refuse(40004)
	}
	all := t.materialsOf(in.Type)
	ids, no := page{in.Offset, in.Count}.of(all)
	if no != nil {
		return nil, no
	}
	type item struct {
		ID      string      `json:"media_id"`
		Name    string      `json:"name,omitempty"`
		Content *newsAnswer `json:"content,omitempty"`
		Updated int64       `json:"update_time"`
		URL     string      `json:"url,omitempty"`
	}
	items := []item{}
	for _, id := range ids {
		m := t.materials.rows[id]
		one := item{ID: id, Name: m.Name, Updated: m.Updated.Unix(), URL: t.imageAddress(r.host, id, m.Kind)}
		if m.Kind == newsMaterial {
			one.Name, one.Content = "", &newsAnswer{Items: m.News}
		}
		items = append(items, one)
	}
	return struct {
		Total int    `json:"total_count"`
		Count int    `json:"item_count"`
		Items []item `json:"item"`
	}{len(all), len(items), items}, nil
}

// KeepNews lets the account have news material of the time before drafts, with
// one article, and returns its media id. No call makes any today.
func (p *Platform) KeepNews(title, content string) (mediaID string, err error) {
	err = p.act(func(t *turn) error {
		mediaID = t.keepMaterial(material{
			medium: medium{Kind: newsMaterial}, Name: title, News: []article{{Title: title, Content: content, URL: "http://mp.weixin.qq.com/s/old"}},
		})
		return nil
	})
	return mediaID, err
}
