package histest_test

import (
	"context"
	"fmt"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/his/histest"
)

// A hospital opens, a patient holds a number and pays for it, and the fee stands
// in the settlement list beside a sale at the window.
func ExampleHospital() {
	ctx := context.Background()
	opening := time.Date(2026, 11, 23, 7, 30, 0, 0, hospital.CST)
	h, err := histest.NewHospital(histest.Config{Now: func() time.Time { return opening }})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = h.Close() }()
	system := h.System()

	tomorrow := hospital.DateOf(opening).AddDays(1)
	schedules, err := system.Scheduling.Schedules(ctx, his.ScheduleQuery{From: tomorrow, To: tomorrow, Department: "D106"})
	if err != nil {
		fmt.Println(err)
		return
	}
	slots, err := system.Scheduling.Slots(ctx, schedules[0].ID)
	if err != nil {
		fmt.Println(err)
		return
	}
	hold, err := system.Registrar.Hold(ctx, hospital.HoldRequest{
		Key: "appt-0001", Schedule: schedules[0].ID, Slot: slots[0].ID, Patient: "P000001",
		Kind: hospital.Advance, Entry: hospital.EntryWeChat, Opaque: slots[0].Opaque,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("held number", hold.QueueNo, "for", hold.Fee, "until", hold.Expires.Format("15:04"))

	registration, err := system.Registrar.Confirm(ctx, hospital.ConfirmRequest{
		Key: "appt-0001", Patient: "P000001", Hold: hold, Paid: hold.Fee, Receipt: "ord-0001",
		Channel: "wechatpay", TradeNo: "4200001", PaidAt: opening,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(registration.State, "paid", registration.Paid)
	if _, err := h.Window().Sell(slots[0].ID, "P000009"); err != nil {
		fmt.Println(err)
		return
	}

	rows, err := system.Settlements.Settlements(ctx, hospital.DateOf(opening))
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, row := range rows {
		fmt.Printf("%s %s %s %q\n", row.Entry, row.Channel, row.Amount.Yuan(), row.Key)
	}
	// Output:
	// held number 1 for 12.05元 until 07:45
	// registered paid 12.05元
	// wechat wechatpay 12.05 "appt-0001"
	// window cash 12.05 ""
}

// A line loses the answer to a hold. The caller cannot know what happened, asks
// by the key, and learns it.
func ExampleLine() {
	ctx := context.Background()
	h, err := histest.NewHospital(histest.Config{Now: func() time.Time { return time.Date(2026, 11, 23, 7, 30, 0, 0, hospital.CST) }})
	if err != nil {
		fmt.Println(err)
		return
	}
	line := histest.NewLine(h.System())
	system := line.System()
	line.LoseAnswers(histest.OpHold, 1)

	_, err = system.Registrar.Hold(ctx, hospital.HoldRequest{
		Key: "appt-0001", Slot: "20261123-D106-PT-A.1", Patient: "P000001", Kind: hospital.SameDay, Entry: hospital.EntryWeChat,
	})
	fmt.Println(hospital.KindOf(err))
	found, err := system.Registrar.Find(ctx, "appt-0001")
	fmt.Println(found.State, err)
	// Output:
	// indeterminate
	// held <nil>
}

// Play runs one story in hospital words.
func ExamplePlay() {
	story := `
title: 窗口先卖了一个号
people: {老吴: P000010, 陈素心: P000001}
clinic: {expert: true, day: 1}
steps:
  - window_sells: {as: 窗口, for: 老吴}
  - hold: {as: 我们, for: 陈素心}
    expect: {number: 1}
`
	fmt.Println(histest.Play(context.Background(), "story.yaml", []byte(story), histest.Direct))
	// Output:
	// story.yaml:7: hold: number is 2, want 1
}
