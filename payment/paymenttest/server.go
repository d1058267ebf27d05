package paymenttest

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/remote"
	"github.com/wxhospital/hospital/payment"
)

// maxTillBody bounds a request and an answer: an attempt with the bytes of its
// request is a few kilobytes.
const maxTillBody = 64 << 10

// TillServer puts a Till behind HTTP, for a cashier in another process: POST
// with a JSON body to /prepay, /query, /close, /refund and /query_refund. An
// answer that the Till loses is a 502 without a body; one that it certainly
// did not act on is a 503.
type TillServer struct {
	Till *Till
}

// question is the body of every call; each uses its own field.
type question struct {
	Attempt  *payment.Attempt
	Refund   *payment.Refund
	TradeNo  payment.TradeNo
	RefundNo payment.RefundNo
}

// verdict is a definite no, as it crosses the wire.
type verdict struct {
	Kind hospital.Kind
	Code string
}

// ServeHTTP answers one call.
func (s TillServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var q question
	body := http.MaxBytesReader(w, r.Body, maxTillBody)
	if err := json.NewDecoder(body).Decode(&q); err != nil || r.Method != http.MethodPost {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	answer, err := s.answer(r.Context(), Call(r.URL.Path[min(1, len(r.URL.Path)):]), q)
	switch {
	case err == nil:
		reply(w, http.StatusOK, answer)
	case hospital.KindOf(err) == hospital.Unavailable:
		w.WriteHeader(http.StatusServiceUnavailable)
	case hospital.KindOf(err) == hospital.Indeterminate, hospital.KindOf(err) == hospital.Internal:
		w.WriteHeader(http.StatusBadGateway)
	default:
		reply(w, http.StatusConflict, verdict{hospital.KindOf(err), hospital.CodeOf(err)})
	}
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // a caller that is gone asks again
}

func (s TillServer) answer(ctx context.Context, call Call, q question) (any, error) {
	switch {
	case call == CallPrepay && q.Attempt != nil:
		return s.Till.Prepay(ctx, *q.Attempt)
	case call == CallQuery:
		return s.Till.Query(ctx, q.TradeNo)
	case call == CallClose:
		return struct{}{}, s.Till.Close(ctx, q.TradeNo)
	case call == CallRefund && q.Refund != nil:
		return s.Till.Refund(ctx, *q.Refund)
	case call == CallQueryRefund:
		return s.Till.QueryRefund(ctx, q.RefundNo)
	}
	return nil, tillError(hospital.Invalid, "PARAM_ERROR", "no such call")
}

// ClientConfig says where a [TillServer] listens.
type ClientConfig struct {
	// BaseURL of the server, for example "http://127.0.0.1:8080". Required.
	BaseURL string
	// HTTPClient lends its transport; nil for one of our own.
	HTTPClient *http.Client
	// Timeout bounds one call. Default 5 seconds.
	Timeout time.Duration
}

// TillClient is the channel whose far side is a [TillServer].
type TillClient struct {
	remote *remote.Client
}

// NewTillClient returns a channel. It sends nothing yet.
func NewTillClient(cfg ClientConfig) (*TillClient, error) {
	if _, err := url.ParseRequestURI(cfg.BaseURL); err != nil {
		return nil, &hospital.Error{Kind: hospital.Invalid, Op: "paymenttest.NewTillClient", Code: "bad_config", Detail: "ClientConfig.BaseURL"}
	}
	if cfg.Timeout == 0 {
		cfg.Timeout = 5 * time.Second
	}
	client, err := remote.New(remote.Config{
		Name: "till", BaseURL: cfg.BaseURL, HTTPClient: cfg.HTTPClient, Timeout: cfg.Timeout, MaxResponse: maxTillBody,
		Retries: -1, TripAfter: -1, // the cashier repeats, and a test wants to see it
	})
	if err != nil {
		return nil, err
	}
	return &TillClient{remote: client}, nil
}

// ask makes one call and decodes its answer.
func ask[T any](ctx context.Context, c *TillClient, call Call, q question, readOnly bool) (T, error) {
	var answer T
	body, err := json.Marshal(q)
	if err != nil {
		return answer, tillError(hospital.Invalid, "bad_question", err.Error())
	}
	got, err := c.remote.Do(ctx, remote.Call{
		Op: "paymenttest.Till." + string(call), Method: http.MethodPost, Path: "/" + string(call), Body: body, ReadOnly: readOnly,
		Header:   http.Header{"Content-Type": {"application/json"}},
		Answered: func(a remote.Answer) bool { return a.Status < 500 || a.Status == http.StatusServiceUnavailable },
	})
	if err != nil {
		return answer, err
	}
	switch got.Status {
	case http.StatusOK:
		if err := json.Unmarshal(got.Body, &answer); err != nil {
			return answer, tillError(hospital.Indeterminate, "bad_answer", "the answer is not JSON")
		}
		return answer, nil
	case http.StatusServiceUnavailable:
		return answer, tillError(hospital.Unavailable, "dead", "")
	}
	var no verdict
	if err := json.Unmarshal(got.Body, &no); err != nil || no.Kind <= hospital.Internal || no.Kind > hospital.Rejected {
		return answer, tillError(hospital.Indeterminate, "bad_answer", "no verdict")
	}
	return answer, tillError(no.Kind, no.Code, "")
}

// Prepay implements payment.Channel.
func (c *TillClient) Prepay(ctx context.Context, a payment.Attempt) (payment.Sheet, error) {
	return ask[payment.Sheet](ctx, c, CallPrepay, question{Attempt: &a}, false)
}

// Query implements payment.Channel.
func (c *TillClient) Query(ctx context.Context, no payment.TradeNo) (payment.Trade, error) {
	return ask[payment.Trade](ctx, c, CallQuery, question{TradeNo: no}, true)
}

// Close implements payment.Channel.
func (c *TillClient) Close(ctx context.Context, no payment.TradeNo) error {
	_, err := ask[struct{}](ctx, c, CallClose, question{TradeNo: no}, false)
	return err
}

// Refund implements payment.Channel.
func (c *TillClient) Refund(ctx context.Context, r payment.Refund) (payment.RefundStatus, error) {
	return ask[payment.RefundStatus](ctx, c, CallRefund, question{Refund: &r}, false)
}

// QueryRefund implements payment.Channel.
func (c *TillClient) QueryRefund(ctx context.Context, no payment.RefundNo) (payment.RefundStatus, error) {
	return ask[payment.RefundStatus](ctx, c, CallQueryRefund, question{RefundNo: no}, true)
}
