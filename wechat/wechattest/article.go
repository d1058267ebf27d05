package wechattest

// article is one article of a draft, as the calls carry it.
type article struct {
	Kind    string `json:"article_type,omitempty"`
	Title   string `json:"title"`
	Author  string `json:"author"`
	Digest  string `json:"digest"`
	Content string `json:"content"`
	Source  string `json:"content_source_url"`
	ThumbID string `json:"thumb_media_id"`
	URL     string `json:"url,omitempty"`
}

// newsAnswer is a list of articles.
type newsAnswer struct {
	Items []article `json:"news_item"`
}
