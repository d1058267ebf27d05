package refserver_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/internal/sqltest"
	"github.com/wxhospital/hospital/refserver"
	"github.com/wxhospital/hospital/wechat"
)

// scrape reads the metrics as Prometheus does.
func (w *world) scrape(peer string, header ...string) (status int, text string) {
	w.Helper()
	r := httptest.NewRequestWithContext(w.Context(), http.MethodGet, "/metrics", nil)
	r.RemoteAddr = peer
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer := httptest.NewRecorder()
	w.servers[0].StaffHandler().ServeHTTP(answer, r)
	return answer.Code, answer.Body.String()
}

// measured makes the world's one server, which only its metrics are read of.
func (w *world) measured(config refserver.Config) {
	w.Helper()
	config.DB, config.Texter, config.Now, config.Wall = sqltest.On(w.T, sqldb.SQLite)(), w.texts, w.clock.Now, w.wall.Now
	w.servers = []*refserver.Server{newServer(w.T, w.wires, config)}
}

const here = "127.0.0.1:40000"

func TestMetricsTellWhatBecameOfRequestsBookingsAndPaymentsAndNameNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqldb.SQLite, "/h", 1)
	status, text := w.scrape(here)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, text, "hospital_store_up 1\n")
	for _, of := range []string{"appointments", "orders", "jobs"} {
		require.Contains(t, text, `hospital_due_rows{of="`+of+`"} `)
		require.Contains(t, text, `hospital_due_lag_seconds{of="`+of+`"} `)
	}
	require.Contains(t, text, "hospital_dead_jobs 0\n")

	p := w.phone("张三")
	patient := w.adult(0)
	p.bind(patient)
	schedule, slot := w.clinic(1, 3)
	done := p.book(schedule, slot, "metrics-1")
	require.Equal(t, http.StatusOK, done.status, done.body)
	p.get("/nowhere/" + string(patient.IDNumber))
	for range 70 {
		p.send(http.MethodGet, p.site+"/help", nil).Body.Close() //nolint:errcheck // nothing is read
	}
	w.advance()

	_, text = w.scrape(here)
	require.Contains(t, text, `hospital_events_total{kind="appt.booked"} 1`)
	require.Contains(t, text, `hospital_http_requests_total{route="POST /book",code="3xx"} 1`)
	require.Contains(t, text, `hospital_http_requests_total{route="/",code="4xx"} 1`, "an address that nobody has is no label")
	require.Contains(t, text, `hospital_http_request_seconds_bucket{route="POST /book",le="+Inf"} 1`)
	require.Contains(t, text, "process_cpu_seconds_total")
	for _, secret := range []string{string(patient.Name), string(patient.IDNumber), string(patient.Phone), string(patient.ID), p.follower.OpenID()} {
		require.NotContains(t, text, secret)
	}
	require.Regexp(t, `(?m)^hospital_http_request_seconds_count\{route="GET /help"\} 70$`, text)
	for line := range strings.Lines(text) {
		require.Regexp(t, `^(#|[a-z_]+(\{.*"\})? [0-9.e+-]+$)`, strings.TrimSuffix(line, "\n"))
	}
}

func TestMetricsCountWhatTheLimitsTurnedAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqldb.SQLite, "/h", 1)
	for range 80 { // at one instant
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, w.site+"/help", nil)
		require.NoError(t, err)
		answer, err := http.DefaultTransport.RoundTrip(r)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
	}
	_, text := w.scrape(here)
	require.Contains(t, text, `hospital_limited_total{by="guest"} 20`)
	require.Contains(t, text, `hospital_http_requests_total{route="GET /help",code="4xx"} 20`)
}

func TestMetricsAreForThisMachineOrWhoeverHasTheToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqldb.SQLite, "/h", 1)
	for name, c := range map[string]struct {
		peer   string
		header []string
		want   int
	}{
		"this machine":                         {here, nil, http.StatusOK},
		"another one":                          {"10.0.0.7:40000", nil, http.StatusNotFound},
		"a proxy of this machine for a client": {here, []string{"X-Forwarded-For", "10.0.0.7"}, http.StatusNotFound},
		"a token that nobody set":              {"10.0.0.7:40000", []string{"Authorization", "Bearer "}, http.StatusNotFound},
	} {
		status, _ := w.scrape(c.peer, c.header...)
		require.Equal(t, c.want, status, name)
	}
	w = newFar(t, "/h")
	w.measured(refserver.Config{MetricsToken: "TESTING KEY 0123456789"})
	for name, c := range map[string]struct {
		peer   string
		header []string
		want   int
	}{
		"with the token":             {"10.0.0.7:40000", []string{"Authorization", "Bearer TESTING KEY 0123456789"}, http.StatusOK},
		"with another":               {"10.0.0.7:40000", []string{"Authorization", "Bearer TESTING KEY 012345678"}, http.StatusNotFound},
		"this machine, without it":   {here, nil, http.StatusNotFound},
		"the token, but not as such": {here, []string{"Authorization", "TESTING KEY 0123456789"}, http.StatusNotFound},
	} {
		status, _ := w.scrape(c.peer, c.header...)
		require.Equal(t, c.want, status, name)
	}
}

// TestMetricsCountEveryFarSideByOutcome uses a far side that answers as told.
func TestMetricsCountEveryFarSideByOutcome(t *testing.T) {
	t.Parallel()
	m := refserver.NewMetrics()
	far := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/close") {
			panic(http.ErrAbortHandler)
		}
		w.WriteHeader(http.StatusBadGateway)
	}))
	t.Cleanup(far.Close)
	call := func(system refserver.System, path, action string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, far.URL+path, nil)
		require.NoError(t, err)
		r.Header.Set("SOAPAction", action)
		if answer, err := m.Wire(system, nil).RoundTrip(r); err == nil {
			require.NoError(t, answer.Body.Close())
		}
	}
	call(refserver.SystemHIS, "/his", `"http://example.com/Hold"`)
	call(refserver.SystemHIS, "/his", `"http://example.com/13900000001"`)
	call(refserver.SystemWeChatPay, "/v3/pay/transactions/out-trade-no/o1/close", "")
	m.WeChat(wechat.Exchange{Op: "wechat.Notify", Outcome: wechat.OutcomeRefused, Class: wechat.ClassUser})
	m.WeChat(wechat.Exchange{Op: "wechat.Notify", Outcome: wechat.OutcomeLost})

	w := newFar(t, "/h")
	w.measured(refserver.Config{Metrics: m})
	_, text := w.scrape(here)
	for _, want := range []string{
		`{system="his",op="Hold",outcome="5xx"} 1`,
		`{system="his",op="other",outcome="5xx"} 1`,
		`{system="wechatpay",op="Close",outcome="no_answer"} 1`,
		`{system="wechat",op="Notify",outcome="refused_user"} 1`,
		`{system="wechat",op="Notify",outcome="lost"} 1`,
	} {
		require.Contains(t, text, "hospital_far_calls_total"+want)
	}
	require.NotContains(t, text, "13900000001")
}

func TestAShortMetricsTokenIsRefused(t *testing.T) {
	t.Parallel()
	_, err := refserver.New(t.Context(), refserver.Config{MetricsToken: "short"})
	require.Equal(t, hospital.Invalid, hospital.KindOf(err))
	require.ErrorContains(t, err, "MetricsToken")
}
