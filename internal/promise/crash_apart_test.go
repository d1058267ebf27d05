package promise_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/his/histest"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/wechatpay/wechatpaytest"
)

// TestTheSagaSurvivesAKillWithTheFarSidesInAnotherProgram kills the server at
// every step while HIS and WeChat Pay live on in examples/hospital -far-only,
// reached by nothing but the addresses and credentials that it wrote.
func TestTheSagaSurvivesAKillWithTheFarSidesInAnotherProgram(t *testing.T) {
	t.Parallel()
	program := crashBuild(t)
	for _, engine := range []sqldb.Engine{sqldb.SQLite, sqldb.PostgreSQL} {
		t.Run(engine.String(), func(t *testing.T) {
			t.Parallel()
			b := crashEngines[engine](t)
			b.far = program.world
			points := b.points()
			t.Logf("%d named steps in %d scenarios, %d moments in all", len(crashNames(points)), len(crashScenarios()), len(points))
			b.each(b.sample(points, func(int) int { return 0 }))
		})
	}
}

// crashProgram is the built program, and the keys that all its folders share
// because making them takes up to a second.
type crashProgram struct {
	file string
	keys []byte
	n    *crashCounter
}

// crashCounter names folders.
type crashCounter struct {
	mu   sync.Mutex
	n    int
	root string
}

func (c *crashCounter) next() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	return filepath.Join(c.root, strconv.Itoa(c.n))
}

const crashKeys = "wechatpay.keys"

func crashBuild(t *testing.T) crashProgram {
	t.Helper()
	root := t.TempDir()
	p := crashProgram{file: filepath.Join(root, "hospital"), n: &crashCounter{root: root}}
	out, err := exec.CommandContext(t.Context(), "go", "build", "-o", p.file, "github.com/wxhospital/hospital/examples/hospital").CombinedOutput()
	require.NoError(t, err, string(out))
	keys := filepath.Join(root, "keys")
	pay, err := wechatpaytest.New(wechatpaytest.Config{Dir: keys})
	require.NoError(t, err)
	require.NoError(t, pay.Close())
	p.keys, err = os.ReadFile(filepath.Join(keys, crashKeys))
	require.NoError(t, err)
	return p
}

// crashApart is a world in a program of its own. The test's process only speaks
// to it, and keeps the mail of WeChat Pay as a hospital's gateway would.
type crashApart struct {
	dir, files string
	program    *exec.Cmd
	addresses  map[string]string
	merchant   crashMerchant
	payers     []payment.Payer
	wish       booking.Wish
	server     *httptest.Server
	open       []io.Closer // journals, once the program has ended

	mu   sync.Mutex
	mail []crashMail
	told int
	sold int
}

// world starts the program over a folder of its own.
func (p crashProgram) world(tb testing.TB, kind hospital.VisitKind) (_ crashWorld, err error) {
	tb.Helper()
	f := &crashApart{dir: p.n.next()}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	f.files = filepath.Join(f.dir, "credentials")
	if err := os.MkdirAll(f.dir, 0o700); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(f.dir, crashKeys), p.keys, 0o600); err != nil {
		return nil, err
	}
	if err := f.start(tb.Context(), p.file); err != nil {
		return nil, err
	}
	twin, err := histest.NewHospital(histest.Config{Now: func() time.Time { return monday }}) // the same directory
	if err != nil {
		return nil, err
	}
	people := twin.People()
	patient := people[slices.IndexFunc(people, func(p hospital.Patient) bool { return p.Payer == hospital.SelfPay && p.Guardian == nil })]
	if f.wish, err = crashWish(tb.Context(), twin, kind, patient); err != nil {
		return nil, err
	}
	if f.payers, err = f.phones(tb.Context()); err != nil {
		return nil, err
	}
	routes := http.NewServeMux()
	routes.HandleFunc("POST /notice", f.notice)
	routes.HandleFunc("POST /world/{verb}", f.control)
	f.server = httptest.NewServer(routes)
	f.merchant.NotifyURL = f.server.URL + "/notice"
	return f, nil
}

// start waits until the program says that everything listens.
func (f *crashApart) start(ctx context.Context, program string) error {
	ready := filepath.Join(f.dir, "ready.json")
	f.program = exec.CommandContext(ctx, program, "-far-only", "-data", f.dir, "-now", monday.Format("2006-01-02 15:04"),
		"-credentials", f.files, "-ready-file", ready)
	f.program.Cancel = func() error { return f.program.Process.Signal(syscall.SIGTERM) }
	out, err := f.program.StdoutPipe()
	if err != nil {
		return err
	}
	if err := f.program.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.Contains(lines.Text(), "已就绪") {
	}
	go io.Copy(io.Discard, out) //nolint:errcheck // until the program ends
	for file, into := range map[string]any{ready: &f.addresses, filepath.Join(f.files, "wechatpay.json"): &f.merchant} {
		text, err := os.ReadFile(filepath.Clean(file))
		if err != nil {
			return fmt.Errorf("the far sides did not start: %w", err)
		}
		if err := json.Unmarshal(text, into); err != nil {
			return err
		}
	}
	f.merchant.URL, f.merchant.Files = f.addresses["wechat_pay"], f.files
	return nil
}

// ask asks one of the simulators below /_sim/.
func (f *crashApart) ask(ctx context.Context, method, host, verb string, ask url.Values, into any) error {
	base := map[string]string{
		"his": strings.TrimSuffix(f.addresses["his"], "/his"), "wechat": f.addresses["wechat_api"], "pay": f.addresses["wechat_pay"],
	}[host]
	r, err := http.NewRequestWithContext(ctx, method, base+"/_sim/"+verb+"?"+ask.Encode(), http.NoBody)
	if err != nil {
		return err
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close() //nolint:errcheck // it was read
	body, err := io.ReadAll(answer.Body)
	switch {
	case err != nil:
		return err
	case answer.StatusCode != http.StatusOK:
		return fmt.Errorf("%s %s: %d %s", host, verb, answer.StatusCode, body)
	case into == nil:
		return nil
	}
	return json.Unmarshal(body, into)
}

func (f *crashApart) do(ctx context.Context, host, verb string, ask url.Values) error {
	return f.ask(ctx, http.MethodPost, host, verb, ask, nil)
}

// phones lets two people with WeChat exist.
func (f *crashApart) phones(ctx context.Context) ([]payment.Payer, error) {
	payers := make([]payment.Payer, 2)
	for i := range payers {
		var joined struct {
			OpenID string `json:"openid"`
		}
		if err := f.ask(ctx, http.MethodPost, "wechat", "join", nil, &joined); err != nil {
			return nil, err
		}
		payers[i] = payment.Payer(joined.OpenID)
	}
	return payers, nil
}

func (f *crashApart) orders() (crashOrders, error) {
	var clock struct{ Now time.Time }
	err := f.ask(context.Background(), http.MethodGet, "his", "clock", nil, &clock)
	return crashOrders{
		World: f.server.URL, HIS: f.addresses["his"], Now: clock.Now.UnixMilli(), Wish: f.wish, Payers: f.payers, Merchant: &f.merchant,
	}, err
}

// notice keeps a notification until a server takes it.
func (f *crashApart) notice(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<16))
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.told++
	f.mail = append(f.mail, crashMail{ID: strconv.Itoa(f.told), Header: r.Header, Body: body})
	w.WriteHeader(http.StatusNoContent)
}

// control is how the child moves the world on. The answer is the mail.
func (f *crashApart) control(w http.ResponseWriter, r *http.Request) {
	err := f.move(r.Context(), r.PathValue("verb"), r.URL.Query())
	if err == nil {
		err = f.do(r.Context(), "pay", "advance", nil) // what is due to be told is told by now
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = json.NewEncoder(w).Encode(f.mail) // a child that died does not read it
}

func (f *crashApart) move(ctx context.Context, verb string, ask url.Values) error {
	switch verb {
	case "clock":
		ms, err := strconv.ParseInt(ask.Get("ms"), 10, 64)
		if err != nil {
			return err
		}
		return f.do(ctx, "his", "clock", url.Values{"to": {time.UnixMilli(ms).Format(time.RFC3339Nano)}})
	case "pay", "late": // late is in time for WeChat Pay; its notice is what comes late
		return f.pay(ctx, ask.Get("trade"))
	case "slow":
		return f.do(ctx, "pay", "refunds", url.Values{"outcome": {wechatpaytest.Processing}})
	case "settle":
		return f.settle(ctx)
	case "lose":
		kind, err := strconv.Atoi(ask.Get("fault"))
		if err != nil {
			return err
		}
		return f.do(ctx, "his", "fail", url.Values{"op": {ask.Get("op")}, "fault": {histest.ServiceFault(kind).String()}, "times": {"1"}})
	case "silence":
		return f.do(ctx, "his", "fail", url.Values{"fault": {histest.Dead.String()}})
	case "heal":
		return f.do(ctx, "his", "heal", nil)
	case "suspend":
		return f.do(ctx, "his", "suspend", url.Values{"schedule": {string(f.wish.Schedule.ID)}, "reason": {"doctor ill"}})
	case "sellout":
		return f.sellOut(ctx)
	case "heard":
		f.mu.Lock()
		defer f.mu.Unlock()
		f.mail = slices.DeleteFunc(f.mail, func(m crashMail) bool { return m.ID == ask.Get("id") })
		return nil
	case "mail", "pay_late":
		return nil
	}
	return http.ErrNotSupported
}

// pay lets the payer pay. Whoever cannot, because the trade is paid, closed or
// expired, has not paid.
func (f *crashApart) pay(ctx context.Context, trade string) error {
	err := f.do(ctx, "pay", "pay", url.Values{"out_trade_no": {trade}})
	if err != nil && (strings.Contains(err.Error(), " 409 ") || strings.Contains(err.Error(), " 403 ")) {
		return nil
	}
	return err
}

// settle ends the refunds on which WeChat Pay still works.
func (f *crashApart) settle(ctx context.Context) error {
	var l wechatpaytest.Ledger
	if err := f.ask(ctx, http.MethodGet, "pay", "ledger", nil, &l); err != nil {
		return err
	}
	for _, r := range l.Refunds {
		if r.Status != wechatpaytest.Processing {
			continue
		}
		err := f.do(ctx, "pay", "refund", url.Values{"out_refund_no": {r.OutRefundNo}, "status": {wechatpaytest.Success}})
		if err != nil && !strings.Contains(err.Error(), " 409 ") { // it has ended meanwhile
			return err
		}
	}
	return nil
}

// sellOut lets the window sell what is left of the segment to other people.
func (f *crashApart) sellOut(ctx context.Context) error {
	twin, err := histest.NewHospital(histest.Config{})
	if err != nil {
		return err
	}
	for _, p := range twin.People() {
		if p.ID == f.wish.Patient {
			continue
		}
		if err := f.do(ctx, "his", "sell", url.Values{"slot": {string(f.wish.Slot.ID)}, "patient": {string(p.ID)}}); err != nil {
			if strings.Contains(err.Error(), "slot_taken") {
				return nil
			}
			continue // a patient whom this clinic does not take
		}
		f.sold++
	}
	return errors.New("not sold out")
}

// whileDead lets the world go on without our process.
func (f *crashApart) whileDead(s crashScenario, acks []crashAck) error {
	ctx := context.Background()
	if err := errors.Join(f.do(ctx, "his", "heal", nil), f.do(ctx, "pay", "heal", nil), f.settle(ctx)); err != nil {
		return err
	}
	for _, a := range acks {
		if a.What != "sheet" || !s.pays {
			continue
		}
		if err := f.pay(ctx, a.ID); err != nil {
			return err
		}
	}
	if err := f.do(ctx, "pay", "advance", nil); err != nil {
		return err
	}
	if !s.redelivers {
		f.mu.Lock()
		f.mail = nil // lost, every one
		f.mu.Unlock()
	}
	return nil
}

// books ends the program and reads its journals.
func (f *crashApart) books() (crashBooks, error) {
	b := crashBooks{sold: f.sold, refunds: map[payment.TradeNo]int{}}
	var l wechatpaytest.Ledger
	if err := f.ask(context.Background(), http.MethodGet, "pay", "ledger", nil, &l); err != nil {
		return b, err
	}
	returned := map[string]hospital.Fen{}
	for _, r := range l.Refunds {
		if r.Status == wechatpaytest.Success {
			b.refunds[payment.TradeNo(r.OutTradeNo)]++
			b.returned += r.Amount
			returned[r.OutTradeNo] += r.Amount
		}
	}
	for _, t := range l.Trades {
		if !t.PaidAt.IsZero() {
			b.taken += t.Total
		}
		b.overpaid = b.overpaid || returned[t.OutTradeNo] > t.Total
	}
	if err := f.stop(); err != nil {
		return b, err
	}
	h, err := histest.NewHospital(histest.Config{Dir: f.dir})
	if err != nil {
		return b, err
	}
	b.hospital, f.open = h, append(f.open, h)
	return b, nil
}

// stop ends the program, and says whether it ended as it should.
func (f *crashApart) stop() error {
	if f.program == nil || f.program.Process == nil || f.program.ProcessState != nil {
		return nil
	}
	return errors.Join(f.program.Process.Signal(syscall.SIGTERM), f.program.Wait())
}

func (f *crashApart) close() error {
	if f.server != nil {
		f.server.Close()
	}
	err := f.stop()
	for _, c := range f.open {
		err = errors.Join(err, c.Close())
	}
	return errors.Join(err, os.RemoveAll(f.dir))
}
