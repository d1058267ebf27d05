package wechatpaytest

import (
	"net/http"
	"strings"

	"github.com/wxhospital/hospital/internal/simverb"
	"github.com/wxhospital/hospital/payment/wechatpay"
)

// Paths of the API. Source: payment facts of the merchant documentation.
const (
	pathCertificates = "/v3/certificates"
	pathJSAPI        = "/v3/pay/transactions/jsapi"
	pathByTradeNo    = "/v3/pay/transactions/out-trade-no/"
	pathByID         = "/v3/pay/transactions/id/"
	pathRefunds      = "/v3/refund/domestic/refunds"
)

// route is what a path asks for.
type route struct {
	call    Call
	method  string
	subject string // the number in the path
	byID    bool   // it is WeChat Pay's
}

// routed reads a path; false for one that WeChat Pay does not have here.
func routed(path string) (route, bool) {
	one := func(rest string) bool { return rest != "" && !strings.Contains(rest, "/") }
	switch path {
	case pathCertificates:
		return route{call: Certificates, method: http.MethodGet}, true
	case pathJSAPI:
		return route{call: PrepayCall, method: http.MethodPost}, true
	case pathRefunds:
		return route{call: RefundCall, method: http.MethodPost}, true
	}
	if rest, ok := strings.CutPrefix(path, pathByTradeNo); ok {
		if no, closes := strings.CutSuffix(rest, "/close"); closes && one(no) {
			return route{call: CloseCall, method: http.MethodPost, subject: no}, true
		}
		return route{call: Query, method: http.MethodGet, subject: rest}, one(rest)
	}
	if rest, ok := strings.CutPrefix(path, pathByID); ok {
		return route{call: Query, method: http.MethodGet, subject: rest, byID: true}, one(rest)
	}
	if rest, ok := strings.CutPrefix(path, pathRefunds+"/"); ok {
		return route{call: QueryRefund, method: http.MethodGet, subject: rest}, one(rest)
	}
	return route{}, false
}

// ServeHTTP answers a call of the merchant under /v3/, and what a test in
// another process on this machine asks for under /_sim/:
//
//	POST /_sim/pay?out_trade_no=NO[&openid=…][&coupon=FEN][&outcome=failed|paying]
//	     the fields that the page hands to getBrandWCPayRequest may come along (appId, timeStamp,
//	     nonceStr, package, signType, paySign): they are checked, and the number may be left out
//	POST /_sim/fail?call=CALL&fault=FAULT[&times=N][&delay=2s]
//	POST /_sim/mail?fault=FAULT[&times=N][&delay=1h]
//	POST /_sim/heal              no faults any more
//	POST /_sim/post?id=EV-…      deliver a notification again
//	POST /_sim/refunds?outcome=SUCCESS|ABNORMAL|CLOSED|PROCESSING      of the next refund
//	POST /_sim/refund?out_refund_no=NO&status=SUCCESS|ABNORMAL|CLOSED  ends now
//	POST /_sim/certificate       a new platform certificate
//	POST /_sim/sign?key=ID       sign with this certificate or public key
//	POST /_sim/funds?amount=FEN  into the merchant's account, out of it with a minus
//	POST /_sim/clock?forward=15s move business time
//	POST /_sim/advance           do what is due
//	GET  /_sim/ledger            everything, with sums in fen
//
// The names of faults are those of [Fault] and [MailFault]. A cut connection is
// made with [http.ErrAbortHandler], so the platform must stand in a server of
// net/http.
func (p *Platform) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, simverb.Prefix) {
		p.verbs().ServeHTTP(w, r)
		return
	}
	dress(w.Header())
	to, ok := routed(r.URL.Path)
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	if to.method != r.Method {
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	began := p.config.Wall()
	acting := p.take(to.call)
	exchange := Exchange{At: began, Call: to.call, Subject: to.subject, Fault: string(acting.Fault)}
	defer func() {
		exchange.Took = p.config.Wall().Sub(began)
		p.config.Log(exchange)
	}()
	if acting.Fault == Dead {
		panic(http.ErrAbortHandler)
	}
	in, no := p.read(w, r)
	if no == nil {
		no = p.authenticate(in, r.Header)
	}
	if no != nil {
		// WeChat Pay does not sign for a stranger.
		p.send(w, r, &exchange, refused(no), Switch{Fault: Unsigned})
		return
	}
	if acting.Fault == RequestLost {
		panic(http.ErrAbortHandler)
	}
	p.send(w, r, &exchange, p.answer(&exchange, to, in, r, acting.Fault), acting)
}

func refused(no *refusal) answer {
	a, err := render(nil, no)
	if err != nil {
		return answer{status: http.StatusInternalServerError, sub: subNone}
	}
	return a
}

func tooMany() *refusal {
	return refuse(http.StatusTooManyRequests, "FREQUENCY_LIMITED", "频率超限，请降低频率后重试", subFrequency)
}

func systemError() *refusal {
	return refuse(http.StatusInternalServerError, "SYSTEM_ERROR", "系统异常，请稍后重试", subNone)
}

// answer carries a call out, unless the fault keeps it from happening. What has
// arrived happens, whether or not the caller waits.
func (p *Platform) answer(exchange *Exchange, to route, in request, r *http.Request, fault Fault) answer {
	switch fault {
	case ErrorBefore:
		return refused(systemError())
	case TooMany:
		return refused(tooMany())
	default:
	}
	content, err := p.carryOut(exchange, to, in, r, fault)
	if err == nil {
		content = fault.distort(content)
	}
	a, err := render(content, err)
	if err != nil { // the journal
		return refused(systemError())
	}
	return a
}

func (p *Platform) carryOut(exchange *Exchange, to route, in request, r *http.Request, fault Fault) (any, error) {
	switch to.call {
	case Certificates:
		return p.certificates(r.URL.Query())
	case Query:
		if to.byID {
			return p.query(r.URL.Query().Get("mchid"), "", to.subject)
		}
		return p.query(r.URL.Query().Get("mchid"), to.subject, "")
	case QueryRefund:
		return p.queryRefund(to.subject)
	default:
	}
	body, no := parse(in, r.Header)
	if no != nil {
		return nil, no
	}
	switch to.call {
	case PrepayCall:
		exchange.Subject, _ = body.root["out_trade_no"].(string)
		return p.prepay(body)
	case CloseCall:
		return p.close(to.subject, body, fault == PaidFirst)
	default:
		exchange.Subject, _ = body.root["out_refund_no"].(string)
		return p.refund(body)
	}
}

// send signs and writes an answer, as the fault lets it.
func (p *Platform) send(w http.ResponseWriter, r *http.Request, exchange *Exchange, a answer, acting Switch) {
	switch acting.Fault {
	case AnswerLost:
		panic(http.ErrAbortHandler)
	case ErrorAfter:
		a = refused(systemError())
	case TooManyAfter:
		// Source: pay.weixin.qq.com/doc/v3/merchant/4012081717, 429 on a refund: query it.
		a = refused(tooMany())
	case BadGateway:
		a = answer{status: http.StatusBadGateway, body: []byte("<html><head><title>502 Bad Gateway</title></head></html>")}
		acting.Fault = Unsigned
	case Slow:
		acting.wait(r.Context())
	default:
	}
	h := w.Header()
	if a.status != http.StatusNoContent {
		h.Set("Content-Type", "application/json; charset=utf-8")
	}
	if err := p.sign(h, a.body, r.Header.Get(wechatpay.HeaderSerial), acting.Fault); err != nil {
		a = refused(systemError())
	}
	requestID := newRequestID(a.sub)
	h.Set("Request-ID", requestID)
	exchange.Status, exchange.Code, exchange.RequestID = a.status, a.code, requestID
	w.WriteHeader(a.status)
	if acting.Fault == Truncated {
		_, _ = w.Write(a.body[:len(a.body)/2]) // the caller is cut off in any case
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(a.body) // a caller that is gone asks again
}
