package refserver_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/his/histest"
	"github.com/wxhospital/hospital/internal/sqldb"
)

// TestAPaidBillIsFoundUnderWhatWasPaid and one that went back under 退费: the HIS
// lists only what is owed.
func TestAPaidBillIsFoundUnderWhatWasPaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqldb.SQLite, "", 1)
	p, patient := w.phone("素心"), w.adult(0)
	p.bind(patient)
	order := func(amount hospital.Fen) (his.Bill, screen) {
		b, err := w.hospital.AddBill(histest.NewBill{Patient: patient.ID, Items: []his.BillItem{{Name: "汤药", Quantity: "7", Unit: "剂", Amount: amount}}})
		require.NoError(t, err)
		path := "/bills/" + url.PathEscape(string(b.ID))
		return b, p.post(path+"/pay", url.Values{"version": {b.Quote}, "token": {p.get(path).token(t)}})
	}
	paid, sheet := order(7001)
	require.NotContains(t, p.get("/bills?tab=paid").body, "70.01", "nobody has paid yet")
	p.payOrder(strings.TrimPrefix(sheet.path, w.prefix()))
	w.work(time.Minute, time.Minute)
	require.Contains(t, p.get("/bills?tab=paid").body, "70.01")
	require.NotContains(t, p.get("/bills").body, "70.01")
	require.NotContains(t, p.get("/bills?tab=refunded").body, "70.01")
	detail := p.get("/bills/" + url.PathEscape(string(paid.ID))).body
	require.Contains(t, detail, "已缴费")
	require.Contains(t, detail, "缴费时间")
	require.NotContains(t, detail, "去支付")

	back, sheet := order(2002)
	_, err := w.hospital.Window().Settle(back.ID)
	require.NoError(t, err, "somebody pays at the window meanwhile")
	p.payOrder(strings.TrimPrefix(sheet.path, w.prefix()))
	w.work(6*time.Minute, 2*time.Minute)
	require.Contains(t, p.get("/bills?tab=refunded").body, "20.02")
	require.NotContains(t, p.get("/bills?tab=paid").body, "20.02")
	detail = p.get("/bills/" + url.PathEscape(string(back.ID))).body
	require.Contains(t, detail, "已在窗口缴清")
	require.Contains(t, detail, "已退")

	stranger := w.phone("stranger")
	stranger.bind(w.adult(1))
	require.NotContains(t, stranger.get("/bills?tab=paid").body, "70.01")
}
