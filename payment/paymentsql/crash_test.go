package paymentsql_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/paymentsql"
	"github.com/wxhospital/hospital/payment/paymenttest"
)

// crashEnv carries the child's orders: database, till, HIS, round.
const crashEnv = "PAYMENT_CRASH_CHILD"

// crashRounds is how often the child is killed.
const crashRounds = 12

// ledgerHIS is a far side that outlives the cashier's process: an effect
// happens once, and never after it was withdrawn.
type ledgerHIS struct {
	mu        sync.Mutex
	delivered map[hospital.Key]int
	withdrawn map[hospital.Key]bool
}

func (h *ledgerHIS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(io.LimitReader(r.Body, 1<<10)) // a broken body is no key
	key := hospital.Key(body)
	h.mu.Lock()
	defer h.mu.Unlock()
	deliver := r.URL.Path == "/deliver"
	switch {
	case deliver && h.withdrawn[key], !deliver && h.delivered[key] > 0:
		w.WriteHeader(http.StatusConflict)
	case deliver:
		h.delivered[key] = 1
	default:
		h.withdrawn[key] = true
	}
}

// hisClient is the deliverer at the cashier's end.
type hisClient struct{ url string }

func (c hisClient) call(ctx context.Context, path string, key hospital.Key) error {
	lost := &hospital.Error{Kind: hospital.Indeterminate, Op: "test.his", Code: "lost"}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+path, strings.NewReader(string(key)))
	if err != nil {
		return lost
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return lost
	}
	_ = answer.Body.Close() // nothing is in it
	if answer.StatusCode == http.StatusConflict {
		return &hospital.Error{Kind: hospital.Conflict, Op: "test.his", Code: "conflict"}
	}
	return nil
}

func (c hisClient) Deliver(ctx context.Context, d hospital.Delivery) error {
	return c.call(ctx, "/deliver", d.Key)
}

func (c hisClient) Withdraw(ctx context.Context, key hospital.Key) error {
	return c.call(ctx, "/withdraw", key)
}

type crashOrders struct {
	DB, Till, HIS string
	Round         int
}

// cashier opens the database as a server does after a start.
func (o crashOrders) cashier(ctx context.Context, t *testing.T, now func() time.Time) *payment.Cashier {
	t.Helper()
	db, err := paymentsql.OpenDB(ctx, paymentsql.Config{DSN: o.DB, PseudonymKey: []byte("TESTING KEY pseudonym")})
	require.NoError(t, err)
	t.Cleanup(func() { _ = db.Close() })
	till, err := paymenttest.NewTillClient(paymenttest.ClientConfig{BaseURL: o.Till})
	require.NoError(t, err)
	kept, err := paymentsql.New(ctx, db)
	require.NoError(t, err)
	c, err := payment.New(payment.Config{
		Store: kept, Channels: map[string]payment.Channel{"till": till},
		Deliverers: map[hospital.PurposeKind]payment.Deliverer{hospital.ForBill: hisClient{o.HIS}}, Now: now, Wall: now,
		QueryAfter:  []time.Duration{10 * time.Millisecond, 40 * time.Millisecond, 200 * time.Millisecond, 30 * time.Minute},
		CallTimeout: 300 * time.Millisecond, Lease: 900 * time.Millisecond, Quiet: 300 * time.Millisecond,
	})
	require.NoError(t, err)
	return c
}

// TestCrashChild is the process that is killed. It works until then, and says
// a line only about what the cashier had said yes to.
func TestCrashChild(t *testing.T) { //nolint:paralleltest // it has its process to itself
	told := os.Getenv(crashEnv)
	if told == "" {
		t.Skip("the child of TestNothingIsLostWhenTheProcessIsKilled")
	}
	var orders crashOrders
	require.NoError(t, json.Unmarshal([]byte(told), &orders))
	c := orders.cashier(t.Context(), t, time.Now)
	go func() { _ = c.Run(t.Context()) }()
	for n := range 10_000 {
		key := hospital.Key(fmt.Sprintf("charge-%d-%d", orders.Round, n))
		charge := hospital.Charge{
			Key: key, Purpose: hospital.Purpose{Kind: hospital.ForBill, ID: string(key)}, Patient: "P1", Amount: 1250,
			Expires: time.Now().Add(time.Hour),
		}
		if c.Open(t.Context(), charge) == nil {
			say("open", string(key))
		}
		sheet, err := c.Pay(t.Context(), payment.PayRequest{Charge: key, Channel: "till", Payer: "payer-1"})
		if err == nil {
			say("sheet", string(sheet.TradeNo))
		}
		earlier := hospital.Key(fmt.Sprintf("charge-%d-%d", orders.Round, rand.IntN(n+1)))
		if n%3 == 0 && c.Close(t.Context(), earlier) == nil {
			say("closed", string(earlier))
		}
		if n%4 == 0 && c.Refund(t.Context(), earlier, "cancelled") == nil {
			say("refund", string(earlier))
		}
	}
}

func say(words ...string) { _, _ = fmt.Fprintln(os.Stdout, "ack", strings.Join(words, " ")) }

func TestNothingIsLostWhenTheProcessIsKilled(t *testing.T) {
	t.Parallel()
	till := paymenttest.NewTill("till", nil, nil) // no notices: they were all lost with the process
	far := &ledgerHIS{delivered: map[hospital.Key]int{}, withdrawn: map[hospital.Key]bool{}}
	tillServer, hisServer := httptest.NewServer(paymenttest.TillServer{Till: till}), httptest.NewServer(far)
	t.Cleanup(tillServer.Close)
	t.Cleanup(hisServer.Close)
	orders := crashOrders{DB: filepath.Join(t.TempDir(), "hospital.db"), Till: tillServer.URL, HIS: hisServer.URL}
	acks := map[string][]string{}
	for orders.Round = range crashRounds {
		runAndKill(t, orders, till, acks)
	}
	offset := time.Duration(0)
	c := orders.cashier(t.Context(), t, func() time.Time { return time.Now().Add(offset) })
	settleAll(t, c, &offset)
	judgeCrash(t, c, till, far, acks)
}

// runAndKill lets a child work for a moment and kills it, wherever it is.
func runAndKill(t *testing.T, orders crashOrders, till *paymenttest.Till, acks map[string][]string) {
	t.Helper()
	told, err := json.Marshal(orders)
	require.NoError(t, err)
	child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCrashChild$")
	child.Env = append(os.Environ(), crashEnv+"="+string(told))
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	killAt := 5 + rand.IntN(80) // lines: few enough for the race detector, and never the same place
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); n++ {
		word := strings.Fields(lines.Text())
		if len(word) != 3 || word[0] != "ack" {
			continue // the test framework's own
		}
		acks[word[1]] = append(acks[word[1]], word[2])
		if word[1] == "sheet" && rand.IntN(5) > 0 {
			_ = till.Pay(payment.TradeNo(word[2])) // a patient may be late
		}
		if rand.IntN(8) == 0 {
			till.Fail(paymenttest.CallRefund, paymenttest.Fault{Kind: paymenttest.LoseAnswer})
			till.Fail(paymenttest.CallClose, paymenttest.Fault{Kind: paymenttest.LoseAnswer})
			till.Fail(paymenttest.CallPrepay, paymenttest.Fault{Kind: paymenttest.LoseRequest})
		}
		if n == killAt {
			require.NoError(t, child.Process.Kill())
		}
	}
	_ = child.Wait() // killed
}

// settleAll steps business time from one due moment to the next until none is
// left. Leases of the dead run on the host's clock and are waited for.
func settleAll(t *testing.T, c *payment.Cashier, offset *time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	began, tick := time.Now(), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for {
		next, err := c.Advance(ctx)
		if hospital.KindOf(err) == hospital.Unavailable && err != nil && ctx.Err() == nil {
			<-tick.C // nothing was written, on a machine that is very busy: the worker comes again
			continue
		}
		require.NoError(t, err)
		if next.IsZero() {
			return
		}
		if time.Since(began) < time.Second { // longer than any lease
			<-tick.C
			continue
		}
		*offset += max(time.Until(next)-*offset, 0)
	}
}

func judgeCrash(t *testing.T, c *payment.Cashier, till *paymenttest.Till, far *ledgerHIS, acks map[string][]string) {
	t.Helper()
	for _, key := range acks["open"] {
		_, err := c.Find(t.Context(), hospital.Key(key))
		require.NoError(t, err, "acknowledged and lost")
	}
	for _, key := range acks["closed"] {
		o, err := c.Find(t.Context(), hospital.Key(key))
		require.NoError(t, err)
		require.Contains(t, []payment.State{payment.Closed, payment.Refunded}, o.State)
	}
	for _, key := range acks["refund"] {
		o, err := c.Find(t.Context(), hospital.Key(key))
		require.NoError(t, err)
		require.Equal(t, payment.Refunded, o.State)
	}
	postings, err := c.Ledger(t.Context(), "")
	require.NoError(t, err)
	booked := map[string]payment.Posting{}
	for _, p := range postings {
		booked[p.Key] = p
	}
	delivered, returned := 0, 0
	for _, no := range till.Trades() {
		paid, isBooked := booked[string(no)+"/paid"]
		require.Equal(t, till.Taken(no) > 0, isBooked, "trade %s", no)
		if !isBooked {
			continue
		}
		switch _, isDelivered := booked[paid.Order+"/delivered"]; {
		case till.Returned(no) == till.Taken(no):
			returned++
		case isDelivered:
			require.Zero(t, till.Returned(no))
			delivered++
		default:
			t.Errorf("trade %s was taken, neither delivered nor returned", no)
		}
	}
	cases, err := c.Manual(t.Context())
	require.NoError(t, err)
	require.Empty(t, cases)
	far.mu.Lock()
	defer far.mu.Unlock()
	t.Logf("%d kills: %d orders acknowledged, %d closed, %d refunds asked for; %d payments delivered, %d returned, %d effects at the HIS",
		crashRounds, len(acks["open"]), len(acks["closed"]), len(acks["refund"]), delivered, returned, len(far.delivered))
	require.Positive(t, delivered)
	require.Positive(t, returned)
}
