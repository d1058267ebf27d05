package simverb_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/simverb"
)

func verbs() simverb.Verbs {
	return simverb.Verbs{
		"POST slow": func(_ context.Context, o *simverb.Order) (any, error) {
			answer := map[string]any{"op": o.Want("op"), "times": o.Number("times"), "delay": o.Duration("delay").String()}
			return answer, o.Err()
		},
		"GET gone": func(context.Context, *simverb.Order) (any, error) {
			return nil, &hospital.Error{Kind: hospital.NotFound, Code: "gone", Detail: "nothing there"}
		},
		"POST broken": func(context.Context, *simverb.Order) (any, error) { return nil, context.DeadlineExceeded },
	}
}

func TestAnOrderIsCarriedOutOrTheFieldIsNamed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		method, target string
		status         int
		says           string
	}{
		"all values":            {http.MethodPost, "/_sim/slow?op=Hold&times=2&delay=15s", 200, `{"delay":"15s","op":"Hold","times":2}`},
		"only what is required": {http.MethodPost, "/_sim/slow?op=Hold", 200, `"times":0`},
		"a missing value":       {http.MethodPost, "/_sim/slow", 400, "op is missing"},
		"no number":             {http.MethodPost, "/_sim/slow?op=Hold&times=two", 400, "times: want a whole number"},
		"no duration":           {http.MethodPost, "/_sim/slow?op=Hold&delay=15", 400, "delay: want a duration"},
		"time runs forward":     {http.MethodPost, "/_sim/slow?op=Hold&delay=-15s", 400, "delay: want a duration"},
		"a misspelled value":    {http.MethodPost, "/_sim/slow?op=Hold&time=2", 400, `unknown or repeated value \"time\"`},
		"a value twice":         {http.MethodPost, "/_sim/slow?op=Hold&op=Cancel", 400, `unknown or repeated value \"op\"`},
		"a torn query":          {http.MethodPost, "/_sim/slow?op=%zz", 400, "the query is torn"},
		"another method":        {http.MethodGet, "/_sim/slow?op=Hold", 404, ""},
		"another verb":          {http.MethodPost, "/_sim/fast", 404, ""},
		"an answer of nothing":  {http.MethodGet, "/_sim/gone", 404, `"code":"gone"`},
		"a defect":              {http.MethodPost, "/_sim/broken", 500, `"kind":"internal"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequestWithContext(t.Context(), c.method, c.target, http.NoBody)
			r.RemoteAddr, r.Host = "127.0.0.1:50000", "127.0.0.1:8080"
			w := httptest.NewRecorder()
			verbs().ServeHTTP(w, r)
			require.Equal(t, c.status, w.Code)
			require.Contains(t, w.Body.String(), c.says)
		})
	}
}

func TestOnlyThisMachineUnderItsOwnNameIsObeyed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		peer, host, site string
		obeyed           bool
		origin           string
	}{
		"by address":                           {"127.0.0.1:50000", "127.0.0.1:8080", "", true, ""},
		"by name":                              {"127.0.0.1:50000", "localhost:8080", "", true, ""},
		"by IPv6":                              {"[::1]:50000", "[::1]:8080", "", true, ""},
		"its own page":                         {"127.0.0.1:50000", "localhost:8080", "same-origin", true, ""},
		"from the network":                     {"10.0.0.7:50000", "127.0.0.1:8080", "", false, ""},
		"under a foreign name":                 {"127.0.0.1:50000", "evil.example:8080", "", false, ""},
		"from another site's page":             {"127.0.0.1:50000", "localhost:8080", "cross-site", false, ""},
		"a peer that is no address":            {"@", "localhost:8080", "", false, ""},
		"from a page of this machine":          {"127.0.0.1:50000", "localhost:8080", "", true, "http://127.0.0.1:9000"},
		"from a page, by a browser of old":     {"127.0.0.1:50000", "localhost:8080", "", false, "https://evil.example"},
		"from a page that hides its name":      {"127.0.0.1:50000", "localhost:8080", "", false, "null"},
		"from a page that looks like this one": {"127.0.0.1:50000", "localhost:8080", "", false, "http://localhost.evil.example:8080"},
		"a host that only looks like":          {"127.0.0.1:50000", "localhost.example", "", false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/_sim/slow?op=Hold", http.NoBody)
			r.RemoteAddr, r.Host = c.peer, c.host
			if c.site != "" {
				r.Header.Set("Sec-Fetch-Site", c.site)
			}
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
			w := httptest.NewRecorder()
			verbs().ServeHTTP(w, r)
			require.Equal(t, c.obeyed, w.Code == http.StatusOK, w.Code)
		})
	}
}
