package wechattest

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"rsc.io/qr"

	"github.com/wxhospital/hospital"
)

// The limits of QR codes.
// API: POST /cgi-bin/qrcode/create, scene_id "永久二维码时最大值为100000", scene_str
// "长度限制为1到64", "目前为最多10万个". The life of a temporary code that asks for none
// is 30 s in some editions of the page and 60 s in others; its sample has 60.
const (
	maxPermanent   = 100_000
	maxSceneText   = 64
	defaultQRLife  = 60 // seconds
	qrLink         = "http://weixin.qq.com/q/"
	showPath       = "/cgi-bin/showqrcode"
	qrLinkLength   = 22
	qrPixelsModule = 8
)

// qrCode is a QR code with a scene (带参数二维码), by its ticket.
type qrCode struct {
	Link    string    // what the picture says
	SceneID int64     `json:",omitempty"`
	Scene   string    `json:",omitempty"` // in place of SceneID
	Until   time.Time // zero: for good
}

// scene is the code's scene as events carry it.
func (q qrCode) scene() string {
	if q.Scene == "" {
		return decimal(q.SceneID)
	}
	return q.Scene
}

func (q qrCode) lives(now time.Time) bool { return q.Until.IsZero() || now.Before(q.Until) }

func qrEndpoints() []endpoint {
	return []endpoint{
		{http.MethodPost, "/cgi-bin/qrcode/create", withToken, Quota{Day: 100_000}, (*turn).createQR},
	}
}

// createQR answers qrcode/create. A permanent code of the same scene is the
// same code.
func (t *turn) createQR(r *request) (any, *refusal) {
	var in struct {
		Seconds *int64 `json:"expire_seconds"`
		Action  string `json:"action_name"`
		Info    struct {
			Scene struct {
				ID   *int64  `json:"scene_id"`
				Text *string `json:"scene_str"`
			} `json:"scene"`
		} `json:"action_info"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	byText, permanent := false, false
	switch in.Action {
	case "QR_SCENE":
	case "QR_STR_SCENE":
		byText = true
	case "QR_LIMIT_SCENE":
		permanent = true
	case "QR_LIMIT_STR_SCENE":
		byText, permanent = true, true
	default:
		return nil, refuse(40052)
	}
	made := qrCode{}
	switch id, words := in.Info.Scene.ID, in.Info.Scene.Text; {
	case byText && (words == nil || *words == "" || len(*words) > maxSceneText || id != nil),
		!byText && (id == nil || *id < 1 || *id > 1<<32-1 || words != nil),
		!byText && permanent && *id > maxPermanent,
		permanent && in.Seconds != nil:
		return nil, refuse(40053)
	case byText:
		made.Scene = *words
	default:
		made.SceneID = *id
	}
	seconds := int64(defaultQRLife)
	if in.Seconds != nil {
		seconds = *in.Seconds
	}
	if seconds < 1 || seconds > monthSeconds {
		return nil, refuse(40053)
	}
	t.qrs.sweep(t, func(q qrCode) bool { return !q.lives(t.now) })
	ticket := qrTicket()
	if permanent {
		count := 0
		for key, q := range t.qrs.rows {
			if !q.Until.IsZero() {
				continue
			}
			if count++; q.scene() == made.scene() && (q.Scene == "") == (made.Scene == "") {
				return qrAnswer(key, q, 0), nil
			}
		}
		if count >= maxPermanent {
			return nil, refuse(45029)
		}
		seconds = 0
	} else {
		made.Until = t.now.Add(time.Duration(seconds) * time.Second)
	}
	made.Link = qrLink + "02" + randomText(idLetters, qrLinkLength)
	t.qrs.put(t, ticket, made)
	return qrAnswer(ticket, made, seconds), nil
}

func qrAnswer(ticket string, q qrCode, seconds int64) any {
	return struct {
		Ticket  string `json:"ticket"`
		Seconds int64  `json:"expire_seconds,omitempty"`
		Link    string `json:"url"`
	}{ticket, seconds, q.Link}
}

// serveQR is mp.weixin.qq.com/cgi-bin/showqrcode: the code as a picture, 404 for
// a ticket that it does not know. The real one is a JPEG.
func (p *Platform) serveQR(w http.ResponseWriter, r *http.Request) {
	var picture []byte
	err := p.act(func(t *turn) error {
		q, there := t.qrs.rows[r.URL.Query().Get("ticket")]
		if !there || !q.lives(t.now) {
			return nil
		}
		code, err := qr.Encode(q.Link, qr.M)
		if err != nil {
			return err //nolint:wrapcheck // answered with 500
		}
		code.Scale = qrPixelsModule
		picture = code.PNG()
		return nil
	})
	switch {
	case err != nil:
		w.WriteHeader(http.StatusInternalServerError)
	case picture == nil:
		w.WriteHeader(http.StatusNotFound)
	default:
		w.Header().Set("Content-Type", "image/png")
		_, _ = w.Write(picture) // a browser that is gone asks again
	}
}

// ScanCode scans a QR code that the account has made, by what its picture says,
// its ticket or the address of its picture: somebody who does not follow
// subscribes with it, a follower tells the account that they scanned. NotFound:
// there is no such code, or it has ended.
func (f *Follower) ScanCode(ctx context.Context, code string) error {
	return f.verb(ctx, func(t *turn, u user) ([]string, error) {
		ticket := code
		if address, err := url.Parse(code); err == nil && strings.HasSuffix(address.Path, showPath) {
			ticket = address.Query().Get("ticket")
		}
		q, there := t.qrs.rows[ticket]
		for key, other := range t.qrs.rows {
			if other.Link == code {
				ticket, q, there = key, other, true
			}
		}
		if !there || !q.lives(t.now) {
			return nil, verbError(hospital.NotFound, "ScanCode", "no_code", "the code does not exist or has ended")
		}
		return t.scan(u, q, ticket), nil
	})
}

// scan is what the platform tells the account about it.
func (t *turn) scan(u user, q qrCode, ticket string) []string {
	if !u.Subscribed {
		u.QRScene, u.QRSceneID = q.Scene, q.SceneID
		return t.subscribe(u, "ADD_SCENE_QR_CODE", q.scene(), ticket)
	}
	t.open48(u, scanned)
	return []string{t.pushEvent(u, true, "SCAN", text("EventKey", q.scene()), text("Ticket", ticket))}
}
