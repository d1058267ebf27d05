package histest_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/his/histest"
)

// ward is a hospital with its control surface.
type ward struct {
	*testing.T

	*histest.Hospital
	faults *histest.Faults
	slot   hospital.Slot
}

func newWard(t *testing.T) ward {
	t.Helper()
	morning := time.Date(2026, 11, 23, 7, 30, 0, 0, hospital.CST)
	h, err := histest.NewHospital(histest.Config{Now: func() time.Time { return morning }})
	require.NoError(t, err)
	today := hospital.DateOf(morning)
	schedules, err := h.Schedules(t.Context(), his.ScheduleQuery{From: today, To: today})
	require.NoError(t, err)
	slots, err := h.Slots(t.Context(), schedules[0].ID)
	require.NoError(t, err)
	return ward{t, h, &histest.Faults{}, slots[0]}
}

// asks asks the control surface and returns the status and the answer.
func (w ward) asks(method, target string) (int, string) {
	w.Helper()
	r := httptest.NewRequestWithContext(w.Context(), method, target, http.NoBody)
	r.RemoteAddr, r.Host = "127.0.0.1:50000", "127.0.0.1:80"
	answer := httptest.NewRecorder()
	histest.Control(w.Hospital, w.faults).ServeHTTP(answer, r)
	return answer.Code, answer.Body.String()
}

func TestAnotherProcessActsAsTheHospitalsPeople(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	status, body := w.asks(http.MethodPost, "/_sim/sell?slot="+string(w.slot.ID)+"&patient=P000009&at=kiosk")
	require.Equal(t, http.StatusOK, status, body)
	var sold hospital.Registration
	require.NoError(t, json.Unmarshal([]byte(body), &sold))

	for _, act := range []string{"arrive", "see"} {
		status, body = w.asks(http.MethodPost, "/_sim/"+act+"?his_no="+sold.HISNo)
		require.Equal(t, http.StatusOK, status, body)
	}
	require.Equal(t, hospital.RegistrationFulfilled, w.Everyone()[0].State)

	status, body = w.asks(http.MethodGet, "/_sim/books")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, string(sold.Key))
	status, body = w.asks(http.MethodGet, "/_sim/registrations")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, sold.HISNo)

	status, _ = w.asks(http.MethodPost, "/_sim/suspend?schedule="+string(w.slot.Schedule)+"&reason=ill")
	require.Equal(t, http.StatusOK, status)
	status, body = w.asks(http.MethodPost, "/_sim/sell?slot="+string(w.slot.ID)+"&patient=P000010")
	require.Equal(t, http.StatusConflict, status, "nothing of a closed clinic is sold")
	require.Contains(t, body, "code")

	status, _ = w.asks(http.MethodPost, "/_sim/forget?last=1h")
	require.Equal(t, http.StatusOK, status)
	require.Empty(t, w.Everyone(), "restored from a backup of the night")
}

func TestAnotherProcessSetsTheSwitchesOfTheWire(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	status, _ := w.asks(http.MethodPost, "/_sim/fail?op=Confirm&fault=answer_lost&times=1")
	require.Equal(t, http.StatusOK, status)
	status, _ = w.asks(http.MethodPost, "/_sim/fail?fault=slow&delay=2s")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, map[histest.Op]histest.Switch{
		histest.OpConfirm: {Fault: histest.AnswerLost, Times: 1},
		histest.Any:       {Fault: histest.Slow, Delay: 2 * time.Second},
	}, w.faults.Active())
	status, _ = w.asks(http.MethodPost, "/_sim/heal")
	require.Equal(t, http.StatusOK, status)
	require.Empty(t, w.faults.Active())
}

func TestAControlOrderThatIsWrongIsRefusedByName(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	for target, says := range map[string]string{
		"/_sim/fail?fault=broken":                    "fault: none of that name",
		"/_sim/fail?fault=dead&op=Pay":               "op: no such operation",
		"/_sim/fail?fault=dead&times=-1":             "times: negative",
		"/_sim/fail":                                 "fault is missing",
		"/_sim/heal?all=1":                           "unknown or repeated value",
		"/_sim/see":                                  "his_no is missing",
		"/_sim/suspend":                              "schedule is missing",
		"/_sim/forget?last=yesterday":                "last: want a duration",
		"/_sim/sell?slot=S&patient=P000009&at=phone": "at: want window or kiosk",
	} {
		status, body := w.asks(http.MethodPost, target)
		require.Equal(t, http.StatusBadRequest, status, target)
		require.Contains(t, body, says, target)
	}
	require.Empty(t, w.faults.Active())
	status, _ := w.asks(http.MethodPost, "/_sim/see?his_no=GH0")
	require.Equal(t, http.StatusNotFound, status)
}
