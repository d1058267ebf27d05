package paymenttest_test

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/paymenttest"
)

func TestTillConformsOverHTTP(t *testing.T) {
	t.Parallel()
	paymenttest.ConformChannel(t, func(t *testing.T) paymenttest.Subject {
		t.Helper()
		till, client := overHTTP(t)
		return paymenttest.Subject{Channel: client, Name: "till", Payer: "payer-1", Pay: till.Pay, Expires: time.Now().Add(time.Hour)}
	})
}

func overHTTP(t *testing.T) (*paymenttest.Till, *paymenttest.TillClient) {
	t.Helper()
	till := paymenttest.NewTill("till", nil, nil)
	server := httptest.NewServer(paymenttest.TillServer{Till: till})
	t.Cleanup(server.Close)
	client, err := paymenttest.NewTillClient(paymenttest.ClientConfig{BaseURL: server.URL})
	require.NoError(t, err)
	return till, client
}

func TestLostAnswersKeepTheirMeaningOverHTTP(t *testing.T) {
	t.Parallel()
	till, client := overHTTP(t)
	for fault, kind := range map[paymenttest.FaultKind]hospital.Kind{
		paymenttest.LoseAnswer:  hospital.Indeterminate,
		paymenttest.LoseRequest: hospital.Indeterminate,
		paymenttest.Dead:        hospital.Unavailable,
		paymenttest.Refuse:      hospital.Rejected,
	} {
		till.Fail(paymenttest.CallRefund, paymenttest.Fault{Kind: fault, Code: "NOT_ENOUGH"})
		_, err := client.Refund(t.Context(), payment.Refund{No: "order-1-1-r1"})
		require.Equal(t, kind, hospital.KindOf(err), "%s: %v", fault, err)
	}
	nobody := httptest.NewServer(http.NotFoundHandler())
	nobody.Close()
	gone, err := paymenttest.NewTillClient(paymenttest.ClientConfig{BaseURL: nobody.URL})
	require.NoError(t, err)
	_, err = gone.Refund(t.Context(), payment.Refund{No: "order-1-1-r1"})
	require.Equal(t, hospital.Unavailable, hospital.KindOf(err))
	_, err = paymenttest.NewTillClient(paymenttest.ClientConfig{})
	require.Equal(t, hospital.Invalid, hospital.KindOf(err))
}

func FuzzTillServer(f *testing.F) {
	f.Add("/prepay", []byte(`{"Attempt":{"TradeNo":"order-1-1","Amount":5,"Channel":"till"}}`))
	f.Add("/refund", []byte(`{"Refund":{"No":"order-1-1-r1"}}`))
	f.Add("/query", []byte(`{`))
	f.Fuzz(func(t *testing.T, path string, body []byte) {
		till := paymenttest.NewTill("till", nil, nil)
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/", bytes.NewReader(body))
		r.URL.Path = path
		w := httptest.NewRecorder()
		paymenttest.TillServer{Till: till}.ServeHTTP(w, r)
		taken, returned := till.Totals()
		require.Zero(t, taken+returned, "a body alone moves no money")
	})
}
