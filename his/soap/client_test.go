package soap_test

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jarcoal/httpmock"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his/soap"
)

func mocked(t *testing.T, respond httpmock.Responder, edit func(*soap.Config)) *soap.Client {
	t.Helper()
	mock := httpmock.NewMockTransport()
	mock.RegisterResponder(http.MethodPost, "http://his.test/ws", respond)
	config := soap.Config{
		BaseURL: "http://his.test/ws", HTTPClient: &http.Client{Transport: mock}, Retries: -1,
		Dialect: soap.Dialect{Namespace: "http://tempuri.org/"},
	}
	if edit != nil {
		edit(&config)
	}
	client, err := soap.NewClient(config)
	require.NoError(t, err)
	return client
}

func TestWhatAnAnswerMeans(t *testing.T) {
	t.Parallel()
	server := `<soap:Fault><faultcode>soap:Server</faultcode><faultstring>患者王金丝雀不存在 王金丝雀</faultstring></soap:Fault>`
	client := `<soap:Fault><faultcode>soap:Client</faultcode><faultstring>no such action</faultstring></soap:Fault>`
	security := `<soap:Fault><faultcode>wsse:FailedAuthentication</faultcode><faultstring>no</faultstring></soap:Fault>`
	version := `<soap:Fault><faultcode>soap:VersionMismatch</faultcode><faultstring>no</faultstring></soap:Fault>`
	tests := []struct {
		name   string
		status int
		body   string
		kind   hospital.Kind
		code   string
	}{
		{"a result", 200, in11("<QResponse><QResult>x</QResult></QResponse>"), -1, ""},
		{"a fault of the service, with 500", 500, in11(server), hospital.Indeterminate, "soap_fault"},
		{"a fault of the service, with 200", 200, in11(server), hospital.Indeterminate, "soap_fault"},
		{"a fault that blames the caller may come after the effect", 500, in11(client), hospital.Indeterminate, "soap_fault"},
		{"a fault of a caller who may not ask comes before it", 401, in11(client), hospital.Denied, "soap_fault"},
		{"a password that is not accepted comes before it", 500, in11(security), hospital.Denied, "soap_fault"},
		{"a version nobody speaks comes before it", 500, in11(version), hospital.Unavailable, "soap_fault"},
		{"a web page with 500", 500, "<html>Runtime Error</html>", hospital.Indeterminate, "http_500"},
		{"a web page with 200", 200, "<!DOCTYPE html><html>login</html>", hospital.Indeterminate, "html_page"},
		{"a wrong address, or a firewall behind the service", 404, "not here", hospital.Indeterminate, "http_404"},
		{"a method that nobody serves", 405, "not here", hospital.Unavailable, "http_405"},
		{"a result under an error status", 500, in11("<QResponse><QResult>x</QResult></QResponse>"), hospital.Indeterminate, "bad_status"},
		{"an empty body", 200, "", hospital.Indeterminate, "bad_xml"},
		{"the answer to something else", 200, in11("<PResponse/>"), hospital.Indeterminate, "not_soap"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			client := mocked(t, httpmock.NewStringResponder(test.status, test.body), nil)
			call := soap.Call{Op: "test.Q", Operation: "Q", Personal: []string{"王金丝雀"}}
			_, err := client.Do(t.Context(), call)
			if test.code == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, &hospital.Error{Kind: test.kind, Code: test.code})
			require.NotContains(t, err.Error(), "王金丝雀")
			require.NotContains(t, hospital.MessageFor(err), "no such action", "a patient never reads a fault")

			call.ReadOnly = true
			_, err = client.Do(t.Context(), call)
			require.NotEqual(t, hospital.Indeterminate, hospital.KindOf(err), "a read leaves nothing open")
		})
	}
}

func TestARefusalAfterALostAttemptLeavesTheOutcomeOpen(t *testing.T) {
	t.Parallel()
	var calls atomic.Int32
	client := mocked(t, func(*http.Request) (*http.Response, error) {
		if calls.Add(1) == 1 {
			return nil, context.DeadlineExceeded
		}
		return httpmock.NewStringResponse(404, ""), nil
	}, func(c *soap.Config) { c.Retries = 1 })
	_, err := client.Do(t.Context(), soap.Call{Op: "test.Q", Operation: "Q", Idempotent: true})
	require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Indeterminate, Code: "http_404"})
}

func TestADigestIsFreshOnEveryAttempt(t *testing.T) {
	t.Parallel()
	token := soap.UsernameToken{
		Username: "his", Password: "TESTING KEY", Digest: true,
		Now: func() time.Time { return time.Date(2026, 11, 21, 7, 30, 0, 0, hospital.CST) },
	}
	nonces := map[string]bool{}
	client := mocked(t, func(r *http.Request) (*http.Response, error) {
		envelope := received(t, r)
		require.True(t, token.Matches(envelope.Header))
		require.Equal(t, "2026-11-20T23:30:00.000Z", envelope.Header.Descendant("Created").Text())
		require.Equal(t, "a", envelope.Content.Find("input").Text())
		nonces[envelope.Header.Descendant("Nonce").Text()] = true
		if len(nonces) < 3 {
			return nil, context.DeadlineExceeded
		}
		return httpmock.NewStringResponse(200, in11("<QResponse/>")), nil
	}, func(c *soap.Config) { c.Retries = 2; c.Security = &token })
	result, err := client.Do(t.Context(), soap.Call{
		Op: "test.Q", Operation: "Q", Params: []soap.Param{{Name: "input", Value: "a"}}, Idempotent: true,
	})
	require.NoError(t, err)
	require.Nil(t, result)
	require.Len(t, nonces, 3)

	wrong := token
	wrong.Password = "another"
	message, err := soap.Dialect{Namespace: "urn:x"}.Request("Q", nil, &wrong)
	require.NoError(t, err)
	envelope, err := soap.ParseEnvelope("", message.Body)
	require.NoError(t, err)
	require.False(t, token.Matches(envelope.Header))
	require.False(t, token.Matches(nil))
}

func received(t *testing.T, r *http.Request) soap.Envelope {
	t.Helper()
	var body strings.Builder
	require.NoError(t, r.Write(&body))
	_, data, _ := strings.Cut(body.String(), "\r\n\r\n")
	envelope, err := soap.ParseEnvelope(r.Header.Get("Content-Type"), []byte(data))
	require.NoError(t, err)
	return envelope
}

func TestRequest(t *testing.T) {
	t.Parallel()
	params := []soap.Param{{Name: "input", Value: "<a>张三&𠮷</a>"}}

	t.Run("1.1 names the action in its own header", func(t *testing.T) {
		t.Parallel()
		message, err := soap.Dialect{Namespace: "http://x.cn/"}.Request("Q", params, nil)
		require.NoError(t, err)
		require.Equal(t, `"http://x.cn/Q"`, message.Header.Get("SOAPAction"))
		require.Equal(t, "text/xml; charset=utf-8", message.Header.Get("Content-Type"))
		require.Contains(t, string(message.Body), `<Q xmlns="http://x.cn/"><input>&lt;a&gt;张三&amp;𠮷&lt;/a&gt;</input></Q>`)
	})
	t.Run("1.2 names it in the content type", func(t *testing.T) {
		t.Parallel()
		message, err := soap.Dialect{Namespace: "http://x.cn", Version: soap.V12}.Request("Q", params, nil)
		require.NoError(t, err)
		require.Empty(t, message.Header.Get("SOAPAction"))
		require.Equal(t, `application/soap+xml; charset=utf-8; action="http://x.cn/Q"`, message.Header.Get("Content-Type"))
		require.Contains(t, string(message.Body), `<Q xmlns="http://x.cn">`, "the namespace stays byte-exact")
	})
	t.Run("GBK carries what it lacks as a reference", func(t *testing.T) {
		t.Parallel()
		message, err := soap.Dialect{Namespace: "urn:x", Charset: soap.GBK, Style: soap.RPC}.Request("Q", params, nil)
		require.NoError(t, err)
		require.Contains(t, string(message.Body), "&#134071;")
		envelope, err := soap.ParseEnvelope(message.Header.Get("Content-Type"), message.Body)
		require.NoError(t, err)
		require.Equal(t, params[0].Value, envelope.Content.Find("input").Text())
	})
	for name, param := range map[string]soap.Param{
		"a name with a space":    {Name: "a b", Value: ""},
		"a control character":    {Name: "a", Value: "x\u000b"},
		"bytes that are no text": {Name: "a", Value: "\xff"},
	} {
		t.Run(name+" is refused before anything is sent", func(t *testing.T) {
			t.Parallel()
			_, err := soap.Dialect{Namespace: "urn:x"}.Request("Q", []soap.Param{param}, nil)
			require.Equal(t, hospital.Invalid, hospital.KindOf(err))
		})
	}
}

func TestWhatIsSentIsWhatIsRead(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		value := strings.TrimSpace(rapid.StringOf(rapid.RuneFrom([]rune("<>&;'\" 张三𠮷a0#x]!-\n\t"))).Draw(t, "value"))
		dialect := soap.Dialect{
			Namespace: "urn:x",
			Version:   rapid.SampledFrom([]soap.Version{soap.V11, soap.V12}).Draw(t, "version"),
			Style:     rapid.SampledFrom([]soap.Style{soap.Document, soap.RPC}).Draw(t, "style"),
			Charset:   rapid.SampledFrom([]soap.Charset{"", soap.GBK, soap.GB18030}).Draw(t, "charset"),
		}
		message, err := dialect.Response("Q", value)
		require.NoError(t, err)
		envelope, err := soap.ParseEnvelope(message.Header.Get("Content-Type"), message.Body)
		require.NoError(t, err)
		result, err := envelope.Result("Q")
		require.NoError(t, err)
		require.Equal(t, value, result.Text())
	})
}

func TestAFaultThatWeWriteIsReadAgain(t *testing.T) {
	t.Parallel()
	for _, version := range []soap.Version{soap.V11, soap.V12} {
		message, err := soap.Dialect{Version: version, Charset: soap.GBK}.FaultMessage(soap.Fault{Code: "Client", Reason: "格式错误 <&>"})
		require.NoError(t, err)
		envelope, err := soap.ParseEnvelope(message.Header.Get("Content-Type"), message.Body)
		require.NoError(t, err)
		require.Equal(t, version, envelope.Version)
		require.Equal(t, "格式错误 <&>", envelope.Fault.Reason)
		require.True(t, envelope.Fault.CallersFault())
	}
}

func TestNewClientNamesTheBadField(t *testing.T) {
	t.Parallel()
	for field, config := range map[string]soap.Config{
		"Namespace": {BaseURL: "http://x.cn"},
		"Version":   {BaseURL: "http://x.cn", Dialect: soap.Dialect{Namespace: "urn:x", Version: 9}},
		"Charset":   {BaseURL: "http://x.cn", Dialect: soap.Dialect{Namespace: "urn:x", Charset: "big5"}},
		"BaseURL":   {Dialect: soap.Dialect{Namespace: "urn:x"}},
	} {
		_, err := soap.NewClient(config)
		require.Equal(t, hospital.Invalid, hospital.KindOf(err))
		require.ErrorContains(t, err, field)
	}
}
