package bookingtest_test

import (
	"testing"

	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/booking/bookingtest"
)

func TestMemoryStoreConforms(t *testing.T) {
	t.Parallel()
	bookingtest.ConformStore(t, func(*testing.T) booking.Store { return bookingtest.NewStore(nil) })
}
