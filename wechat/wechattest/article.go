package wechattest

import (
	"regexp"
	"strings"
	"unicode/utf8"
)

// The limits of an article.
// API: POST /cgi-bin/draft/add, title "不超过32个字", author "不超过16个字", digest
// "不超过128个字" and "默认抓取正文前54个字", content "必须少于2万字符，小于1M",
// content_source_url "不可超过1 kb". How many articles a draft may have is the
// limit of the older news material, "多图文 8".
const (
	maxArticles      = 8
	maxTitle         = 32
	maxAuthor        = 16
	maxDigest        = 128
	madeDigest       = 54
	maxContentRunes  = 20_000
	maxContentBytes  = 1 << 20
	maxSource        = 1 << 10
	maxArticleImages = 20
	newsArticle      = "news"
	pictureArticle   = "newspic"
)

// article is one article of a draft, as the calls carry it.
type article struct {
	Kind     string     `json:"article_type,omitempty"`
	Title    string     `json:"title"`
	Author   string     `json:"author"`
	Digest   string     `json:"digest"`
	Content  string     `json:"content,omitempty"`
	Source   string     `json:"content_source_url"`
	ThumbID  string     `json:"thumb_media_id"`
	ThumbURL string     `json:"thumb_url,omitempty"`
	Shown    int        `json:"show_cover_pic,omitempty"` // of the time before drafts; silenceper/wechat sends it
	Comments int        `json:"need_open_comment"`
	FansOnly int        `json:"only_fans_can_comment"`
	Crop235  string     `json:"pic_crop_235_1,omitempty"`
	Crop11   string     `json:"pic_crop_1_1,omitempty"`
	Images   *imageInfo `json:"image_info,omitempty"`
	Cover    *coverInfo `json:"cover_info,omitempty"`
	URL      string     `json:"url,omitempty"`
	Deleted  *bool      `json:"is_deleted,omitempty"`
}

type imageInfo struct {
	List []articleImage `json:"image_list"`
}

type articleImage struct {
	ID string `json:"image_media_id"`
}

type coverInfo struct {
	Crops []struct {
		Ratio string `json:"ratio"`
		X1    string `json:"x1"`
		Y1    string `json:"y1"`
		X2    string `json:"x2"`
		Y2    string `json:"y2"`
	} `json:"crop_percent_list"`
}

// newsAnswer is a list of articles.
type newsAnswer struct {
	Items []article `json:"news_item"`
}

// checkArticle refuses what the draft box would, and returns the article as it
// is kept.
func (t *turn) checkArticle(a article, alone bool, host string) (article, *refusal) {
	if a.Kind == "" {
		a.Kind = newsArticle
	}
	switch {
	case a.Kind != newsArticle && a.Kind != pictureArticle:
		return a, refuse(40008)
	case a.Title == "" || utf8.RuneCountInString(a.Title) > maxTitle:
		return a, refuse(45003)
	case utf8.RuneCountInString(a.Author) > maxAuthor:
		return a, refuse(45110)
	case utf8.RuneCountInString(a.Digest) > maxDigest:
		return a, refuse(45004)
	case a.Content == "":
		return a, refuse(44003)
	case utf8.RuneCountInString(a.Content) >= maxContentRunes || len(a.Content) >= maxContentBytes:
		return a, refuse(45002)
	case len(a.Source) > maxSource:
		return a, refuse(45005)
	case a.Comments&^1 != 0 || a.FansOnly&^1 != 0:
		return a, refuse(40035)
	}
	if no := t.checkPictures(a); no != nil {
		return a, no
	}
	a.URL, a.Deleted, a.ThumbURL = "", nil, ""
	a.Content = cleaned(a.Content, host)
	if a.Kind == newsArticle {
		a.ThumbURL = mediaAddress(host, a.ThumbID)
		if a.Digest == "" && alone {
			a.Digest = firstRunes(strings.TrimSpace(tagForm.ReplaceAllString(a.Content, "")), madeDigest)
		}
	}
	return a, nil
}

// checkPictures wants permanent images: a cover for news, up to twenty for a
// picture article.
func (t *turn) checkPictures(a article) *refusal {
	var ids []string
	if a.Kind == newsArticle {
		ids = []string{a.ThumbID}
	} else if a.Images != nil {
		for _, image := range a.Images.List {
			ids = append(ids, image.ID)
		}
	}
	if len(ids) < 1 || len(ids) > maxArticleImages {
		return refuse(40007)
	}
	for _, id := range ids {
		m, kept := t.materials.rows[id]
		if !kept || m.Hidden || m.Kind != imageFile && m.Kind != thumbFile {
			return refuse(40007)
		}
	}
	return nil
}

var (
	scriptForm = regexp.MustCompile(`(?is)<script\b.*?(</script\s*>|$)`)
	imageForm  = regexp.MustCompile(`(?is)<img\b[^>]*>`)
	srcForm    = regexp.MustCompile(`(?is)\bsrc\s*=\s*["']?([^"'\s>]*)`)
	tagForm    = regexp.MustCompile(`(?s)<[^>]*>`)
)

// cleaned leaves out scripts, and images that were not uploaded with
// media/uploadimg.
// API: POST /cgi-bin/draft/add, content "此处会去除JS … 外部图片url将被过滤".
func cleaned(content, host string) string {
	content = scriptForm.ReplaceAllString(content, "")
	return imageForm.ReplaceAllStringFunc(content, func(image string) string {
		src := srcForm.FindStringSubmatch(image)
		if src != nil && strings.HasPrefix(src[1], mediaAddress(host, "")) {
			return image
		}
		return ""
	})
}
