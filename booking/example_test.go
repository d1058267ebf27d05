package booking_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/booking/bookingtest"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/his/histest"
)

// A patient books the day after tomorrow and thinks better of it.
func ExampleDesk_Book() {
	ctx := context.Background()
	now := func() time.Time { return time.Date(2026, 11, 23, 7, 30, 0, 0, hospital.CST) }
	his0, err := histest.NewHospital(histest.Config{Now: now}) // your vendor's adapter here
	if err != nil {
		fmt.Println(err)
		return
	}
	sure := his0.System().Assurances
	desk, err := booking.New(booking.Config{
		Store: bookingtest.NewStore(nil), Slots: his0, Now: now, // bookingsql.New keeps what the process does not
		Assurances: booking.Assurances{Hold: sure.Hold, Confirm: sure.Confirm, Cancel: sure.Cancel},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	rules, _ := booking.Preset("wuxi2018")
	version, _ := booking.NewPolicyVersion(rules, "preset", now())
	fmt.Println(desk.Publish(ctx, hospital.System("setup"), version))

	user := hospital.Actor{Kind: hospital.ActorUser, ID: "u1", Entry: hospital.EntryWeChat}
	patient := his0.People()[0]
	fmt.Println(desk.Bind(ctx, booking.BindRequest{Actor: user, User: "u1", Patient: patient.ID}))

	day := hospital.DateOf(now()).AddDays(2)
	schedules, _ := his0.Schedules(ctx, his.ScheduleQuery{From: day, To: day})
	slots, _ := his0.Slots(ctx, schedules[0].ID)
	wish := booking.Wish{Patient: patient.ID, Payer: patient.Payer, Schedule: schedules[0], Slot: slots[0]}
	a, err := desk.Book(ctx, booking.BookRequest{Actor: user, Wish: wish})
	fmt.Println(a.State, a.Date, a.Hold.QueueNo, err)
	_, err = desk.Book(ctx, booking.BookRequest{Actor: user, Wish: wish})
	fmt.Println(errors.Is(err, booking.ErrLimit), hospital.MessageFor(err))
	a, err = desk.Cancel(ctx, booking.CancelRequest{ID: a.ID, Actor: user, Cause: booking.ByPatient})
	fmt.Println(a.State, err)
	// Output:
	// <nil>
	// <nil>
	// booked 2026-11-25 1 <nil>
	// true 该就诊人已经预约了这个时段，请在“我的挂号”中查看。
	// cancelled <nil>
}

func ExampleParsePolicy() {
	fmt.Println(booking.Presets())
	_, err := booking.ParsePolicy([]byte("name: ours\nadvance: {expert: {days: 365, release: \"07:00\"}}\n"))
	fmt.Println(hospital.KindOf(err))
	// Output:
	// [ladder-year prepaid-month wuxi2018]
	// invalid
}

// A shipped policy file is the place to start from.
func ExamplePreset() {
	body, err := booking.Preset("wuxi2018")
	if err != nil {
		fmt.Println(err)
		return
	}
	policy, err := booking.ParsePolicy(body)
	fmt.Println(policy.Name, policy.Advance.Expert.Days, policy.Advance.Expert.Release, err)
	fmt.Println(policy.Pay.Mode(hospital.Advance, hospital.SelfPay), policy.Pay.Mode(hospital.SameDay, hospital.SelfPay))
	// Output:
	// wuxi2018 7 07:00 <nil>
	// after_booking before_confirm
}

// The name of a version holds the instant from which it is in force, so earlier
// rules can return as a version of their own.
func ExampleNewPolicyVersion() {
	body, err := booking.Preset("ladder-year")
	if err != nil {
		fmt.Println(err)
		return
	}
	version, err := booking.NewPolicyVersion(body, "preset", time.Date(2026, 12, 1, 0, 0, 0, 0, hospital.CST))
	fmt.Println(version.Version == "ladder-year@20261201T000000-"+version.Hash[:8], err)
	// Output: true <nil>
}
