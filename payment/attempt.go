package payment

import (
	"log/slog"
	"strconv"
	"time"

	"github.com/wxhospital/hospital"
)

// TradeNo is 商户订单号, our number of one attempt at the channel
// (out_trade_no): 6 to 32 characters of [0-9A-Za-z_-], unique for ever.
// Source: WeChat Pay API v3, out_trade_no.
type TradeNo string

// Valid reports whether the number has the form its comment promises.
func (n TradeNo) Valid() bool { return hospital.Key(n).Valid() }

// tradeNo derives the number of an order's n-th attempt, n from 1.
func tradeNo(order string, n int) TradeNo {
	return TradeNo(order + "-" + strconv.Itoa(n))
}

// Payer is who pays, in the channel's own words (an openid). It masks itself.
type Payer string

// LogValue hides the payer.
func (p Payer) LogValue() slog.Value {
	if p == "" {
		return slog.StringValue("")
	}
	return slog.StringValue("***")
}

// Attempt is 支付尝试, one try to pay an order: a number at a channel. What is
// said to the channel is fixed before the first word and the same ever after,
// because a repetition with other parameters is refused.
type Attempt struct {
	TradeNo     TradeNo
	Channel     string
	Payer       Payer
	Amount      hospital.Fen
	Description string
	Expires     time.Time
	Request     []byte // the exact bytes that a [Composer] made; nil where the fields above are enough

	State         AttemptState
	Created       time.Time
	Sent          time.Time // when Prepay was last about to be called, wall clock
	Tries         int       // queries since then
	Next          time.Time // when to ask the channel again, zero: no need
	Closing       time.Time // since when it is being closed, zero: it is not
	TransactionID string    // 微信支付单号, the channel's own number of the payment
	PaidAt        time.Time
}

// LogValue shows the attempt without its payer and its request.
func (a Attempt) LogValue() slog.Value {
	return slog.GroupValue(
		slog.String("trade_no", string(a.TradeNo)), slog.String("channel", a.Channel),
		slog.String("state", string(a.State)), slog.Int64("amount_fen", int64(a.Amount)),
	)
}

// AttemptState is where an attempt stands.
type AttemptState string

// The states of an attempt.
const (
	AttemptOpen    AttemptState = "open"    // Prepay was called, or is about to be
	AttemptClosing AttemptState = "closing" // query → close → query, until one of them is definite
	AttemptClosed  AttemptState = "closed"  // the channel takes no money under this number
	AttemptPaid    AttemptState = "paid"    // the channel took the money
)

// attemptEdges are the legal moves of an attempt. A closed one is closed again
// when its Prepay turns out to have arrived after all; and a payment is
// believed whenever it is learnt.
//
//nolint:gochecknoglobals // an immutable table
var attemptEdges = map[AttemptState][]AttemptState{
	AttemptOpen:    {AttemptClosing, AttemptClosed, AttemptPaid},
	AttemptClosing: {AttemptClosed, AttemptPaid},
	AttemptClosed:  {AttemptClosing, AttemptPaid},
	AttemptPaid:    {},
}
