package refserver_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/payment"
)

// TestAPatientGoesTheWholeWay through nothing but the pages: alone, below the
// prefix of a foreign mux, and with every request at the other of two processes
// that share one database.
func TestAPatientGoesTheWholeWay(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(*testing.T) *world{
		"one server":                       func(t *testing.T) *world { t.Helper(); return newWorld(t, sqldb.SQLite, "", 1) },
		"below a foreign mux's prefix":     func(t *testing.T) *world { t.Helper(); return newWorld(t, sqldb.SQLite, "/hospital", 1) },
		"two servers, request by request":  func(t *testing.T) *world { t.Helper(); return newWorld(t, sqldb.PostgreSQL, "", 2) },
		"two processes on one PostgreSQL":  func(t *testing.T) *world { t.Helper(); return newProcesses(t, "") },
		"two processes below one's prefix": func(t *testing.T) *world { t.Helper(); return newProcesses(t, "/hospital") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := open(t)
			w.menu()
			tab, patient := w.phone("素心").tab(), w.adult(0)
			tab.mainJob(patient)
			require.Zero(t, tab.tried, "nothing had to be tried again")
			w.books(patient)
			require.Equal(t, 1, w.texts.count(), "one code")
		})
	}
}

// killings are the moments at which one of two servers is killed: around each
// call to a far side, when the answer to a form is on its way, and when a notice
// has come in.
func killings() (all []moment) {
	for _, m := range []moment{
		{step: "site GET /oauth/callback", nth: 1},
		{step: "site POST /bind", nth: 1},
		{step: "site POST /bind/ID", nth: 1},
		{step: "HIS Hold", nth: 1},
		{step: "HIS Confirm", nth: 1},
		{step: "site POST /book", nth: 1},
		{step: "WeChat Pay POST /v3/pay/transactions/jsapi", nth: 1},
		{step: "site POST /orders/ID/prepay", nth: 1},
		{step: "site POST /wechatpay/notice", nth: 1},
		{step: "HIS Confirm", nth: 2},
		{step: "HIS Cancel", nth: 1},
		{step: "site POST /appointments/ID/cancel", nth: 1},
		{step: "WeChat Pay POST /v3/refund/domestic/refunds", nth: 1},
		{step: "site POST /wechatpay/notice", nth: 2},
		{step: "WeChat POST /cgi-bin/message/template/send", nth: 2},
	} {
		for _, after := range []bool{false, true} {
			m.after = after
			all = append(all, m)
		}
	}
	return all
}

// TestOneOfTwoProcessesIsKilled at every one of the moments, with kill -9. The
// patient tries again; the other server goes on, or one that is started in its
// place. The number is sold once, the money moves once each way.
func TestOneOfTwoProcessesIsKilled(t *testing.T) {
	t.Parallel()
	for i, m := range killings() {
		t.Run(m.String(), func(t *testing.T) {
			t.Parallel()
			w := newProcesses(t, "")
			struck := m
			w.processes.moment, w.processes.restart = &struck, i%4 < 2
			w.menu()
			tab, patient := w.phone("素心").tab(), w.adult(0)
			tab.mainJob(patient)
			require.Nil(t, w.processes.moment, "the moment came")
			w.books(patient)
			for range patience {
				if len(tab.cards()) >= len(toldOfTheWay()) {
					break
				}
				tab.lingers()
			}
			tab.lingers() // what would come twice has come by now
			require.Equal(t, toldOfTheWay(), tab.cards(), "each message once")
			codes := 1
			if m.after && m.step == "site POST /bind" {
				codes = 2 // who does not see the page for the first code asks for another
			}
			require.Equal(t, codes, w.texts.count())
		})
	}
}

// toldOfTheWay are the messages of the whole way, by scene.
func toldOfTheWay() []string {
	return []string{"appt.booked", "appt.cancelled", "appt.paid", "appt.refunded", "patient.bound"}
}

// books compares the three ledgers after the whole way: one payment and one
// refund of the same sum in each, one appointment and one registration.
func (w *world) books(patient hospital.Patient) {
	w.Helper()
	appointments := w.appointments(patient.ID)
	require.Len(w, appointments, 1)
	a := appointments[0]
	require.Equal(w, booking.Cancelled, a.State)
	fee := a.Hold.Fee
	require.Positive(w, fee)

	cashier := w.servers[0].Cashier()
	orders, err := cashier.Orders(w.Context(), payment.Filter{})
	require.NoError(w, err)
	require.Len(w, orders, 1)
	require.Equal(w, payment.Refunded, orders[0].State)
	require.Equal(w, fee, orders[0].Charge.Amount)
	postings, err := cashier.Ledger(w.Context(), "")
	require.NoError(w, err)
	var ours []hospital.Fen
	open := map[payment.Account]hospital.Fen{}
	for _, p := range postings {
		for _, e := range p.Entries {
			open[e.Account] += e.Amount
			if e.Account == payment.Receivable("wechatpay") {
				ours = append(ours, e.Amount)
			}
		}
	}
	require.Equal(w, []hospital.Fen{fee, -fee}, ours)
	for account, rest := range open {
		require.Zero(w, rest, account)
	}

	theirs, err := w.pay.Ledger()
	require.NoError(w, err)
	require.Equal(w, fee, theirs.Paid)
	require.Equal(w, fee, theirs.Refunded)
	require.Len(w, theirs.Refunds, 1)

	var his []hospital.Fen
	for _, s := range w.hospital.Ledger() {
		his = append(his, s.Amount)
	}
	require.Equal(w, []hospital.Fen{fee, -fee}, his)
	require.Len(w, w.hospital.Everyone(), 1)
}
