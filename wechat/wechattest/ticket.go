package wechattest

import "time"

// ticket is a jsapi_ticket.
type ticket struct {
	Value   string
	Expires time.Time
}

// getTicket gives out the same JS-SDK ticket until it ends.
func (t *turn) getTicket(r *request) (any, *refusal) {
	if r.query.Get("type") != "jsapi" {
		return nil, refuse(40097)
	}
	held := t.tickets.rows["jsapi"]
	if !t.now.Before(held.Expires) {
		const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
		held = ticket{randomText(letters, 86), t.now.Add(tokenLife)}
		t.tickets.put(t, "jsapi", held)
	}
	return struct {
		status
		Ticket    string `json:"ticket"`
		ExpiresIn int64  `json:"expires_in"`
	}{okay(), held.Value, int64(held.Expires.Sub(t.now) / time.Second)}, nil
}
