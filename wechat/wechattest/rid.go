package wechattest

import (
	"net/http"
	"regexp"
	"strings"
	"time"
)

const (
	// ridLife is how long a request is known by its rid.
	// API: POST /cgi-bin/openapi/rid/get, "rid的有效期只有7天".
	ridLife = 7 * 24 * time.Hour
	maxRIDs = 1000
	// maxRIDBody cuts what is kept of a request, in bytes.
	maxRIDBody = 4 << 10
	shownToken = 6 // letters of a token that the answer shows, as the documented sample does
)

var ridForm = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{8}){2}$`)

// ridRow is a call that was refused. What opens a door is not in it: of a token
// the first letters, and neither query nor body of a call that carries the
// account's secret. What the call said about users is, as at the real platform,
// which shows it to the account alone.
type ridRow struct {
	At     time.Time
	Cost   int64 // ms
	Query  string
	Body   string
	Answer string
	Peer   string
	Web    bool // below /sns/: it is kept and not shown
}

// refused writes the refusal and remembers the call under its rid.
func (t *turn) refused(r *http.Request, body []byte, no *refusal, took time.Duration) []byte {
	rid := newRID(t.now)
	answer := encode(status{Code: no.code, MsgID: no.msgID, Text: no.text + " rid: " + rid})
	row := ridRow{At: t.now, Cost: took.Milliseconds(), Answer: string(answer), Peer: peerOf(r).String(), Web: strings.HasPrefix(r.URL.Path, "/sns/")}
	if e, known := t.endpoints[r.URL.Path]; known && e.auth == withToken {
		query := r.URL.Query()
		if token := query.Get("access_token"); token != "" {
			query.Set("access_token", token[:min(len(token), shownToken)]+"xxxx")
		}
		row.Query = query.Encode()
		if kind, _ := bodyOf(r.URL.Path); kind != aFile {
			row.Body = strings.ToValidUTF8(string(body[:min(len(body), maxRIDBody)]), "")
		}
	}
	for len(t.rids.rows) >= maxRIDs {
		t.rids.drop(t, t.rids.keys()[0]) // keys begin with their time
	}
	t.rids.put(t, rid, row)
	return answer
}

// getRID answers openapi/rid/get.
func (t *turn) getRID(r *request) (any, *refusal) {
	var in struct {
		RID string `json:"rid"`
	}
	if no := r.decodeWhole(&in); no != nil {
		return nil, no
	}
	row, there := t.rids.rows[in.RID]
	switch {
	case !ridForm.MatchString(in.RID):
		return nil, refuse(76002)
	case !there, t.now.Sub(row.At) > ridLife:
		return nil, refuse(76001)
	case row.Web:
		return nil, refuse(76022)
	}
	type call struct {
		Invoked int64  `json:"invoke_time"`
		Cost    int64  `json:"cost_in_ms"`
		Query   string `json:"request_url"`
		Body    string `json:"request_body"`
		Answer  string `json:"response_body"`
		Peer    string `json:"client_ip"`
	}
	return struct {
		status
		Request call `json:"request"`
	}{okay(), call{row.At.Unix(), row.Cost, row.Query, row.Body, row.Answer, row.Peer}}, nil
}
