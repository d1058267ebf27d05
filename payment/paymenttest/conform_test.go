package paymenttest_test

import (
	"testing"
	"time"

	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/payment/paymenttest"
)

func TestMemoryConforms(t *testing.T) {
	t.Parallel()
	paymenttest.ConformStore(t, func(*testing.T) payment.Store { return paymenttest.NewMemory(nil) })
}

func TestTillConforms(t *testing.T) {
	t.Parallel()
	paymenttest.ConformChannel(t, func(*testing.T) paymenttest.Subject {
		till := paymenttest.NewTill("till", nil, nil)
		return paymenttest.Subject{Channel: till, Name: "till", Payer: "payer-1", Pay: till.Pay, Expires: time.Now().Add(time.Hour)}
	})
}
