package wechat

import (
	"context"

	"github.com/wxhospital/hospital"
)

// SendText sends 客服消息, a text of at most 2048 bytes, to a user who was in
// touch: five within 48 hours of a message, three within a minute of a tap.
// Line breaks stand as they are.
//
// It returns Invalid with code bad_message, and Rejected where the user is out
// of reach: [ErrOutOfTime], 45047 for one too many, see [Unreachable].
// Indeterminate: the answer was lost, and the platform knows no number under
// which it could be sent again.
// API: POST /cgi-bin/message/custom/send.
func (c *Client) SendText(ctx context.Context, to OpenID, text string) error {
	text = legible(text)
	if to == "" || text == "" || len(text) > maxText {
		return &hospital.Error{Kind: hospital.Invalid, Op: "wechat.SendText", Code: "bad_message", Detail: "want a receiver and 1 to 2048 bytes"}
	}
	type content struct {
		Content string `json:"content"`
	}
	_, err := c.do(ctx, call{
		op: "wechat.SendText", path: "/cgi-bin/message/custom/send", changes: true, personal: []string{string(to), text},
		body: struct {
			To   OpenID  `json:"touser"`
			Type string  `json:"msgtype"`
			Text content `json:"text"`
		}{to, "text", content{text}},
	})
	return err
}
