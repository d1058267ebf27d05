package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his/histest"
	"github.com/wxhospital/hospital/payment"
)

// crossing is one call as it crossed a wire, with what names a person masked.
type crossing struct {
	begun     time.Time
	wire      string // "→ HIS"
	operation string
	summary   string
	outcome   string
	took      time.Duration
}

// wires remembers what crossed until the story shows it.
type wires struct {
	mu      sync.Mutex
	crossed []crossing
}

func (w *wires) add(c crossing) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.crossed = append(w.crossed, c)
}

// take returns what crossed since the last take, in the order it began.
func (w *wires) take() []crossing {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := w.crossed
	w.crossed = nil
	slices.SortStableFunc(taken, func(a, b crossing) int { return a.begun.Compare(b.begun) })
	return taken
}

// his takes what the HIS's service logs.
func (w *wires) his(e histest.Exchange) {
	outcome := e.Outcome
	switch {
	case e.Fault != "":
		outcome = e.Fault
	case outcome == "0": // the result code of the Web Service
		outcome = "ok"
	}
	w.add(crossing{begun: e.At, wire: "→ HIS", operation: e.Operation, summary: e.Request, outcome: outcome, took: e.Took})
}

// notice takes what the channel tells by itself.
func (w *wires) notice(n payment.Notice, begun time.Time, err error) {
	c := crossing{begun: begun, wire: "← 支付", operation: "Notify", outcome: "ok", took: time.Since(begun)}
	if n.Trade != nil {
		c.summary = "TradeNo=" + string(n.Trade.TradeNo) + " Paid=" + n.Trade.Amount.Yuan()
	} else {
		c.summary = "RefundNo=" + string(n.Refund.No) + " Refunded=" + n.Refund.Amount.Yuan()
	}
	if err != nil {
		c.outcome = hospital.KindOf(err).String()
	}
	w.add(c)
}

// maxWatched bounds what is read of a request to the channel to show it; the
// server has a bound of its own.
const maxWatched = 64 << 10

// watch shows the calls of the channel's server.
func (w *wires) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		body, err := io.ReadAll(http.MaxBytesReader(rw, r.Body, maxWatched))
		if err != nil {
			rw.WriteHeader(http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		answer := &answered{ResponseWriter: rw, status: http.StatusOK}
		next.ServeHTTP(answer, r)
		name := strings.TrimPrefix(r.URL.Path, "/")
		operation := map[string]string{
			"prepay": "Prepay", "query": "Query", "close": "Close", "refund": "Refund", "query_refund": "QueryRefund",
		}[name]
		w.add(crossing{
			begun: begun, wire: "→ 支付", operation: operation, summary: asked(body), outcome: answer.outcome(), took: time.Since(begun),
		})
	})
}

// asked is the summary of a call of the channel.
func asked(body []byte) string {
	var q struct {
		Attempt *struct {
			TradeNo string
			Amount  hospital.Fen
		}
		Refund *struct {
			No     string
			Amount hospital.Fen
		}
		TradeNo, RefundNo string
	}
	switch err := json.Unmarshal(body, &q); {
	case err != nil:
		return ""
	case q.Attempt != nil:
		return "TradeNo=" + q.Attempt.TradeNo + " Amount=" + q.Attempt.Amount.Yuan()
	case q.Refund != nil:
		return "RefundNo=" + q.Refund.No + " Amount=" + q.Refund.Amount.Yuan()
	case q.RefundNo != "":
		return "RefundNo=" + q.RefundNo
	}
	return "TradeNo=" + q.TradeNo
}

// answered remembers the status of an answer.
type answered struct {
	http.ResponseWriter
	status int
}

// WriteHeader implements [http.ResponseWriter].
func (a *answered) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

func (a *answered) outcome() string {
	if a.status == http.StatusOK {
		return "ok"
	}
	return strings.ToLower(strings.ReplaceAll(http.StatusText(a.status), " ", "_"))
}

// ourNumber is an identifier of ours inside a summary: a letter or two, 26
// characters of time and chance, and what derives from it.
var ourNumber = regexp.MustCompile(`\b([a-z]{1,2})[0-9a-hj-km-np-tv-z]{22}([0-9a-hj-km-np-tv-z]{4})`)

// brief makes a summary fit a line: of our numbers it leaves what tells them
// apart, and of a call under our key what the call is about.
func brief(summary string) string {
	fields := strings.Fields(ourNumber.ReplaceAllString(summary, "$1…$2"))
	if len(fields) == 0 || !strings.HasPrefix(fields[0], "Key=") {
		return strings.Join(fields, " ")
	}
	var about []string
	for _, name := range []string{"Key=", "SlotID=", "Paid=", "HISNo="} {
		for _, field := range fields {
			if strings.HasPrefix(field, name) {
				about = append(about, field)
			}
		}
	}
	return strings.Join(about, " ")
}

// fit keeps as many whole fields as n columns take.
func fit(summary string, n int) string {
	for width(summary) > n {
		whole := strings.TrimSuffix(summary, " …")
		last := strings.LastIndex(whole, " ")
		if last < 0 {
			break
		}
		summary = whole[:last] + " …"
	}
	return left(summary, n)
}

// The columns of a line about a wire, right of the time of day.
const (
	wireColumns      = 6
	operationColumns = 11
)

// wire shows what crossed since the last time.
func (s *screen) wire(crossed []crossing) {
	for _, c := range crossed {
		tenths := c.took.Round(100*time.Microsecond).Microseconds() / 100
		end := fmt.Sprintf("%s %3d.%dms", c.outcome, tenths/10, tenths%10)
		head := left("", marginColumns) + left(c.wire, wireColumns) + " " + left(c.operation, operationColumns) + " "
		s.line("%s%s %s", head, fit(brief(c.summary), screenColumns-width(head)-1-width(end)), end)
	}
}
