package promise_test

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// crashMutant is a recovery step that is switched off.
type crashMutant struct {
	name      string
	scenario  string   // where it shows, at a step that begins like at
	at        string   //
	redundant string   // which other way leads to the same end; "" when none may
	also      []string // other scenarios of a step that is redundant
}

// The scenarios in which most of the mutants show.
const (
	crashCancel  = "booked, paid and cancelled"
	crashLate    = "paid too late"
	crashUnpaid  = "never paid"
	crashSilent  = "the HIS took the fee and fell silent"
	crashReach   = "the HIS was not reached"
	crashStopped = "paid, then stopped"
	crashConfirm = "paid, then confirmed"
	crashPhones  = "two phones pay"
	crashRefused = "the number was another's"
)

// crashMutants are the recovery steps.
var crashMutants = []crashMutant{
	{name: "booking: holding is not taken up", scenario: crashConfirm, at: "his.Hold after"},
	{name: "booking: held is not taken up", scenario: crashUnpaid, at: "channel.Prepay after"},
	{name: "booking: confirming is not taken up", scenario: crashCancel, at: "his.Confirm after"},
	{name: "booking: booked is not taken up", scenario: crashCancel, at: "booking.Save(booked) after"},
	{name: "booking: cancelling is not taken up", scenario: crashCancel, at: "his.Cancel after"},
	{
		name: "booking: settling is not taken up", scenario: crashCancel, at: "his.Confirm(paid) after", also: []string{crashSilent},
		redundant: "payment delivers again, and Deliver finds out",
	},
	{name: "payment: payable is not taken up", scenario: crashCancel, at: "his.Suspensions before"},
	{name: "payment: paid is not taken up", scenario: crashCancel, at: "payment.Save(paid) after"},
	{name: "payment: delivering is not taken up", scenario: crashCancel, at: "desk.Deliver after"},
	{name: "payment: withdrawing is not taken up", scenario: crashReach, at: "payment.Save(withdrawing) after"},
	{name: "payment: refund_due is not taken up", scenario: crashCancel, at: "cashier.Refund after"},
	{name: "payment: refunding is not taken up", scenario: crashCancel, at: "channel.Refund after"},
	{
		name: "payment: closing is not taken up", scenario: crashUnpaid, at: "payment.Save(closing) after", also: []string{crashLate, crashPhones},
		redundant: "booking asks the cashier again to close, and Close does the work itself",
	},
	{name: "payment: the inbox is not read", scenario: crashLate, at: "payment.Pending after"},
	{name: "leases never end", scenario: crashCancel, at: "his.Confirm after"},
	{name: "his.Find knows nothing", scenario: crashSilent, at: "payment.Save(withdrawing) after"},
	{name: "channel.Query knows nothing", scenario: crashCancel, at: "his.Suspensions before"},
	{
		name: "channel.QueryRefund knows nothing", scenario: crashCancel, at: "channel.Refund after",
		also:      []string{crashLate, crashStopped},
		redundant: "the refund is repeated under its number, which refunds once",
	},
	{
		name: "suspensions are not polled", scenario: crashStopped, at: "his.Suspensions after",
		redundant: "a booking is verified at the HIS by its key as well, half an hour later",
	},
}

func TestEachRecoveryStepIsNeeded(t *testing.T) {
	t.Parallel()
	b := crashOnSQLite(t)
	points := b.points()
	rows := make([]string, len(crashMutants))
	var shown atomic.Int64
	var group sync.WaitGroup
	limit := make(chan struct{}, crashAtOnce)
	for i, m := range crashMutants {
		group.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			tried, at, broken := b.kill(t.Context(), m.name, m.moments(points))
			switch {
			case len(broken) > 0:
				shown.Add(1)
				rows[i] = fmt.Sprintf("%-36s | %s | %s", m.name, at, broken[0])
			case m.redundant != "":
				rows[i] = fmt.Sprintf("%-36s | %d moments, nothing broken | by design: %s", m.name, tried, m.redundant)
			default:
				t.Errorf("%s: nobody notices at %d moments", m.name, tried)
			}
		})
	}
	group.Wait()
	t.Logf("recovery step switched off | killed at | what broke\n  %s", strings.Join(rows, "\n  "))
	require.GreaterOrEqual(t, int(shown.Load()), crashLeastShown)
}

// moments are where a mutant is tried: first where it is expected to show, then
// in the same scenario, then in the rest. One that another way makes up for is
// tried in the scenarios of its step alone.
func (m crashMutant) moments(points []crashPoint) []crashPoint {
	rank := func(p crashPoint) int {
		switch {
		case p.scenario == m.scenario && strings.HasPrefix(p.at, m.at):
			return 0
		case p.scenario == m.scenario:
			return 1
		}
		return 2
	}
	sorted := slices.Clone(points)
	if m.redundant != "" {
		sorted = slices.DeleteFunc(sorted, func(p crashPoint) bool {
			return p.scenario != m.scenario && !slices.Contains(m.also, p.scenario)
		})
	}
	slices.SortStableFunc(sorted, func(a, b crashPoint) int { return cmp.Compare(rank(a), rank(b)) })
	if crashBounded() {
		sorted = sorted[:min(crashTries, len(sorted))]
	}
	return sorted
}

// kill tries a mutant until its absence is noticed.
func (b *crashBench) kill(ctx context.Context, mutant string, points []crashPoint) (tried int, at crashPoint, broken []string) {
	for _, p := range points {
		broken, err := b.try(ctx, crashFate{crashPoint: p, mutant: mutant})
		if err != nil {
			b.Errorf("%s: %v", mutant, err)
			return tried, p, nil
		}
		tried++
		if len(broken) > 0 {
			return tried, p, broken
		}
	}
	return tried, crashPoint{}, nil
}
