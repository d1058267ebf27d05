package refserver_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking/bookingsql"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/his/histest"
	"github.com/wxhospital/hospital/payment/wechatpay"
	"github.com/wxhospital/hospital/payment/wechatpay/wechatpaytest"
	"github.com/wxhospital/hospital/refserver"
	"github.com/wxhospital/hospital/wechat"
)

// mount puts the mobile hospital below /hospital of a program that serves other
// things as well. The readmes show it; a test compares.
func mount(
	ctx context.Context, mux *http.ServeMux, db *bookingsql.DB, system his.System, account wechat.Config, pushes wechat.CallbackConfig, pay wechatpay.Config,
) (*refserver.Server, error) {
	const site = "https://www.example.com/hospital" // where patients reach it
	official, err := wechat.New(account)
	if err != nil {
		return nil, err
	}
	pay.NotifyURL = site + refserver.NoticePath
	channel, err := wechatpay.New(pay)
	if err != nil {
		return nil, err
	}
	server, err := refserver.New(ctx, refserver.Config{
		BaseURL: site, Names: refserver.Names{Name: "示范中医医院", Phone: "0510-88888888"},
		DB: db, HIS: system, Account: official, Pushes: pushes, Pay: channel, Texter: carrier{}, Triage: &refserver.Triage{}, Now: time.Now,
	})
	if err != nil {
		return nil, err
	}
	mux.Handle("/hospital/", server.Handler()) // the staff's desk is server.StaffHandler(), on a listener of its own
	return server, nil                         // and server.Run(ctx) does what is due until ctx ends
}

// carrier brings text messages to phones; a hospital writes it for its own.
type carrier struct{}

// Text implements refserver.Texter.
func (carrier) Text(context.Context, hospital.Key, hospital.Phone, string) error { return nil }

// A program mounts the server and runs what is due beside it.
func Example() {
	answer, err := embed()
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(answer.Code, strings.Contains(answer.Body.String(), "针灸科"))
	// Output:
	// 200 true
}

func embed() (answer *httptest.ResponseRecorder, err error) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	dir, err := os.MkdirTemp("", "hospital")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	db, err := bookingsql.OpenDB(ctx, bookingsql.Config{DSN: filepath.Join(dir, "hospital.db"), PseudonymKey: []byte("TESTING KEY 0123456789")})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	simulated, err := histest.NewHospital(histest.Config{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, simulated.Close()) }()
	keys, err := simulatedKeys()
	if err != nil {
		return nil, err
	}
	till, err := wechatpaytest.New(wechatpaytest.Config{Keys: keys})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, till.Close()) }()
	m := till.Credentials()
	mux := http.NewServeMux()
	server, err := mount(ctx, mux, db, simulated.System(),
		wechat.Config{AppID: m.AppID, Secret: "TESTINGKEY"},
		wechat.CallbackConfig{AppID: m.AppID, OriginalID: "gh_0123456789ab", Mode: wechat.Plain, Tokens: []string{"TESTINGKEY"}},
		wechatpay.Config{
			AppID: m.AppID, MerchantID: m.MerchantID, MerchantKey: m.MerchantKey, MerchantSerial: m.MerchantSerial, APIv3Key: []byte(m.APIv3Key),
			PublicKey: m.PublicKey, PublicKeyID: m.PublicKeyID,
		})
	if err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	answer = httptest.NewRecorder()
	mux.ServeHTTP(answer, httptest.NewRequestWithContext(ctx, http.MethodGet, "/hospital/departments", nil))
	stop()
	return answer, <-ended
}

func TestTheReadmesShowTheCodeThatTheExampleRuns(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("example_test.go")
	require.NoError(t, err)
	_, code, found := strings.Cut(string(source), "a test compares.\n")
	require.True(t, found)
	code, _, found = strings.Cut(code, "\n}\n")
	require.True(t, found)
	for _, readme := range []string{"README.md", "README.zh-CN.md"} {
		text, err := os.ReadFile(filepath.Join("..", readme))
		require.NoError(t, err)
		require.Contains(t, string(text), "```go\n"+code+"\n}\n```", readme)
	}
}
