package wechattest

import (
	"context"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/wxhospital/hospital"
)

const (
	// maxTextBytes bounds a text in either direction.
	// API: 被动回复 and 客服消息, content "2048字节".
	maxTextBytes = 2048
	// typingAfter is how fresh the conversation must be, typingLasts how long the
	// phone shows that somebody types.
	// API: POST /cgi-bin/message/custom/typing, "之前 30 秒内跟用户有过消息交互", "持续 15 秒".
	typingAfter = 30 * time.Second
	typingLasts = 15 * time.Second
)

func customEndpoints() []endpoint {
	return []endpoint{
		{http.MethodPost, "/cgi-bin/message/custom/send", withToken, Quota{Day: 500_000}, (*turn).sendCustom},
		{http.MethodPost, "/cgi-bin/message/custom/typing", withToken, Quota{Day: 500_000}, (*turn).typing},
	}
}

// customMessage is a customer-service message: msgtype and the object of that
// name.
type customMessage struct {
	ToUser  string `json:"touser"`
	MsgType string `json:"msgtype"`
	Text    struct {
		Content string `json:"content"`
	} `json:"text"`
	Image mediaRef `json:"image"`
	Voice mediaRef `json:"voice"`
	Video struct {
		MediaID      string `json:"media_id"`
		ThumbMediaID string `json:"thumb_media_id"`
		Title        string `json:"title"`
		Description  string `json:"description"`
	} `json:"video"`
	Music struct {
		Title        string `json:"title"`
		Description  string `json:"description"`
		URL          string `json:"musicurl"`
		HQURL        string `json:"hqmusicurl"`
		ThumbMediaID string `json:"thumb_media_id"`
	} `json:"music"`
	News struct {
		Articles []struct {
			Title       string `json:"title"`
			Description string `json:"description"`
			URL         string `json:"url"`
			PicURL      string `json:"picurl"`
		} `json:"articles"`
	} `json:"news"`
	MPNews        mediaRef `json:"mpnews"`
	MPNewsArticle struct {
		ArticleID string `json:"article_id"`
	} `json:"mpnewsarticle"`
	Menu struct {
		Head string   `json:"head_content"`
		List []Choice `json:"list"`
		Tail string   `json:"tail_content"`
	} `json:"msgmenu"`
	Card struct {
		CardID string `json:"card_id"`
		Ext    string `json:"card_ext"` // of the time when cards were signed
	} `json:"wxcard"`
	MiniProgram struct {
		Title        string `json:"title"`
		AppID        string `json:"appid"`
		PagePath     string `json:"pagepath"`
		ThumbMediaID string `json:"thumb_media_id"`
	} `json:"miniprogrampage"`
	Service struct {
		Account string `json:"kf_account"`
	} `json:"customservice"`
}

type mediaRef struct {
	MediaID string `json:"media_id"`
}

// sendCustom answers message/custom/send.
func (t *turn) sendCustom(r *request) (any, *refusal) {
	var in customMessage
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	u, known := t.users.rows[in.ToUser]
	switch {
	case !known:
		return nil, refuse(40003)
	case u.Barred:
		return nil, refuse(43019)
	}
	b, no := t.customBubble(in)
	if no != nil {
		return nil, no
	}
	if in.Service.Account != "" {
		a, there := t.agents.rows[in.Service.Account]
		if !there {
			return nil, refuse(65401)
		}
		b.Agent = a.Name
	}
	if u.Muted {
		return nil, refuse(48002)
	}
	if no := t.spendWindow(u); no != nil {
		return nil, no
	}
	if in.Service.Account != "" {
		t.record(record{Account: in.Service.Account, OpenID: u.OpenID, Ours: true, Text: recorded(b)})
	}
	t.touch(u.OpenID, time.Time{})
	t.show(u.OpenID, b)
	return nil, nil
}

// customBubble checks the message and returns what the phone shows.
func (t *turn) customBubble(in customMessage) (Bubble, *refusal) {
	b := Bubble{From: Ours, Kind: in.MsgType}
	var no *refusal
	switch in.MsgType {
	case "text":
		b.Text = in.Text.Content
		no = checkText(b.Text)
	case "image":
		b.Text, no = t.carried(in.Image.MediaID, imageFile)
	case "voice":
		b.Text, no = t.carried(in.Voice.MediaID, voiceFile)
	case "video":
		if b.Text, no = t.carried(in.Video.MediaID, videoFile); no == nil {
			_, no = t.carried(in.Video.ThumbMediaID, thumbFile, imageFile)
		}
		b.Cards = []Card{{Title: in.Video.Title, Text: in.Video.Description}}
	case "music":
		if !webAddress(in.Music.URL) || !webAddress(in.Music.HQURL) {
			return b, refuse(40048)
		}
		b.Text, no = t.carried(in.Music.ThumbMediaID, thumbFile, imageFile)
		b.Cards = []Card{{Title: in.Music.Title, Text: in.Music.Description, URL: in.Music.URL}}
	case "news":
		b.Cards, no = customNews(in)
	case "mpnews":
		var articles []article
		b.Text = in.MPNews.MediaID
		articles, no = t.draftArticles(b.Text)
		b.Cards = articleCards(articles)
	case "mpnewsarticle":
		b.Text = in.MPNewsArticle.ArticleID
		if b.Cards = t.cards(b.Text); len(b.Cards) == 0 {
			no = refuse(40007)
		}
	case "msgmenu":
		b.Text, b.Choices = strings.Trim(in.Menu.Head+"\n"+in.Menu.Tail, "\n"), in.Menu.List
		no = checkChoices(in.Menu.List)
	case "wxcard":
		b.Text = in.Card.CardID
		no = t.checkCard(b.Text)
	case "miniprogrampage":
		var card Card
		if in.MiniProgram.AppID == "" {
			return b, refuse(40166)
		}
		if card, no = t.link(&miniProgram{in.MiniProgram.AppID, in.MiniProgram.PagePath}, ""); no == nil {
			b.Text, no = t.carried(in.MiniProgram.ThumbMediaID, thumbFile, imageFile)
		}
		card.Title = in.MiniProgram.Title
		b.Cards = []Card{card}
	default:
		no = refuse(40008)
	}
	return b, no
}

func checkText(text string) *refusal {
	switch {
	case text == "":
		return refuse(44004)
	case len(text) > maxTextBytes:
		return refuse(45002)
	}
	return nil
}

// carried checks that a message may carry the file.
func (t *turn) carried(id string, kinds ...string) (string, *refusal) {
	if id == "" {
		return "", refuse(41006)
	}
	_, no := t.medium(id, kinds...)
	return id, no
}

// customNews checks the one article.
// API: POST /cgi-bin/message/custom/send, news "图文消息条数限制在1条以内，如果图文数超过1，则将会返回错误码45008".
func customNews(in customMessage) ([]Card, *refusal) {
	switch n := len(in.News.Articles); {
	case n == 0:
		return nil, refuse(44003)
	case n > 1:
		return nil, refuse(45008)
	}
	a := in.News.Articles[0]
	switch {
	case a.Title == "":
		return nil, refusef(40035, "invalid parameter: news.articles[0].title")
	case !webAddress(a.URL), a.PicURL != "" && !webAddress(a.PicURL):
		return nil, refuse(40048)
	}
	return []Card{{Title: a.Title, Text: a.Description, URL: a.URL}}, nil
}

func checkChoices(list []Choice) *refusal {
	seen := map[string]bool{}
	for _, c := range list {
		if c.ID == "" || c.Content == "" || seen[c.ID] {
			return refusef(40035, "invalid parameter: msgmenu.list")
		}
		seen[c.ID] = true
	}
	if len(list) == 0 {
		return refusef(40035, "invalid parameter: msgmenu.list")
	}
	return nil
}

func (t *turn) checkCard(id string) *refusal {
	if !slices.Contains(t.config.Cards, id) {
		return refuse(40073)
	}
	return nil
}

// spendWindow takes one message from the window that ends first.
func (t *turn) spendWindow(u user) *refusal {
	best, opened := "", false
	for _, name := range slices.Sorted(maps.Keys(u.Windows)) {
		w := u.Windows[name]
		if !t.now.Before(w.Until) {
			continue
		}
		opened = true
		if w.Left > 0 && (best == "" || w.Until.Before(u.Windows[best].Until)) {
			best = name
		}
	}
	switch {
	case !opened: // whoever unfollows closes all windows
		return refuse(45015)
	case best == "":
		return refuse(45047)
	}
	windows := maps.Clone(u.Windows)
	w := windows[best]
	w.Left--
	windows[best] = w
	u.Windows = windows
	t.users.put(t, u.OpenID, u)
	return nil
}

// touch notes that one side has written to the other, and until when the phone
// shows that somebody types.
func (t *turn) touch(openID string, typing time.Time) {
	u := t.users.rows[openID]
	u.Touched, u.Typing = t.now, typing
	t.users.put(t, openID, u)
}

// typing answers message/custom/typing.
func (t *turn) typing(r *request) (any, *refusal) {
	var in struct {
		ToUser  string `json:"touser"`
		Command string `json:"command"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	u, known := t.users.rows[in.ToUser]
	switch {
	case !known:
		return nil, refuse(40003)
	case in.Command != "Typing" && in.Command != "CancelTyping":
		return nil, refuse(45072)
	case !t.reachable(u):
		return nil, refuse(45015)
	}
	if in.Command == "CancelTyping" {
		u.Typing = time.Time{}
		t.users.put(t, u.OpenID, u)
		return nil, nil
	}
	switch {
	case t.now.Sub(u.Touched) > typingAfter:
		return nil, refuse(45080)
	case t.now.Before(u.Typing):
		return nil, refuse(45081)
	}
	u.Typing = t.now.Add(typingLasts)
	t.users.put(t, u.OpenID, u)
	return nil, nil
}

// reachable reports whether a window stands open for the user.
func (t *turn) reachable(u user) bool {
	for _, w := range u.Windows {
		if t.now.Before(w.Until) {
			return true
		}
	}
	return false
}

// Typing reports whether the phone shows that the account types.
func (f *Follower) Typing() bool {
	f.platform.mu.Lock()
	defer f.platform.mu.Unlock()
	return f.platform.config.Now().Before(f.platform.users.rows[f.openID].Typing)
}

// Mute switches off, in the account's settings on the phone, that it may write
// (接收消息), or takes that back. Template messages are refused by
// [Follower.Block].
func (f *Follower) Mute(muted bool) error {
	return f.platform.act(func(t *turn) error {
		u := t.users.rows[f.openID]
		u.Muted = muted
		t.users.put(t, f.openID, u)
		return nil
	})
}

// Choose taps an entry of the last menu message in the chat, by its id. It
// arrives as the text of the entry, with the id as bizmsgmenuid. NotFound: the
// chat shows no such entry.
func (f *Follower) Choose(ctx context.Context, id string) error {
	return f.verb(ctx, func(t *turn, u user) ([]string, error) {
		for _, b := range slices.Backward(t.chat(u.OpenID)) {
			if b.Kind != "msgmenu" {
				continue
			}
			for _, c := range b.Choices {
				if c.ID != id {
					continue
				}
				t.spoken(u, Bubble{Kind: "text", Text: c.Content})
				return []string{t.pushMessage(u, "text", text("Content", c.Content), text("bizmsgmenuid", c.ID))}, nil
			}
		}
		return nil, verbError(hospital.NotFound, "Choose", "no_choice", "the chat shows no such entry")
	})
}

// spoken is what a message of the user brings about, whatever its kind.
func (t *turn) spoken(u user, b Bubble) {
	b.From = Patient
	t.open48(u, spoke)
	t.touch(u.OpenID, t.users.rows[u.OpenID].Typing)
	t.show(u.OpenID, b)
	s, atDesk := t.sessions.rows[u.OpenID]
	switch {
	case !atDesk:
	case s.Account != "":
		t.record(record{Account: s.Account, OpenID: u.OpenID, Text: recorded(b)})
	default:
		s.Since = t.now
		t.sessions.put(t, u.OpenID, s)
	}
}
