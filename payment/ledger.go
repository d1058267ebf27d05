package payment

import (
	"context"
	"fmt"
	"time"

	"github.com/wxhospital/hospital"
)

// Account is 科目, a place where fen stand in the ledger.
type Account string

// Receivable is what a channel took for us and has not returned.
func Receivable(channel string) Account { return Account("channel_receivable:" + channel) }

// Suspense is a patient's money of which nobody knows yet whether it serves
// its purpose. It is 0 whenever the order is closed, delivered or refunded.
func Suspense(order string) Account { return Account("patient_suspense:" + order) }

// Revenue is what was delivered for a kind of purpose.
func Revenue(kind hospital.PurposeKind) Account { return Account("hospital_revenue:" + string(kind)) }

// Payback is what we owe a payer.
func Payback(order string) Account { return Account("refund_payable:" + order) }

// ByHand is what staff returned outside the channel's interface; it is cleared
// when the channel's bill, or the cash desk's, shows it.
func ByHand(channel string) Account { return Account("refunded_by_hand:" + channel) }

// Entry is 分录, one line of a posting: positive is a debit, negative a credit.
type Entry struct {
	Account Account
	Amount  hospital.Fen
}

// Posting is 记账凭证, money moving between accounts. Its key says what moved
// it ("<trade>/paid"), so that it is posted once only.
type Posting struct {
	Key     string
	Order   string
	At      time.Time
	Entries []Entry
}

// Balanced reports whether the entries of one posting cancel out. The ledger
// refuses any other posting, so money cannot appear or vanish by a slip.
func Balanced(entries []Entry) bool {
	var sum hospital.Fen
	for _, e := range entries {
		sum += e.Amount
	}
	return sum == 0 && len(entries) >= 2
}

// Balance is what stands in an account.
type Balance struct {
	Account Account
	Amount  hospital.Fen
}

// Ledger lists the postings of an order, oldest first.
func (c *Cashier) Ledger(ctx context.Context, order string) ([]Posting, error) {
	postings, err := c.store.Postings(ctx, order)
	if err != nil {
		return nil, fmt.Errorf("payment.Ledger: %w", err)
	}
	return postings, nil
}

// Balances returns every account that is not empty, by name. Their sum is 0.
func (c *Cashier) Balances(ctx context.Context) ([]Balance, error) {
	balances, err := c.store.Balances(ctx)
	if err != nil {
		return nil, fmt.Errorf("payment.Balances: %w", err)
	}
	return balances, nil
}

// moved sums what the postings put into an account.
func moved(postings []Posting, account Account) hospital.Fen {
	var sum hospital.Fen
	for _, p := range postings {
		for _, e := range p.Entries {
			if e.Account == account {
				sum += e.Amount
			}
		}
	}
	return sum
}
