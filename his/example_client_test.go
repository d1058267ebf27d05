package his_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/his/histest"
)

// A client of the reference Web Service, here in front of the simulated
// hospital. The answer to the hold is lost, so the key is asked.
func ExampleNewClient() {
	morning := func() time.Time { return time.Date(2026, 11, 23, 7, 30, 0, 0, hospital.CST) }
	simulated, err := histest.NewHospital(histest.Config{Now: morning})
	if err != nil {
		fmt.Println(err)
		return
	}
	faults := &histest.Faults{}
	service, err := histest.NewService(histest.ServiceConfig{System: simulated.System, Faults: faults})
	if err != nil {
		fmt.Println(err)
		return
	}
	server := httptest.NewServer(service)
	defer server.Close()

	client, err := his.NewClient(his.Config{BaseURL: server.URL})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.CloseIdle()
	ctx := context.Background()
	tomorrow := hospital.DateOf(morning()).AddDays(1)
	schedules, err := client.Schedules(ctx, his.ScheduleQuery{From: tomorrow, To: tomorrow})
	if err != nil {
		fmt.Println(err)
		return
	}
	slots, err := client.Slots(ctx, schedules[0].ID)
	if err != nil {
		fmt.Println(err)
		return
	}

	faults.Set(histest.OpHold, histest.Switch{Fault: histest.AnswerLost, Times: 1})
	_, err = client.Hold(ctx, hospital.HoldRequest{
		Key: "apt-000001", Schedule: schedules[0].ID, Slot: slots[0].ID, Patient: "P000001", Kind: hospital.Advance, Entry: hospital.EntryWeChat,
	})
	fmt.Println(errors.Is(err, &hospital.Error{Kind: hospital.Indeterminate}))
	found, err := client.Find(ctx, "apt-000001")
	fmt.Println(found.State, err)
	// Output:
	// true
	// held <nil>
}
