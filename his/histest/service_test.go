package histest_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/his/histest"
	"github.com/wxhospital/hospital/his/soap"
)

const serviceNamespace = "http://wxhospital.github.io/his/1.0/"

func newService(t *testing.T, edit func(*histest.ServiceConfig)) string {
	t.Helper()
	h, err := histest.NewHospital(histest.Config{})
	require.NoError(t, err)
	config := histest.ServiceConfig{System: h.System}
	if edit != nil {
		edit(&config)
	}
	service, err := histest.NewService(config)
	require.NoError(t, err)
	server := httptest.NewServer(service)
	t.Cleanup(server.Close)
	return server.URL
}

// post sends a raw request and returns the answer.
func post(t *testing.T, url string, message soap.Message) (int, soap.Envelope) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(string(message.Body)))
	require.NoError(t, err)
	request.Header = message.Header
	response, err := new(http.Client).Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	envelope, err := soap.ParseEnvelope(response.Header.Get("Content-Type"), body)
	require.NoError(t, err)
	return response.StatusCode, envelope
}

func TestTheServiceServesEveryOperationOfItsDocument(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile(filepath.Join("..", "..", "docs", "his-web-service.md"))
	require.NoError(t, err)
	_, table, _ := strings.Cut(string(doc), "## The operations")
	table, _, _ = strings.Cut(table, "## The nouns")
	operations := regexp.MustCompile("(?m)^\\| `([A-Za-z]+)`").FindAllStringSubmatch(table, -1)
	require.Len(t, operations, 24)
	url := newService(t, nil)
	for _, operation := range operations {
		message, err := soap.Dialect{Namespace: serviceNamespace}.Request(operation[1], []soap.Param{{Name: "input", Value: "<Request/>"}}, nil)
		require.NoError(t, err)
		status, envelope := post(t, url, message)
		require.Equal(t, http.StatusOK, status, operation[1])
		result, err := envelope.Result(operation[1])
		require.NoError(t, err)
		require.Contains(t, result.Text(), "<ResultCode>", operation[1])
	}
}

func TestTheServiceBlamesAMalformedRequest(t *testing.T) {
	t.Parallel()
	url := newService(t, nil)
	good := soap.Dialect{Namespace: serviceNamespace}
	request := func(d soap.Dialect, operation string, params ...soap.Param) soap.Message {
		message, err := d.Request(operation, params, nil)
		require.NoError(t, err)
		return message
	}
	input := soap.Param{Name: "input", Value: "<Request/>"}
	tests := []struct {
		name    string
		message soap.Message
		reason  string
	}{
		{"no SOAP", soap.Message{Body: []byte("<Request/>")}, "the request is no SOAP"},
		{"a namespace without its slash", request(soap.Dialect{Namespace: strings.TrimSuffix(serviceNamespace, "/")}, "Ping", input), "the namespace is not " + serviceNamespace},
		{"an unknown operation", request(good, "Drop", input), "no such operation"},
		{"another parameter", request(good, "Ping", soap.Param{Name: "strXML", Value: "<Request/>"}), "want one parameter, input"},
		{"two parameters", request(good, "Ping", input, input), "want one parameter, input"},
		{"an input that is no XML", request(good, "Ping", soap.Param{Name: "input", Value: "1|2"}), "the input is no Request"},
		{"an input too large", request(good, "Ping", soap.Param{Name: "input", Value: strings.Repeat("x", 256<<10)}), "the request is cut short or too large"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			status, envelope := post(t, url, test.message)
			require.Equal(t, http.StatusInternalServerError, status)
			require.NotNil(t, envelope.Fault)
			require.True(t, envelope.Fault.CallersFault(), "the caller may be sure that nothing happened")
			require.Equal(t, test.reason, envelope.Fault.Reason)
		})
	}
}

func TestTheServiceAsksForTheNameAndPassword(t *testing.T) {
	t.Parallel()
	token := &soap.UsernameToken{Username: "his", Password: "TESTING KEY"}
	url := newService(t, func(c *histest.ServiceConfig) { c.Security = token })
	for name, test := range map[string]struct {
		token *soap.UsernameToken
		ok    bool
	}{
		"none":      {nil, false},
		"a wrong":   {&soap.UsernameToken{Username: "his", Password: "x", Digest: true}, false},
		"the right": {token, true},
	} {
		client, err := his.NewClient(his.Config{BaseURL: url, Security: test.token})
		require.NoError(t, err)
		_, err = client.Ping(t.Context())
		require.Equal(t, test.ok, err == nil, name)
		if err != nil {
			require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Rejected, Code: "soap_fault"})
		}
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()

	t.Run("switches act one after the other and are used up", func(t *testing.T) {
		t.Parallel()
		faults := &histest.Faults{}
		faults.Set(histest.OpPing, histest.Switch{Fault: histest.ErrorPage, Times: 2})
		faults.Set(histest.OpPing, histest.Switch{Fault: histest.Garbage, Times: 1})
		url := newService(t, func(c *histest.ServiceConfig) { c.Faults = faults })
		client, err := his.NewClient(his.Config{BaseURL: url, Retries: -1})
		require.NoError(t, err)
		var codes []string
		for range 4 {
			_, err := client.Ping(t.Context())
			code := "ok"
			if err != nil {
				code = hospital.CodeOf(err)
			}
			codes = append(codes, code)
		}
		require.Equal(t, []string{"http_500", "http_500", "bad_encoding", "ok"}, codes)
		require.Empty(t, faults.Active())
	})

	t.Run("one for any operation stands back behind its own, until cleared", func(t *testing.T) {
		t.Parallel()
		faults := &histest.Faults{}
		faults.Set(histest.Any, histest.Switch{Fault: histest.Dead})
		faults.Set(histest.Any, histest.Switch{Fault: histest.Slow})
		require.Equal(t, histest.Dead, faults.Active()[histest.Any].Fault)
		url := newService(t, func(c *histest.ServiceConfig) { c.Faults = faults })
		client, err := his.NewClient(his.Config{BaseURL: url, Retries: -1})
		require.NoError(t, err)
		_, err = client.Ping(t.Context())
		require.Equal(t, "connection_lost", hospital.CodeOf(err))
		faults.Clear(histest.Any)
		_, err = client.Ping(t.Context())
		require.NoError(t, err)
		faults.Set(histest.OpPing, histest.Switch{Fault: histest.Dead})
		_, err = client.Campuses(t.Context())
		require.NoError(t, err)
		faults.ClearAll()
		_, err = client.Ping(t.Context())
		require.NoError(t, err)
	})
}

func TestAServiceNeedsASystem(t *testing.T) {
	t.Parallel()
	_, err := histest.NewService(histest.ServiceConfig{})
	require.Equal(t, hospital.Invalid, hospital.KindOf(err))
}

func TestTheServiceTakesOnlyPosts(t *testing.T) {
	t.Parallel()
	url := newService(t, nil)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	response, err := new(http.Client).Do(request)
	require.NoError(t, errors.Join(err, response.Body.Close()))
	require.Equal(t, http.StatusMethodNotAllowed, response.StatusCode)
}
