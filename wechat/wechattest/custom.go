package wechattest

import (
	"maps"
	"net/http"
	"slices"
)

// maxTextBytes bounds a text in either direction.
// API: 被动回复 and 客服消息, content "2048字节".
const maxTextBytes = 2048

func customEndpoints() []endpoint {
	return []endpoint{
		{http.MethodPost, "/cgi-bin/message/custom/send", withToken, Quota{Day: 500_000}, (*turn).sendCustom},
	}
}

// sendCustom answers message/custom/send, for texts.
func (t *turn) sendCustom(r *request) (any, *refusal) {
	var in struct {
		ToUser  string `json:"touser"`
		MsgType string `json:"msgtype"`
		Text    struct {
			Content string `json:"content"`
		} `json:"text"`
	}
	if no := r.decode(&in); no != nil {
		return nil, no
	}
	u, known := t.users.rows[in.ToUser]
	switch {
	case !known:
		return nil, refuse(40003)
	case in.MsgType != "text":
		return nil, refuse(40008)
	case in.Text.Content == "":
		return nil, refuse(44004)
	case len(in.Text.Content) > maxTextBytes:
		return nil, refuse(45002)
	}
	if no := t.spendWindow(u); no != nil {
		return nil, no
	}
	t.show(u.OpenID, Bubble{From: Ours, Kind: "text", Text: in.Text.Content})
	return nil, nil
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
