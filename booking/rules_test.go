package booking_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
)

func preset(t *testing.T, name string) booking.Policy {
	t.Helper()
	body, err := booking.Preset(name)
	require.NoError(t, err)
	policy, err := booking.ParsePolicy(body)
	require.NoError(t, err)
	return policy
}

// at is an instant in the week of Monday, 23 November 2026.
func at(t *testing.T, text string) time.Time {
	t.Helper()
	instant, err := time.ParseInLocation("2006-01-02 15:04", text, hospital.CST)
	require.NoError(t, err)
	return instant
}

func wishFor(t *testing.T, start string, expert bool) booking.Wish {
	t.Helper()
	from := at(t, start)
	session := hospital.Morning
	if from.Hour() >= 12 {
		session = hospital.Afternoon
	}
	return booking.Wish{
		Patient: "P1", Payer: hospital.SelfPay,
		Schedule: hospital.Schedule{ID: "S1", Department: "D1", Doctor: "DR1", Date: hospital.DateOf(from), Session: session, Expert: expert},
		Slot:     hospital.Slot{ID: "S1-1", Schedule: "S1", Start: from, End: from.Add(30 * time.Minute)},
	}
}

func TestWhenANumberCanBeBooked(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, policy, now, visit string
		expert                   bool
		code, says               string
	}{
		{"the seventh day's expert opens at seven", "wuxi2018", "2026-11-23 07:00", "2026-11-30 08:00", true, "", ""},
		{"a minute before seven it is closed", "wuxi2018", "2026-11-23 06:59", "2026-11-30 08:00", true, "not_open", "11月23日07:00"},
		{"an ordinary number of the seventh day opens at midnight", "wuxi2018", "2026-11-23 00:00", "2026-11-30 08:00", false, "", ""},
		{"the eighth day opens tomorrow", "wuxi2018", "2026-11-23 12:00", "2026-12-01 08:00", true, "not_open", "11月24日07:00"},
		{"the sixth day is open before seven", "wuxi2018", "2026-11-23 05:00", "2026-11-29 08:00", true, "", ""},
		{"tomorrow is open until midnight", "wuxi2018", "2026-11-23 23:59", "2026-11-24 08:00", true, "", ""},
		{"yesterday is over", "wuxi2018", "2026-11-23 08:00", "2026-11-22 08:00", true, "booking_closed", "已过"},
		{"tomorrow closes at five", "prepaid-month", "2026-11-23 17:00", "2026-11-24 08:00", true, "booking_closed", "17:00"},
		{"the day after tomorrow does not", "prepaid-month", "2026-11-23 17:00", "2026-11-25 08:00", true, "", ""},
		{"a same-day number in working hours", "wuxi2018", "2026-11-23 09:10", "2026-11-23 09:00", true, "", ""},
		{"not before the working day", "wuxi2018", "2026-11-23 06:59", "2026-11-23 08:00", true, "not_open", "07:00"},
		{"not when its segment is over", "wuxi2018", "2026-11-23 08:30", "2026-11-23 08:00", true, "booking_closed", "急诊"},
		{"not half an hour before the session ends", "wuxi2018", "2026-11-23 11:30", "2026-11-23 11:30", true, "booking_closed", "截止"},
		{"no same-day numbers online", "ladder-year", "2026-11-23 09:10", "2026-11-23 10:00", true, "not_open", "窗口"},
	} {
		t.Run(row.policy+": "+row.name, func(t *testing.T) {
			t.Parallel()
			policy := preset(t, row.policy)
			err := policy.AllowTime(wishFor(t, row.visit, row.expert), at(t, row.now))
			if row.code == "" {
				require.NoError(t, err)
				return
			}
			require.Equal(t, row.code, hospital.CodeOf(err))
			require.Contains(t, hospital.MessageFor(err), row.says)
		})
	}
}

func TestASuspendedScheduleIsRefusedWhateverTheHour(t *testing.T) {
	t.Parallel()
	policy, wish := preset(t, "wuxi2018"), wishFor(t, "2026-11-25 08:00", true)
	wish.Schedule.Suspended = true
	require.ErrorIs(t, policy.AllowTime(wish, at(t, "2026-11-23 09:00")), booking.ErrSuspended)
}

func TestHowManyNumbersAPatientMayHold(t *testing.T) {
	t.Parallel()
	wish := wishFor(t, "2026-11-25 08:00", true)
	visit := func(day string, department hospital.DepartmentID, doctor hospital.DoctorID, slot hospital.SlotID) booking.Visit {
		return booking.Visit{Date: hospital.DateOf(at(t, day+" 08:00")), Department: department, Doctor: doctor, Slot: slot}
	}
	for _, row := range []struct {
		name string
		live []booking.Visit
		says string
	}{
		{"nothing yet", nil, ""},
		{"another day does not count", []booking.Visit{visit("2026-11-26", "D1", "DR1", "X")}, ""},
		{"another department is the second of two", []booking.Visit{visit("2026-11-25", "D2", "DR2", "X")}, ""},
		{"the same slot twice", []booking.Visit{visit("2026-11-25", "D1", "DR1", "S1-1")}, "已经预约了这个时段"},
		{"the same doctor", []booking.Visit{visit("2026-11-25", "D1", "DR1", "X")}, "同一位医生"},
		{"the same department", []booking.Visit{visit("2026-11-25", "D1", "DR9", "X")}, "同一科室"},
		{"two a day", []booking.Visit{visit("2026-11-25", "D2", "DR2", "X"), visit("2026-11-25", "D3", "DR3", "Y")}, "同一天最多挂2个号"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			policy := preset(t, "wuxi2018")
			err := policy.Allow(wish, at(t, "2026-11-23 09:00"), true, booking.History{Bound: true, Live: row.live})
			if row.says == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, booking.ErrLimit)
			require.Contains(t, hospital.MessageFor(err), row.says)
		})
	}
}

func TestHowLongNoShowsLock(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, policy string
		strikes      []string
		now          string
		unlocked     string
		locked       bool
		until        string
	}{
		{"two do not lock", "wuxi2018", []string{"2026-01-05", "2026-02-05"}, "2026-11-23 09:00", "", false, ""},
		{"three lock until the hospital unlocks", "wuxi2018", []string{"2024-01-05", "2025-02-05", "2026-02-05"}, "2026-11-23 09:00", "", true, ""},
		{"unlocked", "wuxi2018", []string{"2024-01-05", "2025-02-05", "2026-02-05"}, "2026-11-23 09:00", "2026-03-01 10:00", false, ""},
		{"one more after the unlock", "wuxi2018", []string{"2024-01-05", "2025-02-05", "2026-02-05", "2026-04-01"}, "2026-11-23 09:00", "2026-03-01 10:00", false, ""},
		{"the first rung is thirty days", "ladder-year", []string{"2026-11-01"}, "2026-11-23 09:00", "", true, "2026-12-01 00:00"},
		{"and ends", "ladder-year", []string{"2026-11-01"}, "2026-12-01 00:00", "", false, ""},
		{"the second rung is sixty", "ladder-year", []string{"2026-06-01", "2026-11-01"}, "2026-12-30 09:00", "", true, "2026-12-31 00:00"},
		{"the third rung is ninety, over the turn of the year", "ladder-year", []string{"2026-06-01", "2026-08-01", "2026-12-20"}, "2027-01-10 09:00", "", true, "2027-03-20 00:00"},
		{"last year's strikes are another ladder", "ladder-year", []string{"2025-12-01", "2026-11-01"}, "2026-11-23 09:00", "", true, "2026-12-01 00:00"},
		{"a further no-show in the new year does not shorten the lock", "ladder-year", []string{"2026-06-01", "2026-08-01", "2026-12-30", "2027-01-03"}, "2027-02-10 09:00", "", true, "2027-03-30 00:00"},
		{"three in a month do not lock", "prepaid-month", []string{"2026-11-02", "2026-11-03", "2026-11-04"}, "2026-11-23 09:00", "", false, ""},
		{"four lock for the rest of the month", "prepaid-month", []string{"2026-11-02", "2026-11-03", "2026-11-04", "2026-11-05"}, "2026-11-23 09:00", "", true, "2026-12-01 00:00"},
		{"and not longer", "prepaid-month", []string{"2026-11-02", "2026-11-03", "2026-11-04", "2026-11-05"}, "2026-12-01 00:00", "", false, ""},
	} {
		t.Run(row.policy+": "+row.name, func(t *testing.T) {
			t.Parallel()
			policy := preset(t, row.policy)
			var history booking.History
			for _, day := range row.strikes {
				history.Strikes = append(history.Strikes, booking.Strike{Date: hospital.DateOf(at(t, day+" 08:00")), At: at(t, day+" 22:00")})
			}
			if row.unlocked != "" {
				history.Unlocked = at(t, row.unlocked)
			}
			lock, locked := policy.Lockout(at(t, row.now), history)
			require.Equal(t, row.locked, locked)
			if row.until != "" {
				require.True(t, lock.Until.Equal(at(t, row.until)), "%v", lock.Until)
			}
		})
	}
}

func TestUntilWhenAPatientMayCancel(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, policy string
		kind         hospital.VisitKind
		visit, now   string
		allowed      bool
	}{
		{"the day before, at the last minute", "wuxi2018", hospital.Advance, "2026-11-25", "2026-11-24 23:59", true},
		{"not on the day", "wuxi2018", hospital.Advance, "2026-11-25", "2026-11-25 00:00", false},
		{"a same-day number at any time before the visit", "wuxi2018", hospital.SameDay, "2026-11-25", "2026-11-25 08:29", true},
		{"not when its time is over", "wuxi2018", hospital.SameDay, "2026-11-25", "2026-11-25 08:30", false},
		{"the day before until five", "prepaid-month", hospital.Advance, "2026-11-25", "2026-11-24 16:59", true},
		{"not after five", "prepaid-month", hospital.Advance, "2026-11-25", "2026-11-24 17:00", false},
		{"a same-day number never", "prepaid-month", hospital.SameDay, "2026-11-25", "2026-11-25 08:00", false},
		{"Monday's visit until Friday at four", "ladder-year", hospital.Advance, "2026-11-30", "2026-11-27 15:59", true},
		{"not on Saturday", "ladder-year", hospital.Advance, "2026-11-30", "2026-11-28 09:00", false},
	} {
		t.Run(row.policy+": "+row.name, func(t *testing.T) {
			t.Parallel()
			policy := preset(t, row.policy)
			a := booking.Appointment{Kind: row.kind, Date: hospital.DateOf(at(t, row.visit+" 08:00")), End: at(t, row.visit+" 08:30")}
			err := policy.AllowCancel(a, at(t, row.now))
			if row.allowed {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, booking.ErrTooLate)
			require.NotEmpty(t, hospital.MessageFor(err))
		})
	}
}

func TestAUserHoldsAtMostFourPatients(t *testing.T) {
	t.Parallel()
	policy := preset(t, "wuxi2018")
	require.NoError(t, policy.AllowBind("u1", "", 3, false))
	require.ErrorIs(t, policy.AllowBind("u1", "", 4, false), booking.ErrBindingFull)
	require.ErrorIs(t, policy.AllowBind("u1", "u2", 4, true), booking.ErrBindingFull)
	require.NoError(t, policy.AllowBind("u1", "u1", 4, false), "the one already held")
	require.ErrorIs(t, policy.AllowBind("u1", "u2", 0, false), booking.ErrHeldByAnother)
	require.NoError(t, policy.AllowBind("u1", "u2", 0, true))
}

func TestABadPolicyIsNamedByItsField(t *testing.T) {
	t.Parallel()
	good, err := booking.Preset("wuxi2018")
	require.NoError(t, err)
	for _, row := range []struct{ name, from, to, says string }{
		{"an unknown field", "same_day:", "sameday:", "sameday"},
		{"a window of a year", "expert: {days: 7", "expert: {days: 365", "advance.expert.days"},
		{"an hour that does not exist", `release: "07:00"`, `release: "25:00"`, "07:00"},
		{"a float where a number belongs", "hold_minutes: 15", "hold_minutes: 15.5", "line"},
		{"an unknown way to pay", "insured: desk}\n  same_day", "insured: credit}\n  same_day", "pay.advance.insured"},
		{"a step that does not say how long", "until_unlocked: true", "days: 0", "no_show.steps[0]"},
		{"an unknown way to count", "counting: ever", "counting: never", "no_show.counting"},
		{"nobody may hold a patient", "patients_per_user: 4", "patients_per_user: 0", "binding.patients_per_user"},
		{"two documents", "binding:", "---\nbinding:", "more than one document"},
		{"no hour at which tomorrow closes", "  closes: \"24:00\"\n", "", "advance.closes"},
		{"a lockout of nobody", "  scope: [advance, same_day]\n", "", "no_show.scope"},
		{"a lockout of no kind", "scope: [advance, same_day]", "scope: []", "no_show.scope"},
		{"a name with spaces", "name: wuxi2018", "name: wu xi", "name"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			body := []byte(replaced(t, string(good), row.from, row.to))
			_, err := booking.ParsePolicy(body)
			require.Equal(t, hospital.Invalid, hospital.KindOf(err))
			require.ErrorContains(t, err, row.says)
		})
	}
	_, err = booking.ParsePolicy(make([]byte, 65<<10))
	require.Equal(t, hospital.Invalid, hospital.KindOf(err))
}

func TestAnAppointmentIsNeverJudgedByANewerPolicy(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	a, err := c.book(c.wish(2))
	require.NoError(t, err)
	body, err := booking.Preset("prepaid-month")
	require.NoError(t, err)
	version, err := booking.NewPolicyVersion(body, "preset", c.Now())
	require.NoError(t, err)
	require.NoError(t, c.desk.Publish(t.Context(), hospital.System("setup"), version))
	c.restart()
	c.pass(15*time.Hour + 30*time.Minute) // 23:00: too late under the new policy, in time under the old
	next, err := c.desk.Book(t.Context(), booking.BookRequest{Actor: c.actor(), Wish: c.wish(3)})
	require.NoError(t, err)
	require.Equal(t, version.Version, next.Policy)
	require.Equal(t, booking.Held, next.State, "the new policy takes the fee first")
	c.pass(9 * time.Hour) // the day before the visit, 08:00
	c.pass(11 * time.Hour)
	_, err = c.cancel(a)
	require.NoError(t, err, "19:00 of the day before")
	require.Equal(t, "wuxi2018", c.find(a.ID).Policy[:8])
}
