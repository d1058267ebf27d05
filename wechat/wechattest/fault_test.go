package wechattest_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/wechat/wechattest"
)

const menuBody = `{"button":[{"type":"click","name":"挂号","key":"book"}]}`

func TestASwitchBreaksTheWireBeforeOrAfterTheEffect(t *testing.T) {
	t.Parallel()
	for kind, test := range map[wechattest.FaultKind]struct {
		happened bool
		check    func(*testing.T, *http.Response, error)
	}{
		wechattest.Dead:       {false, func(t *testing.T, _ *http.Response, err error) { t.Helper(); require.Error(t, err) }},
		wechattest.AnswerLost: {true, func(t *testing.T, _ *http.Response, err error) { t.Helper(); require.Error(t, err) }},
		wechattest.ServerError: {false, func(t *testing.T, r *http.Response, err error) {
			t.Helper()
			require.NoError(t, err)
			require.Equal(t, http.StatusBadGateway, r.StatusCode)
		}},
		wechattest.Busy: {false, func(t *testing.T, r *http.Response, err error) {
			t.Helper()
			begins(t, r, err, `{"errcode":-1,"errmsg":"system error rid: `)
		}},
		wechattest.Truncated: {true, func(t *testing.T, r *http.Response, err error) {
			t.Helper()
			begins(t, r, err, `{"errcode":0,`)
		}},
		wechattest.Page: {true, func(t *testing.T, r *http.Response, err error) {
			t.Helper()
			begins(t, r, err, "<!DOCTYPE html>")
		}},
	} {
		t.Run(kind.String(), func(t *testing.T) {
			t.Parallel()
			site := wechattest.Start(t, wechattest.Config{})
			a := &account{Platform: site.Platform, tb: t}
			token := a.token()
			require.NoError(t, site.Break(wechattest.Fault{Kind: kind, Path: "/cgi-bin/menu/create", Times: 1}))
			ask := func() (*http.Response, error) {
				r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, site.URL+"/cgi-bin/menu/create?access_token="+token, strings.NewReader(menuBody))
				require.NoError(t, err)
				return http.DefaultTransport.RoundTrip(r)
			}
			response, err := ask()
			test.check(t, response, err)
			if err == nil {
				require.NoError(t, response.Body.Close())
			}
			require.Equal(t, test.happened, a.get("/cgi-bin/menu/get").Code == 0)
			response, err = ask()
			require.NoError(t, err, "once is once")
			require.Equal(t, http.StatusOK, response.StatusCode)
			require.NoError(t, response.Body.Close())
		})
	}
}

func begins(t *testing.T, r *http.Response, err error, prefix string) {
	t.Helper()
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, r.StatusCode)
	body, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(string(body), prefix), "%s", body)
	require.Equal(t, strings.Contains(prefix, "-1"), json.Valid(body))
}

func TestASlowAnswerWaitsUntilItIsLetGo(t *testing.T) {
	t.Parallel()
	a := open(t, wechattest.Config{})
	token := a.token()
	gate, done := make(chan struct{}), make(chan int, 1)
	require.NoError(t, a.Break(wechattest.Fault{Kind: wechattest.Slow, Path: "/cgi-bin/menu/create", Until: gate}))
	go func() {
		w := a.ask(http.MethodPost, "/cgi-bin/menu/create", menuBody, "access_token", token)
		done <- w.Code
	}()
	require.Eventually(t, func() bool { return a.get("/cgi-bin/menu/get").Code == 0 }, 5*time.Second, time.Millisecond, "it has happened")
	require.Empty(t, done, "but is not answered")
	close(gate)
	require.Equal(t, http.StatusOK, <-done)
	a.Mend()
	require.Zero(t, a.post("/cgi-bin/menu/create", menuBody).Code)
}

func TestSwitchesCountAndAreCheckedAndMended(t *testing.T) {
	t.Parallel()
	a := open(t, wechattest.Config{})
	require.ErrorIs(t, a.Break(wechattest.Fault{}), &hospital.Error{Kind: hospital.Invalid, Code: "bad_fault"})
	require.ErrorIs(t, a.Break(wechattest.Fault{Kind: wechattest.Slow}), &hospital.Error{Kind: hospital.Invalid, Code: "bad_fault"})
	token := a.token()
	require.NoError(t, a.Break(wechattest.Fault{Kind: wechattest.Busy, Times: 2}))
	require.Equal(t, -1, a.works(token))
	require.Equal(t, -1, a.works(token))
	require.Zero(t, a.works(token))
	require.NoError(t, a.Break(wechattest.Fault{Kind: wechattest.Busy}))
	for range 3 {
		require.Equal(t, -1, a.works(token))
	}
	a.Mend()
	require.Zero(t, a.works(token))
	require.Equal(t, "unknown", wechattest.FaultKind(99).String())
}
