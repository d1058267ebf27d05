package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/wxhospital/hospital/his/histest"
	"github.com/wxhospital/hospital/payment/wechatpay/wechatpaytest"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

// crossing is one call as it crossed a wire, with what names a person masked.
type crossing struct {
	begun     time.Time
	wire      string // "→ HIS"
	operation string
	summary   string
	outcome   string
	took      time.Duration // 0 where nobody measured it
}

// wires remembers what crossed until the story shows it.
type wires struct {
	everything bool // not only what is part of the story

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

// payOperations are the calls of WeChat Pay in the words of payment.Channel.
var payOperations = map[wechatpaytest.Call]string{ //nolint:gochecknoglobals // an immutable table
	wechatpaytest.Certificates: "Certificates", wechatpaytest.PrepayCall: "Prepay", wechatpaytest.Query: "Query",
	wechatpaytest.CloseCall: "Close", wechatpaytest.RefundCall: "Refund", wechatpaytest.QueryRefund: "QueryRefund",
	wechatpaytest.Notify: "Notify",
}

// pay takes what WeChat Pay logs, both ways.
func (w *wires) pay(e wechatpaytest.Exchange) {
	c := crossing{begun: e.At, wire: "→ 支付", operation: payOperations[e.Call], outcome: "ok", took: e.Took}
	if e.Subject != "" {
		c.summary = "No=" + e.Subject
	}
	if e.Call == wechatpaytest.Notify {
		c.wire, c.summary = "← 支付", c.summary+" "+e.Code
	} else if e.Code != "" {
		c.outcome = e.Code
	}
	switch {
	case e.Fault != "":
		c.outcome = e.Fault
	case e.Status == 0:
		c.outcome = "no_answer"
	}
	w.add(c)
}

// wechat takes what WeChat logs, both ways. Only notices are part of the story.
func (w *wires) wechat(e wechattest.Exchange) {
	notice := !e.Push && strings.HasSuffix(e.Path, "/send")
	if !notice && !w.everything {
		return
	}
	c := crossing{begun: time.Now(), wire: "→ 微信", operation: "API", summary: strings.TrimPrefix(e.Path, "/cgi-bin/"), outcome: e.Outcome}
	switch {
	case e.Push:
		c.wire, c.operation, c.summary = "← 微信", "Push", e.Path
	case notice:
		c.operation = "Notify"
	}
	if e.Fault != "" {
		c.outcome = e.Fault
	}
	w.add(c)
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
		if c.took == 0 {
			end = c.outcome + "        "
		}
		head := left("", marginColumns) + left(c.wire, wireColumns) + " " + left(c.operation, operationColumns) + " "
		s.line("%s%s %s", head, fit(brief(c.summary), screenColumns-width(head)-1-width(end)), end)
	}
}

// card shows what a patient's phone shows.
func (s *screen) card(b wechattest.Bubble) {
	if b.From != wechattest.Ours {
		return
	}
	words := []string{b.Text}
	for _, c := range b.Cards {
		words = []string{c.Title}
		for _, line := range c.Lines {
			words = append(words, line.Name+" "+line.Value)
		}
	}
	const head = "手机  "
	for i, line := range wrap(strings.Join(words, "，"), screenColumns-marginColumns-width(head)-width("。")) {
		before := left("", width(head))
		if i == 0 {
			before = head
		}
		s.line("%s%s%s", left("", marginColumns), before, line)
	}
}
