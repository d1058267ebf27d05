package wechat

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/remote"
)

// The limits of QR codes.
// API: POST /cgi-bin/qrcode/create, 参数说明.
const (
	maxQRLife      = 30 * 24 * time.Hour
	maxPermanentID = 100_000
	maxSceneID     = 1<<32 - 1
	maxSceneName   = 64 // bytes
)

// QRCode is a QR code with a scene (带参数二维码): whoever scans it tells the account
// which one it was, in [Subscribe] or [Scan]. It has a Scene or a SceneID.
type QRCode struct {
	Scene   string // 1 to 64 bytes
	SceneID int64  // 1 to 4294967295; of a permanent code 1 to 100000
	// Life is how long the code serves, 1 s to 30 days in whole seconds; 0 is for
	// good, of which an account has a hundred thousand.
	Life time.Duration
}

// validate returns Invalid with code bad_qrcode, and the detail names the field
// as the platform does: "action_info.scene.scene_str".
func (q QRCode) validate() error {
	bad := func(detail string) error { return invalid("wechat.QRCode", "bad_qrcode", detail) }
	most := int64(maxSceneID)
	if q.Life == 0 {
		most = maxPermanentID
	}
	switch {
	case q.Life < 0 || q.Life > maxQRLife || q.Life%time.Second != 0:
		return bad("expire_seconds: want whole seconds, at most 2592000")
	case q.Scene != "" && q.SceneID != 0:
		return bad("action_info.scene: want scene_id or scene_str")
	case len(q.Scene) > maxSceneName:
		return bad("action_info.scene.scene_str: want 1 to 64 bytes")
	case q.Scene == "" && (q.SceneID < 1 || q.SceneID > most):
		return bad("action_info.scene.scene_id: want 1 to " + strconv.FormatInt(most, 10))
	}
	return nil
}

// action is the platform's name of the kind.
func (q QRCode) action() string {
	switch permanent, named := q.Life == 0, q.Scene != ""; {
	case permanent && named:
		return "QR_LIMIT_STR_SCENE"
	case permanent:
		return "QR_LIMIT_SCENE"
	case named:
		return "QR_STR_SCENE"
	}
	return "QR_SCENE"
}

// QRTicket is a code that the platform has made.
type QRTicket struct {
	Ticket    string    // for [Client.FetchQRCode] and [Client.QRCodeURL]
	Content   string    // what the picture says, for those who draw it themselves
	ExpiresAt time.Time // zero: for good
}

// CreateQRCode makes a QR code. It returns Invalid with code bad_qrcode before
// anything is sent. It may be repeated when the answer was lost: what nobody scans
// does nothing.
// API: POST /cgi-bin/qrcode/create.
func (c *Client) CreateQRCode(ctx context.Context, q QRCode) (QRTicket, error) {
	if err := q.validate(); err != nil {
		return QRTicket{}, err
	}
	var body struct {
		Seconds int64  `json:"expire_seconds,omitempty"`
		Action  string `json:"action_name"`
		Info    struct {
			Scene struct {
				ID   int64  `json:"scene_id,omitempty"`
				Name string `json:"scene_str,omitempty"`
			} `json:"scene"`
		} `json:"action_info"`
	}
	body.Seconds, body.Action = int64(q.Life/time.Second), q.action()
	body.Info.Scene.ID, body.Info.Scene.Name = q.SceneID, q.Scene
	ask := call{op: "wechat.CreateQRCode", path: "/cgi-bin/qrcode/create", body: body, changes: true, idempotent: true}
	answer, err := c.do(ctx, ask)
	if err != nil {
		return QRTicket{}, err
	}
	made := QRTicket{Ticket: answer.Get("ticket").String(), Content: answer.Get("url").String()}
	seconds, err := integer(answer.Get("expire_seconds"))
	switch {
	case made.Ticket == "":
		return QRTicket{}, ask.bad("ticket")
	case made.Content == "":
		return QRTicket{}, ask.bad("url")
	case err != nil || q.Life != 0 && seconds <= 0:
		return QRTicket{}, ask.bad("expire_seconds")
	case q.Life != 0:
		made.ExpiresAt = c.now().Add(time.Duration(seconds) * time.Second)
	}
	return made, nil
}

const showQRCode = "/cgi-bin/showqrcode"

// QRCodeURL is the address of a code's picture, for a page or a poster.
// API: GET https://mp.weixin.qq.com/cgi-bin/showqrcode.
func (c *Client) QRCodeURL(ticket string) string {
	return c.mpURL + showQRCode + "?ticket=" + url.QueryEscape(ticket)
}

// FetchQRCode fetches a code's picture. A ticket that is unknown or has ended is
// NotFound with code http_404.
// API: GET https://mp.weixin.qq.com/cgi-bin/showqrcode.
func (c *Client) FetchQRCode(ctx context.Context, ticket string) (File, error) {
	const op = "wechat.FetchQRCode"
	if ticket == "" {
		return File{}, invalid(op, "bad_qrcode", "ticket: missing")
	}
	answer, err := c.pages.Do(ctx, remote.Call{Op: op, Path: showQRCode, Query: url.Values{"ticket": {ticket}}, ReadOnly: true})
	if err != nil {
		return File{}, err //nolint:wrapcheck // a *hospital.Error
	}
	var picture File
	switch {
	case answer.Status == http.StatusNotFound:
		return File{}, &hospital.Error{Kind: hospital.NotFound, Op: op, Code: "http_404"}
	case answer.Status >= http.StatusMultipleChoices:
		return File{}, &hospital.Error{Kind: hospital.Rejected, Op: op, Code: "http_" + strconv.Itoa(answer.Status)}
	case !picture.take(answer) || !strings.HasPrefix(picture.Type, "image/"):
		return File{}, call{op: op}.bad("Content-Type")
	}
	return picture, nil
}
