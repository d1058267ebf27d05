package refserver

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/wxhospital/hospital/booking/bookingsql"
	"github.com/wxhospital/hospital/payment/paymentsql"
	"github.com/wxhospital/hospital/wechat"
)

// Metrics is what one process counts, for Prometheus. Every label has a few
// values that stand in this program or in the configuration: no label comes from
// a request or an answer, and none names a person.
type Metrics struct {
	set *metrics.Set

	mu      sync.Mutex
	after   int64 // the last event that was counted
	follows bool  // after is known
}

// NewMetrics returns metrics that count nothing yet. Make them before the
// clients of the far sides, which are counted by [Metrics.Wire], and give them
// to [Config.Metrics].
func NewMetrics() *Metrics { return &Metrics{set: metrics.NewSet()} }

// buckets are the upper bounds of durations, in seconds: a page takes
// milliseconds, a HIS up to its timeout.
func buckets() []string {
	return []string{"0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf"}
}

// took adds a duration to the histogram of the labels.
func (m *Metrics) took(name, labels string, d time.Duration) {
	for _, le := range buckets() {
		bound, err := strconv.ParseFloat(le, 64)
		if err == nil && d.Seconds() <= bound {
			m.set.GetOrCreateCounter(name + "_bucket{" + labels + `,le="` + le + `"}`).Inc()
		}
	}
	m.set.GetOrCreateFloatCounter(name + "_sum{" + labels + "}").Add(d.Seconds())
	m.set.GetOrCreateCounter(name + "_count{" + labels + "}").Inc()
}

func (m *Metrics) count(name, labels string) {
	m.set.GetOrCreateCounter(name + "{" + labels + "}").Inc()
}

// System is a far side in the metrics.
type System string

// The far sides that [Metrics.Wire] counts. WeChat tells more by itself: give
// [Metrics.WeChat] to its client.
const (
	SystemHIS       System = "his"
	SystemWeChatPay System = "wechatpay"
	SystemText      System = "text"
)

// Wire counts the attempts that go through a transport, nil for a transport of
// its own, by how they ended and how long the answer's head took. Use it as the
// Transport of a client's HTTPClient.
func (m *Metrics) Wire(system System, next http.RoundTripper) http.RoundTripper {
	if next == nil {
		next = &http.Transport{ // as the clients' own ones are
			DialContext: (&net.Dialer{Timeout: dialWithin, KeepAlive: 30 * time.Second}).DialContext, TLSHandshakeTimeout: dialWithin,
			ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 32, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10,
		}
	}
	return &wire{metrics: m, system: system, next: next}
}

// dialWithin is how long a far side may take to be reached.
const dialWithin = 5 * time.Second

type wire struct {
	metrics *Metrics
	system  System
	next    http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (w *wire) RoundTrip(r *http.Request) (*http.Response, error) {
	begun := time.Now()
	answer, err := w.next.RoundTrip(r)
	outcome := "no_answer"
	if err == nil {
		outcome = class(answer.StatusCode)
	}
	labels := `system="` + string(w.system) + `",op="` + operation(w.system, r) + `"`
	w.metrics.count("hospital_far_calls_total", labels+`,outcome="`+outcome+`"`)
	w.metrics.took("hospital_far_call_seconds", labels, time.Since(begun))
	return answer, err
}

// CloseIdleConnections lets a client close what it no longer needs.
func (w *wire) CloseIdleConnections() {
	if closer, ok := w.next.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}

var operationName = regexp.MustCompile(`^[A-Za-z]{1,40}$`)

// operation is what a request asks for, in our own words: an address carries
// numbers of orders.
func operation(system System, r *http.Request) string {
	path := r.URL.Path
	switch system {
	case SystemHIS: // SOAPAction: ours, the same for all calls of one operation
		action := strings.Trim(r.Header.Get("SOAPAction"), `"`)
		if name := action[strings.LastIndexAny(action, "/:#")+1:]; operationName.MatchString(name) {
			return name
		}
	case SystemWeChatPay:
		switch {
		case strings.HasSuffix(path, "/transactions/jsapi"):
			return "Prepay"
		case strings.HasSuffix(path, "/close"):
			return "Close"
		case strings.Contains(path, "/refund/domestic/refunds/"):
			return "QueryRefund"
		case strings.HasSuffix(path, "/refund/domestic/refunds"):
			return "Refund"
		case strings.Contains(path, "/transactions/"):
			return "Query"
		case strings.HasSuffix(path, "/certificates"):
			return "Certificates"
		}
	case SystemText:
		return "Text"
	}
	return "other"
}

// WeChat counts one request to the Official Account's platform: it is meant for
// the client's Observe.
func (m *Metrics) WeChat(e wechat.Exchange) {
	labels := `system="wechat",op="` + strings.TrimPrefix(e.Op, "wechat.") + `"`
	outcome := string(e.Outcome)
	if e.Outcome == wechat.OutcomeRefused {
		outcome += "_" + e.Class.String()
	}
	m.count("hospital_far_calls_total", labels+`,outcome="`+outcome+`"`)
	m.took("hospital_far_call_seconds", labels, e.Took)
}

// class is a status as its hundred: "2xx".
func class(status int) string {
	if status < 100 || status > 599 {
		return "other"
	}
	return strconv.Itoa(status/100) + "xx" //nolint:mnd // a hundred statuses make a class
}

// answered remembers the status of an answer.
type answered struct {
	http.ResponseWriter

	status int
}

// WriteHeader implements [http.ResponseWriter].
func (a *answered) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
	a.ResponseWriter.WriteHeader(status)
}

// Unwrap serves [http.ResponseController].
func (a *answered) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// measured counts the requests of a route by the class of their status.
func (m *Metrics) measured(route string, next http.Handler) http.Handler {
	labels := `route=` + strconv.Quote(route)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun, seen, outcome := time.Now(), &answered{ResponseWriter: w}, "cut"
		defer func() {
			m.count("hospital_http_requests_total", labels+`,code="`+outcome+`"`)
			m.took("hospital_http_request_seconds", labels, time.Since(begun))
		}()
		next.ServeHTTP(seen, r)
		if seen.status == 0 {
			seen.status = http.StatusOK
		}
		outcome = class(seen.status)
	})
}

// refused counts what the limits turned away, by what they count: a key is
// "peer/…".
func (m *Metrics) refused(key string) {
	kind, _, _ := strings.Cut(key, "/")
	m.count("hospital_limited_total", `by="`+kind+`"`)
}

// scrapeWithin bounds what one reading asks the store, and eventsAtOnce is how
// much of the event stream it takes in.
const (
	scrapeWithin = 3 * time.Second
	eventsAtOnce = 1000
	maxEventRead = 20 // times eventsAtOnce; the rest the next time
)

// eventKind is what the packages of this module name their events.
var eventKind = regexp.MustCompile(`^[a-z]{1,16}\.[a-z_]{1,24}$`)

// follow counts the events since the last reading: appointments, orders and
// messages by what became of them. The first reading begins at the newest.
func (m *Metrics) follow(ctx context.Context, db *bookingsql.DB) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.follows {
		last, err := db.LastEvent(ctx)
		m.after, m.follows = last, err == nil
		return err
	}
	for range maxEventRead {
		events, err := db.Events(ctx, m.after, eventsAtOnce)
		if err != nil || len(events) == 0 {
			return err
		}
		for _, e := range events {
			kind := e.Event.Kind
			if !eventKind.MatchString(kind) {
				kind = "other"
			}
			m.count("hospital_events_total", `kind="`+kind+`"`)
			m.after = e.Seq
		}
	}
	return nil
}

// gauges are read anew for each reading.
func (s *Server) gauges(ctx context.Context, set *metrics.Set, orders *paymentsql.Store) error {
	gauge := func(name string, value int) {
		set.GetOrCreateGauge(name, func() float64 { return float64(value) }) //nolint:forbidigo // rows and seconds, not money
	}
	backlog := func(of string, rows int, oldest, now time.Time) {
		gauge(`hospital_due_rows{of="`+of+`"}`, rows)
		late := time.Duration(0)
		if !oldest.IsZero() {
			late = now.Sub(oldest)
		}
		gauge(`hospital_due_lag_seconds{of="`+of+`"}`, int(late/time.Second))
	}
	now := s.config.Now()
	rows, oldest, err := s.bookings.Backlog(ctx, now)
	if err != nil {
		return err
	}
	backlog("appointments", rows, oldest, now)
	if rows, oldest, err = orders.Backlog(ctx, now); err != nil {
		return err
	}
	backlog("orders", rows, oldest, now)
	jobs, err := s.jobs.Backlog(ctx)
	if err != nil {
		return err
	}
	backlog("jobs", jobs.Rows, jobs.Oldest, s.config.Wall())
	dead, err := s.jobs.Dead(ctx)
	if err != nil {
		return err
	}
	gauge("hospital_dead_jobs", len(dead))
	return nil
}

// serveMetrics answers a reading. Without a token it answers this machine only.
func (s *Server) serveMetrics(w http.ResponseWriter, r *http.Request) {
	if !s.mayRead(r) {
		http.NotFound(w, r)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), scrapeWithin)
	defer cancel()
	gauges, up := metrics.NewSet(), 1.0
	err := s.config.Metrics.follow(ctx, s.config.DB)
	if err == nil {
		err = s.gauges(ctx, gauges, s.orders)
	}
	if err != nil { // the reading goes on, so that it can be seen
		s.config.Logger.ErrorContext(ctx, "metrics: the store does not answer", "error", err)
		up = 0
	}
	gauges.GetOrCreateGauge("hospital_store_up", func() float64 { return up }) //nolint:forbidigo // a gauge's value
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	s.config.Metrics.set.WritePrometheus(w)
	gauges.WritePrometheus(w)
	metrics.WriteProcessMetrics(w)
}

// mayRead reports whether the reader has the token or, where there is none, is
// on this machine and no proxy's client.
func (s *Server) mayRead(r *http.Request) bool {
	if s.config.MetricsToken != "" {
		given, isBearer := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		a, b := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(s.config.MetricsToken))
		return isBearer && subtle.ConstantTimeCompare(a[:], b[:]) == 1
	}
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	proxied := r.Header.Get("X-Forwarded-For") != "" || r.Header.Get("Forwarded") != "" || r.Header.Get("X-Real-IP") != ""
	return err == nil && peer.Addr().Unmap().IsLoopback() && !proxied
}
