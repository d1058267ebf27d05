package refserver

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/refserver/internal/page"
)

// owed finds an order among those of the user's patients; a stranger's and none
// answer alike.
func (v *visit) owed() (payment.Order, error) {
	key := hospital.Key(v.r.PathValue("order"))
	if !key.Valid() {
		return payment.Order{}, absent()
	}
	order, err := v.s.cashier.Find(v.r.Context(), key)
	if err != nil {
		if errors.Is(err, payment.ErrNotFound) {
			return order, absent()
		}
		return order, err
	}
	scope, err := v.open(order.Charge.Patient)
	if err != nil {
		return payment.Order{}, err
	}
	_, err = scope.Use(v.r.Context(), hospital.Access{Purpose: "payment", Action: "order.read", Object: order.ID})
	return order, err
}

// backOf is the page of what an order pays.
func (v *visit) backOf(order payment.Order) string {
	if order.Charge.Purpose.Kind == hospital.ForRegistration {
		return v.s.links.Appointment(order.Charge.Purpose.ID)
	}
	return v.s.links.Bill(order.Charge.Purpose.ID)
}

func (v *visit) pay() error {
	order, err := v.owed()
	if err != nil {
		return err
	}
	if !order.State.Open() {
		return v.redirect(v.s.links.PayResult(string(order.Charge.Key)))
	}
	return v.render(page.Pay{
		Order: string(order.Charge.Key), Title: order.Charge.Description, Patient: v.s.maskedName(v, order.Charge.Patient), Amount: order.Charge.Amount,
		Deadline: order.Charge.Expires, Back: v.backOf(order),
	})
}

// prepay answers the pay page's script with what WeixinJSBridge wants. Asking
// again is the same payment. A form without the script comes back to the page.
func (v *visit) prepay() error {
	order, err := v.owed()
	if err != nil {
		return err
	}
	if !strings.Contains(v.r.Header.Get("Accept"), "application/json") {
		return v.redirect(v.s.links.Pay(string(order.Charge.Key)))
	}
	openID, err := v.s.accounts.OpenID(v.r.Context(), v.session.User)
	if err != nil {
		return err
	}
	sheet, err := v.s.cashier.Pay(context.WithoutCancel(v.r.Context()), payment.PayRequest{
		Charge: order.Charge.Key, Channel: channel, Payer: payment.Payer(openID), Actor: v.actor(),
	})
	result := v.s.links.PayResult(string(order.Charge.Key))
	switch {
	case errors.Is(err, payment.ErrPaid), errors.Is(err, payment.ErrClosed), errors.Is(err, payment.ErrExpired):
		return v.answerJSON(http.StatusConflict, page.PaySheet{Message: hospital.MessageFor(err), Result: result})
	case err != nil:
		v.s.config.Logger.WarnContext(v.r.Context(), "no pay sheet", "error", err)
		return v.answerJSON(http.StatusServiceUnavailable, page.PaySheet{Message: hospital.MessageFor(err)})
	}
	return v.answerJSON(http.StatusOK, page.PaySheet{
		AppID: sheet.Params["appId"], TimeStamp: sheet.Params["timeStamp"], NonceStr: sheet.Params["nonceStr"], Package: sheet.Params["package"],
		SignType: sheet.Params["signType"], PaySign: sheet.Params["paySign"],
	})
}

func (v *visit) answerJSON(status int, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	v.w.Header().Set("Content-Type", "application/json")
	v.w.WriteHeader(status)
	_, _ = v.w.Write(body) // the reader went away: nobody is left to tell
	return nil
}

// payProgress is how far a payment is for its payer.
func payProgress(order payment.Order) page.PayState {
	switch order.State {
	case payment.Delivered:
		return page.PayPaid
	case payment.Closed:
		return page.PayClosed
	case payment.RefundDue, payment.Refunding:
		return page.PayRefunding
	case payment.Refunded:
		return page.PayRefunded
	case payment.Manual:
		return page.PayManual
	case payment.Quoted:
		return page.PayFailed // nobody was given a sheet
	case payment.Payable, payment.Closing, payment.Paid, payment.Delivering, payment.Withdrawing:
	}
	return page.PayChecking
}

func (v *visit) payResult() error {
	order, err := v.owed()
	if err != nil {
		return err
	}
	return v.render(page.PayResult{
		Order: string(order.Charge.Key), State: payProgress(order), Title: order.Charge.Description, Amount: order.Charge.Amount, Back: v.backOf(order),
		Bill: order.Charge.Purpose.Kind == hospital.ForBill,
	})
}

func (v *visit) payState() error {
	order, err := v.owed()
	if err != nil {
		return err
	}
	return v.answerJSON(http.StatusOK, page.PayPoll{State: payProgress(order)})
}
