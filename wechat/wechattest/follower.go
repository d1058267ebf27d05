package wechattest

import (
	"context"
	"errors"
	"maps"
	"time"

	"github.com/wxhospital/hospital"
)

// Follower is a person with WeChat: the one who scans, follows, taps and reads.
// A verb that makes the platform push returns when the account's server has
// answered, or has failed to three times; what came of it stands in
// [Follower.Chat]. Verbs return Rejected for what the phone would not let
// them do, and the context's error when it ended first: the push then stays
// due.
type Follower struct {
	platform *Platform
	openID   string
}

// Join lets a person exist who has never heard of the account. The nickname is
// what a web login with snsapi_userinfo gives out.
func (p *Platform) Join(nickname string) (*Follower, error) {
	f := &Follower{platform: p}
	err := p.act(func(t *turn) error {
		f.openID = t.join(nickname).OpenID
		return nil
	})
	if err != nil {
		return nil, err
	}
	return f, nil
}

// Find returns the person behind the openid, NotFound if there is none.
func (p *Platform) Find(openID string) (*Follower, error) {
	err := p.act(func(t *turn) error {
		if _, known := t.users.rows[openID]; !known {
			return verbError(hospital.NotFound, "Find", "no_user", "no such openid")
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return &Follower{p, openID}, nil
}

// OpenID is the person's name to the account.
func (f *Follower) OpenID() string { return f.openID }

// Chat returns what the phone shows in the account's chat, oldest first.
func (f *Follower) Chat() []Bubble {
	f.platform.mu.Lock()
	defer f.platform.mu.Unlock()
	return (&turn{Platform: f.platform}).chat(f.openID)
}

// Follow subscribes to the account (关注), found by search. Who follows already
// sees no change, and nothing is pushed.
func (f *Follower) Follow(ctx context.Context) error {
	return f.verb(ctx, func(t *turn, u user) ([]string, error) {
		if u.Subscribed {
			return nil, nil
		}
		u.QRScene, u.QRSceneID = "", 0
		return t.subscribe(u, "ADD_SCENE_SEARCH", "", ""), nil
	})
}

// Unfollow ends the subscription (取消关注). The account may not write any more.
func (f *Follower) Unfollow(ctx context.Context) error {
	return f.verb(ctx, func(t *turn, u user) ([]string, error) {
		if !u.Subscribed {
			return nil, verbError(hospital.Rejected, "Unfollow", "not_following", "")
		}
		u.Subscribed, u.SubscribedAt, u.Windows = false, time.Time{}, nil
		t.users.put(t, u.OpenID, u)
		return []string{t.pushEvent(u, false, "unsubscribe", text("EventKey", ""))}, nil
	})
}

// Scan scans a QR code with a scene (扫描带参数二维码) that the account made long
// ago: it subscribes first where that must be. [Follower.ScanCode] scans one that
// the platform knows.
func (f *Follower) Scan(ctx context.Context, scene string) error {
	return f.verb(ctx, func(t *turn, u user) ([]string, error) {
		if scene == "" || len(scene) > 64 {
			return nil, verbError(hospital.Invalid, "Scan", "bad_scene", "want 1 to 64 bytes")
		}
		return t.scan(u, qrCode{Scene: scene}, qrTicket()), nil
	})
}

// Say writes a text into the chat.
func (f *Follower) Say(ctx context.Context, words string) error {
	return f.verb(ctx, func(t *turn, u user) ([]string, error) {
		switch {
		case !u.Subscribed:
			return nil, verbError(hospital.Rejected, "Say", "not_following", "only a follower can write")
		case words == "" || len(words) > maxTextBytes:
			return nil, verbError(hospital.Invalid, "Say", "bad_text", "want 1 to 2048 bytes")
		}
		t.spoken(u, Bubble{Kind: "text", Text: words})
		return []string{t.pushMessage(u, "text", text("Content", words))}, nil
	})
}

// Tap taps a button of the menu, by its name, and returns the address that it
// opens, "" for a button that opens none.
func (f *Follower) Tap(ctx context.Context, name string) (address string, err error) {
	err = f.verb(ctx, func(t *turn, u user) ([]string, error) {
		if !u.Subscribed {
			return nil, verbError(hospital.Rejected, "Tap", "not_following", "only a follower sees the menu")
		}
		shown, _ := t.menuOf(u)
		b, found := shown.find(name)
		if !found {
			return nil, verbError(hospital.NotFound, "Tap", "no_button", "the menu has no such button")
		}
		address = b.URL
		switch b.Type { // the account sends something, or a page opens, and no event tells of it
		case "media_id":
			m := t.materials.rows[b.MediaID]
			t.show(u.OpenID, Bubble{From: Ours, Kind: m.Kind, Text: b.MediaID})
			return nil, nil
		case "article_id":
			t.show(u.OpenID, Bubble{From: Ours, Kind: "news", Cards: t.cards(b.ArticleID)})
			return nil, nil
		case "article_view_limited":
			if cards := t.cards(b.ArticleID); len(cards) > 0 {
				address = cards[0].URL
			}
			return nil, nil
		}
		event, ok := tapEvents()[b.Type]
		if !ok {
			return nil, verbError(hospital.Rejected, "Tap", "no_tap", "the button opens further buttons or a camera")
		}
		key := b.URL
		if b.Type == "click" {
			key = b.Key
			t.open48(u, tapped)
		}
		return []string{t.pushEvent(u, true, event, text("EventKey", key))}, nil
	})
	return address, err
}

// cards are the articles of a publication, as the chat shows them.
func (t *turn) cards(articleID string) []Card {
	var all []Card
	if _, p, no := t.publication(articleID); no == nil {
		for _, a := range p.Articles {
			all = append(all, Card{Title: a.Title, Text: a.Digest, URL: a.URL})
		}
	}
	return all
}

// tapEvents are the events of the buttons that a tap alone completes.
func tapEvents() map[string]string {
	return map[string]string{"click": "CLICK", "view": "VIEW", "miniprogram": "view_miniprogram"}
}

// Block refuses the account's template messages (拒收), or takes that back.
func (f *Follower) Block(blocked bool) error {
	return f.platform.act(func(t *turn) error {
		u := t.users.rows[f.openID]
		u.Blocked = blocked
		t.users.put(t, f.openID, u)
		return nil
	})
}

// subscribe makes the user a follower.
func (t *turn) subscribe(u user, from, scene, ticket string) []string {
	u.Subscribed, u.SubscribedAt, u.SceneOf = true, t.now, from
	t.users.put(t, u.OpenID, u)
	t.open48(u, subscribed)
	fields := []field{text("EventKey", "")}
	if scene != "" {
		fields = []field{text("EventKey", "qrscene_"+scene), text("Ticket", ticket)}
	}
	return []string{t.pushEvent(u, true, "subscribe", fields...)}
}

// qrTicket is the ticket of a QR code that nobody asks for again.
func qrTicket() string {
	return "gQ" + randomText("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789", 94)
}

// verb lets the user act and pushes what came of it.
func (f *Follower) verb(ctx context.Context, act func(*turn, user) ([]string, error)) error {
	var jobs []string
	err := f.platform.act(func(t *turn) error {
		u, known := t.users.rows[f.openID]
		if !known {
			return verbError(hospital.NotFound, "Follower", "no_user", "no such openid")
		}
		var err error
		jobs, err = act(t, u)
		for _, id := range jobs {
			t.busy[id] = true // Run leaves it to us: the verb returns with the answer
		}
		return err
	})
	if err != nil {
		return err
	}
	var failed error
	for _, id := range jobs {
		failed = errors.Join(failed, f.platform.workMine(ctx, id))
	}
	return failed
}

// interaction is what a user does that lets the account write for a while.
type interaction string

const (
	spoke      interaction = "spoke"
	tapped     interaction = "tapped"
	subscribed interaction = "subscribed"
	scanned    interaction = "scanned"
)

// window is the time after an interaction in which the account may send
// customer-service messages.
type window struct {
	Until time.Time
	Left  int
}

// windowOf is how long and how many.
// API: POST /cgi-bin/message/custom/send, 下发规则: a message of the user 48 hours
// and 5 messages; menu, subscription, scan 1 minute and 3. Of the menu count
// click, scancode_push and scancode_waitmsg alone.
func windowOf(kind interaction) (d time.Duration, n int) {
	if kind == spoke {
		return 48 * time.Hour, 5
	}
	return time.Minute, 3
}

// open48 opens the interaction's window anew.
func (t *turn) open48(u user, kind interaction) {
	u = t.users.rows[u.OpenID]
	d, n := windowOf(kind)
	windows := maps.Clone(u.Windows)
	if windows == nil {
		windows = map[string]window{}
	}
	windows[string(kind)] = window{Until: t.now.Add(d), Left: n}
	u.Windows = windows
	t.users.put(t, u.OpenID, u)
}
