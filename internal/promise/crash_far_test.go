package promise_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/his/histest"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/paymenttest"
)

// crashWorld is what lives on when our process dies: the hospital behind its web
// service, the payment channel, the clock on the wall, and the patient with a
// phone.
type crashWorld interface {
	// orders says where everything is and what time it is.
	orders() (crashOrders, error)
	// whileDead lets the world go on without our process.
	whileDead(s crashScenario, acks []crashAck) error
	// books are what stands there in the end.
	books() (crashBooks, error)
	close() error
}

// crashMail is what a channel told, in its own words or as it crossed the wire.
type crashMail struct {
	ID     string
	Notice *payment.Notice
	Header http.Header
	Body   []byte
}

// crashFar is a world in the test's own process, with a till.
type crashFar struct {
	hospital *histest.Hospital
	faults   *histest.Faults
	till     *paymenttest.Till
	server   *httptest.Server
	wish     booking.Wish

	ms   atomic.Int64 // business time
	mu   sync.Mutex
	mail []crashMail // told by the till, not yet acknowledged
	sold int         // numbers that the window sold
}

// crashNumbers is how many numbers the segment has.
const crashNumbers = 3

// newCrashFar opens a hospital for one patient who wants one number, of today
// or of a later day.
func newCrashFar(tb testing.TB, kind hospital.VisitKind) (crashWorld, error) {
	tb.Helper()
	f := &crashFar{faults: &histest.Faults{}}
	f.ms.Store(monday.UnixMilli())
	var err error
	if f.hospital, err = histest.NewHospital(histest.Config{Now: f.now, SlotNumbers: crashNumbers}); err != nil {
		return nil, err
	}
	f.till = paymenttest.NewTill(crashTill, f.now, func(n payment.Notice) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.mail = append(f.mail, crashMail{ID: n.ID, Notice: &n})
	})
	if f.wish, err = crashWish(tb.Context(), f.hospital, kind, newcomers(tb, f.hospital, 1)[0]); err != nil {
		return nil, err
	}
	service, err := histest.NewService(histest.ServiceConfig{System: f.hospital.System, Faults: f.faults})
	if err != nil {
		return nil, err
	}
	routes := http.NewServeMux()
	routes.Handle("/his", service)
	routes.Handle("/till/", http.StripPrefix("/till", paymenttest.TillServer{Till: f.till}))
	routes.HandleFunc("POST /world/{verb}", f.control)
	f.server = httptest.NewServer(routes)
	return f, nil
}

// crashWish wishes for an afternoon's segment, which begins long after every
// recovery has ended.
func crashWish(ctx context.Context, h *histest.Hospital, kind hospital.VisitKind, patient hospital.Patient) (booking.Wish, error) {
	wish := booking.Wish{Patient: patient.ID, Payer: patient.Payer}
	day := hospital.DateOf(monday)
	if kind == hospital.Advance {
		day = day.AddDays(2)
	}
	schedules, err := h.Schedules(ctx, his.ScheduleQuery{From: day, To: day})
	if err != nil {
		return wish, err
	}
	for _, wish.Schedule = range schedules {
		slots, err := h.Slots(ctx, wish.Schedule.ID)
		if err != nil {
			return wish, err
		}
		wish.Slot = slots[len(slots)-1]
		if wish.Slot.Start.In(hospital.CST).Hour() >= 14 {
			return wish, nil
		}
	}
	return wish, errors.New("no clinic in the afternoon")
}

func (f *crashFar) orders() (crashOrders, error) {
	return crashOrders{World: f.server.URL, HIS: f.server.URL + "/his", Now: f.ms.Load(), Wish: f.wish, Payers: []payment.Payer{"payer-1", "payer-2"}}, nil
}

func (f *crashFar) books() (crashBooks, error) {
	b := crashBooks{hospital: f.hospital, sold: f.sold, refunds: map[payment.TradeNo]int{}}
	b.taken, b.returned = f.till.Totals()
	for _, r := range f.till.Refunds() {
		b.refunds[r.TradeNo]++
		b.overpaid = b.overpaid || f.till.Returned(r.TradeNo) > f.till.Taken(r.TradeNo)
	}
	return b, nil
}

func (f *crashFar) close() error {
	f.server.Close()
	return f.hospital.Close()
}

func (f *crashFar) now() time.Time { return time.UnixMilli(f.ms.Load()).In(hospital.CST) }

// control is how the child moves the world on. The answer is the mail.
func (f *crashFar) control(w http.ResponseWriter, r *http.Request) {
	ask, err := r.URL.Query(), error(nil)
	switch r.PathValue("verb") {
	case "clock":
		var ms int64
		ms, err = strconv.ParseInt(ask.Get("ms"), 10, 64)
		f.ms.Store(ms)
	case "pay", "pay_late":
		err = f.till.PayAnyway(payment.TradeNo(ask.Get("trade")))
	case "slow":
		f.till.SlowRefunds(true)
	case "settle":
		f.settle()
	case "lose":
		kind, bad := strconv.Atoi(ask.Get("fault"))
		err = bad
		f.faults.Set(histest.Op(ask.Get("op")), histest.Switch{Fault: histest.ServiceFault(kind), Times: 1})
	case "silence":
		f.faults.Set(histest.Any, histest.Switch{Fault: histest.Dead})
	case "heal":
		f.faults.ClearAll()
	case "suspend":
		_, err = f.hospital.Suspend(f.wish.Schedule.ID, "doctor ill", "")
	case "sellout":
		err = f.sellOut()
	case "heard":
		f.mu.Lock()
		f.mail = slices.DeleteFunc(f.mail, func(m crashMail) bool { return m.ID == ask.Get("id") })
		f.mu.Unlock()
	case "mail", "late":
	default:
		err = http.ErrNotSupported
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = json.NewEncoder(w).Encode(f.mail) // a child that died does not read it
}

// settle ends the refunds on which the till still works.
func (f *crashFar) settle() {
	f.till.SlowRefunds(false)
	for _, r := range f.till.Refunds() {
		if r.State == payment.RefundProcessing {
			_ = f.till.Settle(r.No, payment.RefundSucceeded) // settled meanwhile
		}
	}
}

// sellOut lets the window sell what is left of the segment to other people.
func (f *crashFar) sellOut() error {
	for _, p := range f.hospital.People() {
		if p.ID == f.wish.Patient {
			continue
		}
		if _, err := f.hospital.Window().Sell(f.wish.Slot.ID, p.ID); err != nil {
			return nil //nolint:nilerr // sold out
		}
		f.sold++
	}
	return nil
}

// whileDead lets the world go on without our process: the hospital answers
// again, the bank works its refunds off, and a patient who was shown a pay sheet
// pays it.
func (f *crashFar) whileDead(s crashScenario, acks []crashAck) error {
	f.faults.ClearAll()
	f.settle()
	for _, a := range acks {
		if a.What == "sheet" && s.pays && f.till.Taken(payment.TradeNo(a.ID)) == 0 {
			_ = f.till.PayAnyway(payment.TradeNo(a.ID)) // whoever cannot pay has not paid
		}
	}
	if !s.redelivers {
		f.mu.Lock()
		f.mail = nil // lost, every one
		f.mu.Unlock()
	}
	return nil
}
