package wechattest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// maxRequestBytes caps a call's body, but for those of uploads. The largest, a
// menu full of long addresses, has about 20 kB.
const maxRequestBytes = 128 << 10

// endpoint is one row of the table below.
type endpoint struct {
	method string // GET or POST
	path   string
	auth   auth
	quota  Quota
	rule   func(*turn, *request) (any, *refusal)
}

// anyMethod is the method of a path that takes GET and POST.
const anyMethod = ""

// auth says what a call must bring.
type auth int

const (
	withToken  auth = iota // ?access_token=
	withSecret             // app id and secret in the call; the rule checks them
	withWeb                // the token of a web login; the rule checks it
)

// endpoints is what the platform offers: to add a capability, add its row to
// the table of its noun, or such a table here, and write its rule. A rule
// returns the answer, nil for {"errcode":0,"errmsg":"ok"}. The daily limits are
// those of the console's list for a service account.
func endpoints() map[string]endpoint {
	byPath := map[string]endpoint{}
	for _, e := range slices.Concat(
		accountEndpoints(),
		oauthEndpoints(),
		menuEndpoints(),
		templateEndpoints(),
		subscriptionEndpoints(),
		oneTimeEndpoints(),
		customEndpoints(),
		agentEndpoints(),
		massEndpoints(),
		assistantEndpoints(),
		userEndpoints(),
		mediaEndpoints(),
		materialEndpoints(),
		draftEndpoints(),
		publishEndpoints(),
		tagEndpoints(),
		blacklistEndpoints(),
		qrEndpoints(),
		shortenEndpoints(),
		miniEndpoints(),
		quotaEndpoints(),
	) {
		byPath[e.path] = e
	}
	return byPath
}

func accountEndpoints() []endpoint {
	return []endpoint{
		{http.MethodGet, "/cgi-bin/token", withSecret, Quota{Day: 2000}, (*turn).classicToken},
		{http.MethodPost, "/cgi-bin/stable_token", withSecret, Quota{Day: 500_000, Minute: 10_000}, (*turn).stableToken},
		{http.MethodGet, "/cgi-bin/getcallbackip", withToken, Quota{}, (*turn).callbackIPs},
		{http.MethodGet, "/cgi-bin/get_api_domain_ip", withToken, Quota{}, (*turn).apiIPs},
		{http.MethodPost, "/cgi-bin/callback/check", withToken, Quota{}, (*turn).checkCallback},
		{http.MethodGet, "/cgi-bin/ticket/getticket", withToken, Quota{Day: 1_000_000}, (*turn).getTicket},
	}
}

// body says what a POST carries.
type body int

const (
	anObject body = iota // a JSON object
	aFile                // a multipart form with a file
	aForm                // fields; the rule reads them
	nothing              // it is not looked at
)

// bodyOf returns what a POST to the path carries, and its limit in bytes.
func bodyOf(path string) (kind body, most int64) {
	switch path {
	case "/cgi-bin/media/upload", "/cgi-bin/media/uploadimg", "/cgi-bin/material/add_material",
		"/customservice/kfaccount/uploadheadimg":
		return aFile, maxUploadBytes
	case "/cgi-bin/draft/add", "/cgi-bin/draft/update":
		return anObject, maxDraftBytes
	case "/wxaapi/newtmpl/addtemplate", "/wxaapi/newtmpl/deltemplate":
		return aForm, maxRequestBytes
	case "/cgi-bin/message/mass/speed/get", "/customservice/kfaccount/del": // the rule reads what there is
		return nothing, maxRequestBytes
	case "/cgi-bin/message/mass/send":
		return anObject, maxMassBytes
	}
	return anObject, maxRequestBytes
}

// request is a call as a rule sees it.
type request struct {
	query url.Values
	body  []byte
	peer  netip.Addr
	host  string // the name under which the platform was called
	form  upload // in place of a body, where the path takes one
	kind  string // the body's Content-Type
	// escaped: the body spells a character as \uXXXX. WeChat takes such text as
	// it is written, so a phone shows the backslash.
	escaped bool
}

// Handler is api.weixin.qq.com, and the control surface below /_sim/. A cut
// connection is made by [http.ErrAbortHandler], so it must run in a server of
// net/http.
func (p *Platform) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/_sim/", p.serveSim)
	mux.HandleFunc("GET "+mediaPage+"{id}", p.serveMedium)
	mux.HandleFunc("GET "+showPath, p.serveQR)
	mux.HandleFunc("/", p.serveAPI)
	return mux
}

// serveAPI answers one call: fault switches first, then method, body, token
// and quota, then the rule.
func (p *Platform) serveAPI(w http.ResponseWriter, r *http.Request) {
	fault := p.takeFault(r.URL.Path)
	log := Exchange{At: p.config.Now(), Path: r.URL.Path, Outcome: "cut", Fault: fault.Kind.String()}
	if fault.Kind == 0 {
		log.Fault = ""
	}
	defer func() { p.config.Log(log) }()
	switch fault.Kind {
	case Dead:
		panic(http.ErrAbortHandler)
	case ServerError:
		log.Outcome = "502"
		w.WriteHeader(http.StatusBadGateway)
		return
	case Busy:
		log.Outcome = "-1"
		p.writeRefusal(w, refuse(-1))
		return
	default:
	}
	_, most := bodyOf(r.URL.Path)
	body, err := io.ReadAll(io.LimitReader(r.Body, most+1))
	if err != nil {
		panic(http.ErrAbortHandler) // half a request: nobody waits for an answer
	}
	if int64(len(body)) > most {
		log.Outcome = "413"
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	answer, outcome := p.answer(r, body)
	log.Outcome = outcome
	p.deliverAnswer(w, r, fault, answer)
}

// answer lets the call happen and returns what it comes to: a file, or JSON.
func (p *Platform) answer(r *http.Request, body []byte) (answer file, outcome string) {
	var result any
	var no *refusal
	var refused []byte
	begun := time.Now()
	err := p.act(func(t *turn) error {
		if result, no = t.call(r, body); no != nil {
			refused = t.refused(r, body, no, time.Since(begun))
		}
		return nil
	})
	if err != nil {
		no = refuse(-1) // the journal failed: nothing is promised any more
		refused = p.refusalBytes(no)
	}
	if no != nil {
		return jsonFile(refused), strconv.Itoa(no.code)
	}
	if sent, is := result.(file); is {
		return sent, "ok"
	}
	if result == nil {
		result = okay()
	}
	return jsonFile(encode(result)), "ok"
}

func (t *turn) call(r *http.Request, body []byte) (any, *refusal) {
	e, known := t.endpoints[r.URL.Path]
	if !known {
		return nil, refuse(40066)
	}
	if r.Method != e.method && e.method != anyMethod {
		if e.method == http.MethodGet {
			return nil, refuse(43001)
		}
		return nil, refuse(43002)
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, refuse(40097)
	}
	req := &request{query: query, body: body, peer: peerOf(r), host: r.Host}
	if e.auth == withToken {
		if no := t.authorized(query.Get("access_token")); no != nil {
			return nil, no
		}
	}
	if no := t.spend(e); no != nil {
		return nil, no
	}
	if r.Method == http.MethodPost {
		if no := req.open(e.path, r.Header.Get("Content-Type")); no != nil {
			return nil, no
		}
	}
	return e.rule(t, req)
}

// open reads the body as far as its kind says.
func (r *request) open(path, contentType string) (no *refusal) {
	r.kind = contentType
	switch kind, _ := bodyOf(path); kind {
	case anObject:
		no = r.read()
	case aFile:
		r.form, no = readUpload(contentType, r.body)
	case aForm, nothing:
	}
	return no
}

func peerOf(r *http.Request) netip.Addr {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.IPv6Unspecified()
	}
	return peer.Addr()
}

// read checks that the body is a JSON object in UTF-8 and takes \uXXXX for the
// six characters it is written with.
func (r *request) read() *refusal {
	if len(bytes.TrimSpace(r.body)) == 0 {
		return refuse(44002)
	}
	if !utf8.Valid(r.body) {
		return refuse(47001)
	}
	r.body, r.escaped = literal(r.body)
	var object map[string]json.RawMessage
	if err := json.Unmarshal(r.body, &object); err != nil || object == nil {
		return refuse(47001)
	}
	return nil
}

// literal turns each \uXXXX that spells a printable character into an escaped
// backslash before the same letters.
func literal(body []byte) (out []byte, escaped bool) {
	out = make([]byte, 0, len(body))
	for i := 0; i < len(body); i++ {
		if body[i] != '\\' || i+1 == len(body) {
			out = append(out, body[i])
			continue
		}
		if body[i+1] == 'u' && i+6 <= len(body) {
			if n, err := strconv.ParseUint(string(body[i+2:i+6]), 16, 16); err == nil && n >= ' ' {
				out, escaped = append(out, '\\'), true
			}
		}
		out = append(out, body[i], body[i+1])
		i++
	}
	return out, escaped
}

// decode reads the body into v. Names fit only in their exact case, as on the
// real platform, and a value of the wrong type is a format error.
func (r *request) decode(v any) *refusal {
	_, no := r.decodeNoting(v)
	return no
}

// decodeWhole is decode where a member that v does not have is a format error
// too. Ours: the real platform passes over what it does not know, so a
// misspelled field would be lost there without a word. v must therefore list
// every documented field, those that the rule does not read included.
func (r *request) decodeWhole(v any) *refusal {
	unknown, no := r.decodeNoting(v)
	if no == nil && unknown != "" {
		return refusef(47001, "data format error: unknown field %s", unknown)
	}
	return no
}

// decodeNoting reads the body into v and names a member that v does not have.
func (r *request) decodeNoting(v any) (unknown string, no *refusal) {
	var tree any
	decoder := json.NewDecoder(bytes.NewReader(r.body))
	decoder.UseNumber()
	if err := decoder.Decode(&tree); err != nil {
		return "", refuse(47001)
	}
	tree, unknown = exactNames(tree, v)
	exact, err := json.Marshal(tree)
	if err == nil {
		err = json.Unmarshal(exact, v)
	}
	if err != nil {
		return "", refuse(47001)
	}
	return unknown, nil
}

// deliverAnswer writes the answer, or what the switch makes of it.
func (p *Platform) deliverAnswer(w http.ResponseWriter, r *http.Request, fault Fault, answer file) {
	switch fault.Kind {
	case AnswerLost:
		panic(http.ErrAbortHandler)
	case Slow:
		p.hold(r.Context(), fault)
	case Truncated:
		answer.data = answer.data[:len(answer.data)/2]
	case Page:
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte("<!DOCTYPE html><html><body><h1>It works</h1></body></html>")) // a caller that is gone asks again
		return
	default:
	}
	if answer.name != "" {
		w.Header().Set("Content-Disposition", `attachment; filename="`+answer.name+`"`)
	}
	w.Header().Set("Content-Type", answer.kind)
	_, _ = w.Write(answer.data) // a caller that is gone asks again
}

func (p *Platform) write(w http.ResponseWriter, answer []byte) {
	w.Header().Set("Content-Type", jsonType)
	_, _ = w.Write(answer) // a caller that is gone asks again
}

func (p *Platform) writeRefusal(w http.ResponseWriter, no *refusal) { p.write(w, p.refusalBytes(no)) }

func (p *Platform) refusalBytes(no *refusal) []byte {
	return encode(status{Code: no.code, MsgID: no.msgID, Text: no.text + " rid: " + newRID(p.config.Now())})
}

const jsonType = "application/json; encoding=utf-8"

// file is the answer to a call: bytes and what they are. The name is "" for
// what is no file but JSON.
type file struct {
	name, kind string
	data       []byte
}

func jsonFile(data []byte) file { return file{kind: jsonType, data: data} }

// status is what stands in every refusal and in most successes.
type status struct {
	Code  int    `json:"errcode"`
	Text  string `json:"errmsg"`
	MsgID int64  `json:"msg_id,omitempty"` // of 45065: the message that was sent before
}

func okay() status { return status{Text: "ok"} }

// encode writes JSON as the platform does: nothing is escaped that need not be.
func encode(v any) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		panic(errors.Join(errors.New("wechattest: an answer that is no JSON"), err)) // a rule's own value
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
