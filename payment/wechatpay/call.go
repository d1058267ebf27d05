package wechatpay

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/remote"
)

// The bounds of one call.
const (
	maxAnswer = 256 << 10 // an order with all its coupons has a few kilobytes, a list of certificates ten
	maxAsked  = 2         // an answer that a probe signature spoilt is asked for once more
)

// call names a call of the interface.
type call string

const (
	callPrepay       call = "wechatpay.Prepay"
	callQuery        call = "wechatpay.Query"
	callClose        call = "wechatpay.Close"
	callRefund       call = "wechatpay.Refund"
	callQueryRefund  call = "wechatpay.QueryRefund"
	callCertificates call = "wechatpay.Certificates"
)

// reads reports whether the call changes nothing at the far side.
func (c call) reads() bool { return c == callQuery || c == callQueryRefund || c == callCertificates }

// doubt is the kind of a call whose answer cannot be believed or read.
func (c call) doubt() hospital.Kind {
	if c.reads() {
		return hospital.Unavailable
	}
	return hospital.Indeterminate
}

// kind is what a code means for this call. A refund that is refused is
// refused, whatever the reason: its number stays usable, and a person sees it.
func (c call) kind(code string) hospital.Kind {
	advice, known := advices[code]
	switch {
	case !known:
		return hospital.Rejected
	case advice.Kind == hospital.Indeterminate:
		return c.doubt()
	case c == callRefund && code == "SIGN_ERROR":
		return hospital.Denied
	case c == callRefund && advice.Kind == hospital.Unavailable:
		return hospital.Indeterminate // "too many calls" is no proof that none was taken. Source: doc/v3/merchant/4012081717
	case c == callRefund && (advice.Kind == hospital.Conflict || advice.Kind == hospital.NotFound):
		return hospital.Rejected
	}
	return advice.Kind
}

func (c call) fail(kind hospital.Kind, code, detail string, err error) error {
	return &hospital.Error{Kind: kind, Op: string(c), Code: code, Detail: detail, Err: err}
}

// malformed is the error of an answer that was verified and yet is not what
// the interface promises. The detail names the field.
func (c call) malformed(detail string) error { return c.fail(c.doubt(), "bad_answer", detail, nil) }

// question is one thing asked of WeChat Pay.
type question struct {
	call   call
	path   string
	query  url.Values
	body   []byte
	secret string // what must not be repeated from the answer's words: an openid
}

// ask returns the body of a verified 2xx answer.
func (c *Channel) ask(ctx context.Context, q question) ([]byte, error) {
	if err := c.keys.ready(ctx); err != nil {
		return nil, q.call.fail(hospital.Unavailable, "no_key", "nothing to verify an answer with", err)
	}
	body, err := c.once(ctx, q)
	for asked := 1; asked < maxAsked && errors.Is(err, ErrBadSignature) && ctx.Err() == nil; asked++ {
		body, err = c.once(ctx, q)
		if kind := hospital.KindOf(err); err != nil && q.call.unproven(kind) != kind {
			err = q.call.fail(q.call.unproven(kind), hospital.CodeOf(err), "the answer before could not be believed", err)
		}
	}
	return body, err
}

// unproven is what a kind is worth after an attempt whose outcome is unknown: a
// refusal speaks of this attempt, not of the one before, unless it tells what
// the far side has under the number.
func (c call) unproven(kind hospital.Kind) hospital.Kind {
	if c.reads() || kind == hospital.Conflict || kind == hospital.NotFound {
		return kind
	}
	return hospital.Indeterminate
}

func (c *Channel) once(ctx context.Context, q question) ([]byte, error) {
	answer, err := c.send(ctx, q)
	if err != nil {
		return nil, err
	}
	if answer.Status/100 != 2 {
		return nil, c.refused(ctx, q, answer)
	}
	if err := c.keys.verify(ctx, answer.Header, answer.Body); err != nil {
		return nil, q.call.fail(q.call.doubt(), "unverified_answer", "HTTP "+strconv.Itoa(answer.Status), err)
	}
	return answer.Body, nil
}

// send makes the call. Every call may be repeated: what it names has a number.
func (c *Channel) send(ctx context.Context, q question) (remote.Answer, error) {
	said := "" // the code of a breakdown, which is no answer
	header := http.Header{"Accept": {"application/json"}, "User-Agent": {userAgent}}
	method := http.MethodGet
	if q.body != nil {
		method = http.MethodPost
		header.Set("Content-Type", "application/json")
	}
	answer, err := c.remote.Do(ctx, remote.Call{
		Op: string(q.call), Method: method, Path: q.path, Query: q.query, Header: header, Body: q.body,
		ReadOnly: q.call.reads(), Idempotent: true,
		Answered: func(a remote.Answer) bool {
			if a.Status >= http.StatusInternalServerError {
				said = complaintOf(a.Body).Code
				return false
			}
			return a.Status/100 == 2 || a.Status/100 == 4
		},
	})
	if err != nil && said != "" && strings.HasPrefix(hospital.CodeOf(err), "http_5") {
		return answer, q.call.fail(hospital.KindOf(err), said, hospital.CodeOf(err), err)
	}
	return answer, err //nolint:wrapcheck // it names the call already
}

// sign signs one attempt and names the key that the answer is to be signed
// with. It runs inside the transport, so that a repetition has a fresh time.
func (c *Channel) sign(request *http.Request, body []byte) error {
	s := Stamp{Unix: c.wall().Unix(), Nonce: NewNonce()}
	signature, err := Sign(c.key, RequestMessage(request.Method, request.URL.RequestURI(), s, body))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", Authorization{
		Stamp: s, MerchantID: c.merchantID, Serial: c.merchantSerial, Signature: signature,
	}.String())
	if serial := c.keys.serial(); serial != "" {
		request.Header.Set(HeaderSerial, serial)
	}
	return nil
}

// complaint is the body of an answer that says no.
type complaint struct {
	Code    string `json:"code"`
	Message string `json:"message"`
	Detail  struct {
		Field string `json:"field"`
		Issue string `json:"issue"`
	} `json:"detail"`
}

// maxCode bounds a code, so that a page that somebody else served is none.
const maxCode = 64

// complaintOf returns the zero complaint for what is none. Only its code must
// be readable: the rest is shown to an operator and comes in many shapes.
func complaintOf(body []byte) complaint {
	var c complaint
	if err := json.Unmarshal(body, &c); err != nil {
		var bare struct {
			Code string `json:"code"`
		}
		if json.Unmarshal(body, &bare) != nil {
			return complaint{}
		}
		c = complaint{Code: bare.Code}
	}
	if len(c.Code) > maxCode || !printable(c.Code) {
		return complaint{}
	}
	return c
}

// refused is the error of an answer that says no. A page of a gateway says
// nothing about what WeChat Pay did. What is signed must be signed well; an
// answer to a bad signature of ours is not worth that, and nobody promises
// that errors are signed at all.
func (c *Channel) refused(ctx context.Context, q question, answer remote.Answer) error {
	said := complaintOf(answer.Body)
	status := "HTTP " + strconv.Itoa(answer.Status)
	if said.Code == "" {
		return q.call.fail(q.call.doubt(), "http_"+strconv.Itoa(answer.Status), "an answer without a code, not WeChat Pay's", nil)
	}
	if answer.Status != http.StatusUnauthorized && answer.Header.Get(HeaderSignature) != "" {
		if err := c.keys.verify(ctx, answer.Header, answer.Body); err != nil {
			return q.call.fail(q.call.doubt(), "unverified_answer", status+", code "+said.Code, err)
		}
	}
	kind := q.call.kind(said.Code)
	if answer.Status == http.StatusTooManyRequests && q.call != callRefund {
		kind = hospital.Unavailable
	}
	if answer.Lost > 0 {
		kind = q.call.unproven(kind)
	}
	words := []string{status}
	if _, sub, ok := strings.Cut(answer.Header.Get("Request-Id"), "-"); ok && len(sub) < 16 && printable(sub) {
		words = append(words, "sub-code "+sub)
	}
	for _, word := range []string{said.Message, said.Detail.Field, said.Detail.Issue} {
		if word != "" {
			words = append(words, remote.Redact(word, q.secret))
		}
	}
	if advice, ok := advices[said.Code]; ok {
		words = append(words, "next: "+advice.Next)
	}
	return q.call.fail(kind, said.Code, strings.Join(words, "; "), nil)
}
