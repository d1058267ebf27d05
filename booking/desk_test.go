package booking_test

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/booking/bookingtest"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/his/histest"
)

// clinic is a desk before a simulated hospital, on a clock of its own.
type clinic struct {
	*testing.T

	mu   sync.Mutex
	now  time.Time
	wall time.Time

	his     *histest.Hospital
	line    *histest.Line
	cashier *bookingtest.Cashier
	store   *bookingtest.Store
	desk    *booking.Desk
	patient hospital.Patient
	edit    func(*booking.Config)
}

// morning is a Monday, half past seven.
var morning = time.Date(2026, 11, 23, 7, 30, 0, 0, hospital.CST)

func newClinic(t *testing.T, edit func(*booking.Config)) *clinic {
	t.Helper()
	c := &clinic{T: t, now: morning, wall: morning, cashier: bookingtest.NewCashier(), edit: edit}
	var err error
	c.his, err = histest.NewHospital(histest.Config{Now: c.Now})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.his.Close()) })
	c.line = histest.NewLine(c.his.System())
	c.store = bookingtest.NewStore(c.Wall)
	c.restart()
	body, err := booking.Preset("wuxi2018")
	require.NoError(t, err)
	version, err := booking.NewPolicyVersion(body, "preset", morning.Add(-time.Hour))
	require.NoError(t, err)
	require.NoError(t, c.desk.Publish(t.Context(), hospital.System("setup"), version))
	c.patient = c.person(func(p hospital.Patient) bool { return p.Payer == hospital.SelfPay })
	c.bind(c.patient)
	return c
}

// restart is a new process on the same store: what the old one held in memory
// is gone and its leases have run out.
func (c *clinic) restart() {
	c.mu.Lock()
	c.wall = c.wall.Add(time.Hour)
	c.mu.Unlock()
	system := c.line.System()
	config := booking.Config{
		Store: c.store, Slots: system.Registrar, Cashier: c.cashier, Stops: system.Scheduling, Now: c.Now, Wall: c.Wall,
		Assurances: booking.Assurances{
			Hold: system.Assurances.Hold, Confirm: system.Assurances.Confirm, Cancel: system.Assurances.Cancel,
		},
		Workers: 1,
	}
	if c.edit != nil {
		c.edit(&config)
	}
	var err error
	c.desk, err = booking.New(config)
	require.NoError(c, err)
}

func (c *clinic) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clinic) Wall() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.wall
}

// pass lets time go by and the desk do what is due.
func (c *clinic) pass(d time.Duration) {
	c.Helper()
	c.leap(d, d)
	c.advance()
}

// leap moves the clocks alone.
func (c *clinic) leap(business, wall time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now, c.wall = c.now.Add(business), c.wall.Add(wall)
}

func (c *clinic) advance() {
	c.Helper()
	for range 5 {
		_, err := c.desk.Advance(c.Context())
		require.NoError(c, err)
	}
}

func (c *clinic) person(fits func(hospital.Patient) bool) hospital.Patient {
	c.Helper()
	all := c.his.People()
	i := slices.IndexFunc(all, fits)
	require.GreaterOrEqual(c, i, 0)
	return all[i]
}

func (c *clinic) actor() hospital.Actor {
	return hospital.Actor{Kind: hospital.ActorUser, ID: "u1", Entry: hospital.EntryWeChat}
}

func (c *clinic) bind(p hospital.Patient) {
	c.Helper()
	require.NoError(c, c.desk.Bind(c.Context(), booking.BindRequest{Actor: c.actor(), User: "u1", Patient: p.ID}))
}

// wish is the first slot with a number of an expert, so many days ahead or on
// the next day on which one works.
func (c *clinic) wish(daysAhead int) booking.Wish {
	c.Helper()
	day := hospital.DateOf(c.Now()).AddDays(daysAhead)
	schedules, err := c.his.Schedules(c.Context(), his.ScheduleQuery{From: day, To: day.AddDays(2)})
	require.NoError(c, err)
	for _, schedule := range schedules {
		if !schedule.Expert || schedule.Suspended {
			continue
		}
		slots, err := c.his.Slots(c.Context(), schedule.ID)
		require.NoError(c, err)
		for _, slot := range slots {
			if slot.Left > 0 && slot.End.After(c.Now()) {
				return booking.Wish{Patient: c.patient.ID, Payer: c.patient.Payer, Schedule: schedule, Slot: slot}
			}
		}
	}
	require.FailNow(c, "no expert number")
	return booking.Wish{}
}

func (c *clinic) book(wish booking.Wish) (booking.Appointment, error) {
	return c.desk.Book(c.Context(), booking.BookRequest{Actor: c.actor(), Wish: wish})
}

func (c *clinic) find(id string) booking.Appointment {
	c.Helper()
	a, err := c.store.Find(c.Context(), id)
	require.NoError(c, err)
	return a
}

// pay pays the charge and delivers until the desk is definite, giving the money
// back on a refusal, as payment does.
func (c *clinic) pay(a booking.Appointment) error {
	c.Helper()
	delivery, ok := c.cashier.Pay(a.ChargeKey())
	require.True(c, ok, "the charge cannot be paid")
	return c.deliver(delivery)
}

func (c *clinic) deliver(delivery hospital.Delivery) error {
	err := c.desk.Deliver(c.Context(), delivery)
	if err != nil && hospital.KindOf(err) == hospital.Rejected {
		c.cashier.GiveBack(delivery.Key)
	}
	return err
}

func (c *clinic) cancel(a booking.Appointment) (booking.Appointment, error) {
	return c.desk.Cancel(c.Context(), booking.CancelRequest{ID: a.ID, Actor: c.actor(), Cause: booking.ByPatient})
}

func (c *clinic) registered(a booking.Appointment) hospital.Registration {
	c.Helper()
	registration, err := c.his.Find(c.Context(), a.Key())
	require.NoError(c, err)
	return registration
}

func (c *clinic) events() []string {
	var kinds []string
	for _, event := range c.store.Events() {
		kinds = append(kinds, event.Kind)
	}
	return kinds
}

func TestAnAdvanceAppointmentIsFirmAndPaidLater(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	a, err := c.book(c.wish(2))
	require.NoError(t, err)
	require.Equal(t, booking.Booked, a.State)
	require.Equal(t, hospital.RegistrationRegistered, c.registered(a).State)
	require.NotZero(t, a.Hold.QueueNo)

	require.NoError(t, c.pay(a))
	require.True(t, c.find(a.ID).PaidAtHIS)
	require.Equal(t, a.Hold.Fee, c.registered(a).Paid)

	a, err = c.cancel(a)
	require.NoError(t, err)
	require.Equal(t, booking.Cancelled, a.State)
	require.Equal(t, hospital.RegistrationCancelled, c.registered(a).State)
	require.Equal(t, []hospital.Key{a.ChargeKey()}, c.cashier.Refunds())
	require.Zero(t, c.his.Total())
	require.Equal(t, []string{"patient.bound", "appt.booked", "appt.pay_due", "appt.cancelled"}, c.events())
}

func TestASameDayNumberIsHeldUntilItIsPaid(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	a, err := c.book(c.wish(0))
	require.NoError(t, err)
	require.Equal(t, booking.Held, a.State)
	require.Equal(t, hospital.RegistrationHeld, c.registered(a).State)
	require.NoError(t, c.pay(a))
	require.Equal(t, booking.Booked, c.find(a.ID).State)
	require.Equal(t, hospital.RegistrationRegistered, c.registered(a).State)
}

func TestAnUnpaidNumberGoesBackAndALatePaymentIsRefunded(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	a, err := c.book(c.wish(0))
	require.NoError(t, err)
	late, ok := c.cashier.Pay(a.ChargeKey()) // paid, but the notice is on its way
	require.True(t, ok)
	c.pass(16 * time.Minute)
	require.Equal(t, booking.Expired, c.find(a.ID).State)
	err = c.deliver(late)
	require.Equal(t, hospital.Rejected, hospital.KindOf(err))
	require.Equal(t, []hospital.Key{a.ChargeKey()}, c.cashier.Refunds(), "once, although two asked for it")
	require.Equal(t, hospital.RegistrationCancelled, c.registered(a).State)
}

func TestInsuredPatientsPayAtTheDesk(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	c.patient = c.person(func(p hospital.Patient) bool { return p.Payer == hospital.Insured })
	c.bind(c.patient)
	a, err := c.book(c.wish(0))
	require.NoError(t, err)
	require.Equal(t, booking.Booked, a.State)
	_, opened := c.cashier.Charge(a.ChargeKey())
	require.False(t, opened)
}

func TestEveryLostAnswerIsFoundOut(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(*histest.Line, histest.Op){
		"the answer":  func(l *histest.Line, op histest.Op) { l.LoseAnswers(op, 1) },
		"the request": func(l *histest.Line, op histest.Op) { l.LoseRequests(op, 1) },
	} {
		for _, op := range []histest.Op{histest.OpHold, histest.OpConfirm} {
			t.Run(string(op)+" loses "+name, func(t *testing.T) {
				t.Parallel()
				c := newClinic(t, nil)
				lose(c.line, op)
				a, err := c.book(c.wish(2))
				require.Equal(t, hospital.Indeterminate, hospital.KindOf(err), "%v", err)
				require.NotEmpty(t, hospital.MessageFor(err))
				c.restart()
				for range 4 {
					c.pass(10 * time.Second)
				}
				require.Equal(t, booking.Booked, c.find(a.ID).State)
				require.Equal(t, hospital.RegistrationRegistered, c.registered(a).State)
			})
		}
		t.Run("Cancel loses "+name, func(t *testing.T) {
			t.Parallel()
			c := newClinic(t, nil)
			a, err := c.book(c.wish(2))
			require.NoError(t, err)
			require.NoError(t, c.pay(a))
			lose(c.line, histest.OpCancel)
			_, err = c.cancel(a)
			require.Equal(t, hospital.Indeterminate, hospital.KindOf(err))
			require.Empty(t, c.cashier.Refunds(), "no money moves while the HIS may still have the registration")
			c.pass(10 * time.Second)
			require.Equal(t, booking.Cancelled, c.find(a.ID).State)
			require.Equal(t, []hospital.Key{a.ChargeKey()}, c.cashier.Refunds())
		})
		t.Run("a payment's Confirm loses "+name, func(t *testing.T) {
			t.Parallel()
			c := newClinic(t, nil)
			a, err := c.book(c.wish(2))
			require.NoError(t, err)
			lose(c.line, histest.OpConfirm)
			delivery, _ := c.cashier.Pay(a.ChargeKey())
			require.Equal(t, hospital.Indeterminate, hospital.KindOf(c.deliver(delivery)))
			c.restart()
			c.pass(10 * time.Second)
			require.NoError(t, c.deliver(delivery))
			require.Equal(t, a.Hold.Fee, c.registered(a).Paid)
			require.Equal(t, a.Hold.Fee, c.his.Total())
		})
	}
}

func TestADelayedHoldCannotComeBackAfterTheNumberWasGivenUp(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	wish := c.wish(2)
	c.line.DelayRequests(histest.OpHold, 1)
	a, err := c.book(wish)
	require.Equal(t, hospital.Indeterminate, hospital.KindOf(err))
	c.pass(11 * time.Minute)
	require.Equal(t, booking.Refused, c.find(a.ID).State)
	c.line.Deliver(t.Context())
	counts, err := c.his.SlotCounts(wish.Slot.ID)
	require.NoError(t, err)
	require.Zero(t, counts.Sold)
}

func TestAnAdapterThatCannotBeAskedGoesToAPerson(t *testing.T) {
	t.Parallel()
	c := newClinic(t, func(config *booking.Config) { config.Assurances = booking.Assurances{} })
	c.line.LoseAnswers(histest.OpHold, 1)
	a, err := c.book(c.wish(2))
	require.Equal(t, hospital.Indeterminate, hospital.KindOf(err))
	c.pass(time.Minute)
	require.Equal(t, booking.Manual, c.find(a.ID).State)
	require.Equal(t, 1, c.line.Calls(histest.OpHold), "never again blindly")
	staff := hospital.Actor{Kind: hospital.ActorStaff, ID: "s1", Entry: hospital.EntryWindow}
	_, err = c.desk.Resolve(t.Context(), c.actor(), a.ID, booking.Cancelling, "asked the HIS")
	require.Equal(t, hospital.Denied, hospital.KindOf(err))
	a, err = c.desk.Resolve(t.Context(), staff, a.ID, booking.Cancelling, "asked the HIS")
	require.NoError(t, err)
	require.Equal(t, booking.Cancelled, a.State, "a person has looked, so the HIS is told once more")
	require.Equal(t, hospital.RegistrationCancelled, c.registered(a).State)
}

func TestAFeeThatMayBeBookedIsNotGivenBackUnasked(t *testing.T) {
	t.Parallel()
	c := newClinic(t, func(config *booking.Config) {
		config.Assurances.Confirm = hospital.Assurance{Idempotent: true}
	})
	a, err := c.book(c.wish(2))
	require.NoError(t, err)
	delivery, _ := c.cashier.Pay(a.ChargeKey())
	c.line.LoseAnswers(histest.OpConfirm, 1)
	require.Equal(t, hospital.Indeterminate, hospital.KindOf(c.deliver(delivery)))
	require.Equal(t, hospital.Indeterminate, hospital.KindOf(c.desk.Withdraw(t.Context(), a.ChargeKey())), "the call may be under way")
	require.Equal(t, 1, c.line.Calls(histest.OpConfirm)-1, "so a repetition would tell nothing")
	c.leap(0, 10*time.Second)
	require.Equal(t, hospital.Conflict, hospital.KindOf(c.desk.Withdraw(t.Context(), a.ChargeKey())), "the call itself tells: it is booked")
	require.Equal(t, a.Hold.Fee, c.registered(a).Paid)
}

func TestStaffCannotInventAPayment(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	a, err := c.book(c.wish(2))
	require.NoError(t, err)
	delivery, _ := c.cashier.Pay(a.ChargeKey())
	c.line.LoseRequests(histest.OpConfirm, 1)
	require.Error(t, c.deliver(delivery))
	c.line.Cut(true)
	c.pass(13 * time.Hour)
	require.Equal(t, booking.Manual, c.find(a.ID).State)
	staff := hospital.Actor{Kind: hospital.ActorStaff, ID: "s1", Entry: hospital.EntryWindow}
	_, err = c.desk.Resolve(t.Context(), staff, a.ID, booking.Booked, "asked the HIS")
	require.Equal(t, hospital.Indeterminate, hospital.KindOf(err), "a silent HIS says nothing about the fee")
	c.line.Cut(false)
	a, err = c.desk.Resolve(t.Context(), staff, a.ID, booking.Booked, "asked the HIS")
	require.NoError(t, err)
	require.False(t, a.PaidAtHIS)
	require.NoError(t, c.deliver(delivery), "it is told again")
	require.Equal(t, a.Hold.Fee, c.registered(a).Paid)
}

func TestAPageThatIsClosedLosesNothing(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	ctx, closed := context.WithCancel(t.Context())
	c.edit = func(config *booking.Config) {
		config.Slots = &slowSlots{Slots: config.Slots, during: closed}
		config.Store = strictStore{config.Store}
	}
	c.restart()
	a, err := c.desk.Book(ctx, booking.BookRequest{Actor: c.actor(), Wish: c.wish(2)})
	require.NoError(t, err)
	require.Equal(t, booking.Booked, a.State)
}

// strictStore refuses a command whose context has ended, as a database does.
type strictStore struct{ booking.Store }

func (s strictStore) Save(ctx context.Context, change booking.Change) (booking.Appointment, error) {
	if err := ctx.Err(); err != nil {
		return booking.Appointment{}, &hospital.Error{Kind: hospital.Unavailable, Op: "strict", Err: err}
	}
	return s.Store.Save(ctx, change)
}

func TestNobodyActsWithoutAName(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	a, err := c.book(c.wish(2))
	require.NoError(t, err)
	for _, actor := range []hospital.Actor{{}, {Kind: "usr", ID: "u1", Entry: "wechat"}, {Kind: hospital.ActorStaff, Entry: "window"}} {
		_, err := c.desk.Cancel(t.Context(), booking.CancelRequest{ID: a.ID, Actor: actor, Cause: booking.ByStaff, Reason: "x"})
		require.Equal(t, hospital.Invalid, hospital.KindOf(err))
		require.Equal(t, hospital.Invalid, hospital.KindOf(c.desk.Bind(t.Context(), booking.BindRequest{Actor: actor, User: "u9", Patient: "P9"})))
	}
	app := hospital.Actor{Kind: hospital.ActorApp, ID: "other", Entry: "app:other"}
	_, err = c.desk.Cancel(t.Context(), booking.CancelRequest{ID: a.ID, Actor: app, Cause: booking.ByPatient})
	require.Equal(t, hospital.NotFound, hospital.KindOf(err))
	require.Equal(t, booking.Booked, c.find(a.ID).State)
}

func TestASilentHospitalMakesNobodyWaitForEver(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	c.line.Cut(true)
	_, err := c.book(c.wish(2))
	require.Equal(t, hospital.Unavailable, hospital.KindOf(err), "%v", err)
	require.Equal(t, 1, c.line.Calls(histest.OpHold))
	require.Contains(t, c.events(), "appt.refused", "nothing is claimed")
}

func TestAPaidNumberWaitsForADeadHospitalAndThenGoesBack(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	a, err := c.book(c.wish(0))
	require.NoError(t, err)
	c.line.Cut(true)
	delivery, _ := c.cashier.Pay(a.ChargeKey())
	require.Equal(t, hospital.Indeterminate, hospital.KindOf(c.deliver(delivery)))
	for range 12 {
		c.pass(time.Minute)
	}
	require.Equal(t, booking.Cancelling, c.find(a.ID).State, "given up, but only a certain cancel pays back")
	require.Empty(t, c.cashier.Refunds())
	c.line.Cut(false)
	c.pass(6 * time.Minute)
	require.Equal(t, booking.Cancelled, c.find(a.ID).State)
	require.Equal(t, []hospital.Key{a.ChargeKey()}, c.cashier.Refunds())
}

func TestAWrongPatientInTheAnswerIsNeverShown(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	c.his.WrongPatient(1)
	a, err := c.book(c.wish(2))
	require.Equal(t, hospital.Rejected, hospital.KindOf(err), "%v", err)
	require.Equal(t, booking.Refused, c.find(a.ID).State)
	require.Equal(t, hospital.RegistrationCancelled, c.registered(a).State)
}

func TestAHospitalThatForgotIsAskedForTheNumberAgain(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	a, err := c.book(c.wish(2))
	require.NoError(t, err)
	require.NoError(t, c.pay(a))
	c.pass(5 * time.Minute)
	require.NoError(t, c.his.Forget(15*time.Minute))
	c.pass(26 * time.Minute)
	c.pass(10 * time.Second)
	require.Equal(t, booking.Booked, c.find(a.ID).State)
	require.Equal(t, a.Hold.Fee, c.registered(a).Paid)
}

func TestASuspendedClinicIsCancelledRefundedAndCountsNoStrike(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	a, err := c.book(c.wish(2))
	require.NoError(t, err)
	require.NoError(t, c.pay(a))
	_, err = c.his.Suspend(a.Schedule, "医生外出会诊", "")
	require.NoError(t, err)
	c.pass(2 * time.Minute)
	require.Equal(t, booking.Cancelled, c.find(a.ID).State)
	require.Equal(t, booking.BySuspended, c.find(a.ID).Cause)
	require.Contains(t, c.events(), "appt.stopped")
	require.Equal(t, []hospital.Key{a.ChargeKey()}, c.cashier.Refunds())
	c.pass(72 * time.Hour)
	require.NotContains(t, c.events(), "appt.no_show")
}

func TestThreeNoShowsLockUntilTheHospitalUnlocks(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	for range 3 {
		a, err := c.book(c.wish(1))
		require.NoError(t, err)
		c.pass(4 * 24 * time.Hour)
		require.Equal(t, booking.NoShow, c.find(a.ID).State)
	}
	require.Equal(t, "lock.locked", c.events()[len(c.events())-1])
	for _, days := range []int{0, 1} {
		_, err := c.book(c.wish(days))
		require.ErrorIs(t, err, booking.ErrLocked)
		require.Contains(t, hospital.MessageFor(err), "爽约3次")
	}
	staff := hospital.Actor{Kind: hospital.ActorStaff, ID: "s1", Entry: hospital.EntryWindow}
	require.Equal(t, hospital.Denied, hospital.KindOf(c.desk.Unlock(t.Context(), c.actor(), c.patient.ID, "please")))
	require.NoError(t, c.desk.Unlock(t.Context(), staff, c.patient.ID, "患者来电说明"))
	_, err := c.book(c.wish(1))
	require.NoError(t, err)
}

func TestASilentHospitalAtDayEndIsNoStrike(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	a, err := c.book(c.wish(1))
	require.NoError(t, err)
	c.line.Cut(true)
	c.pass(24 * time.Hour)
	require.NoError(t, c.his.See(c.registered(a).HISNo))
	c.pass(24 * time.Hour)
	require.Equal(t, booking.Booked, c.find(a.ID).State)
	c.line.Cut(false)
	c.pass(6 * time.Minute)
	require.Equal(t, booking.Fulfilled, c.find(a.ID).State)
}

func TestTheWindowPaidFirst(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	a, err := c.book(c.wish(2))
	require.NoError(t, err)
	_, err = c.his.Window().TakeFee(c.registered(a).HISNo)
	require.NoError(t, err)
	require.Equal(t, hospital.Rejected, hospital.KindOf(c.pay(a)))
	require.Equal(t, booking.Booked, c.find(a.ID).State, "the appointment stands")
	require.Equal(t, []hospital.Key{a.ChargeKey()}, c.cashier.Refunds())
}

func TestTheSlotWasSoldAtTheWindow(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	wish := c.wish(2)
	others := c.his.People()
	for i := 0; ; i++ {
		if _, err := c.his.Window().Sell(wish.Slot.ID, others[len(others)-1-i].ID); err != nil {
			break
		}
	}
	_, err := c.book(wish)
	require.ErrorIs(t, err, booking.ErrSlotTaken)
	require.Contains(t, hospital.MessageFor(err), "其他时段")
}

func TestNobodyBooksForOrSeesAPatientTheyDoNotHold(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	a, err := c.book(c.wish(2))
	require.NoError(t, err)
	stranger := hospital.Actor{Kind: hospital.ActorUser, ID: "u2", Entry: hospital.EntryWeChat}
	_, err = c.desk.Book(t.Context(), booking.BookRequest{Actor: stranger, Wish: c.wish(3)})
	require.ErrorIs(t, err, booking.ErrNotBound)
	_, foreign := c.desk.Cancel(t.Context(), booking.CancelRequest{ID: a.ID, Actor: stranger, Cause: booking.ByPatient})
	_, absent := c.desk.Cancel(t.Context(), booking.CancelRequest{ID: "a-none", Actor: stranger, Cause: booking.ByPatient})
	require.Equal(t, hospital.NotFound, hospital.KindOf(foreign))
	require.Equal(t, hospital.NotFound, hospital.KindOf(absent))
	require.Equal(t, hospital.MessageFor(absent), hospital.MessageFor(foreign))

	require.ErrorIs(t, c.desk.Bind(t.Context(), booking.BindRequest{Actor: stranger, User: "u2", Patient: c.patient.ID}), booking.ErrHeldByAnother)
	require.NoError(t, c.desk.Bind(t.Context(), booking.BindRequest{Actor: stranger, User: "u2", Patient: c.patient.ID, TakeOver: true}))
	require.Contains(t, c.events(), "patient.taken_over")
	_, err = c.cancel(a)
	require.Equal(t, hospital.NotFound, hospital.KindOf(err), "the former holder lost the patient at once")
}

func TestALostWorkerIsFencedAndItsFactIsMerged(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	var slow *slowSlots
	first := c.desk
	config := func(config *booking.Config) {
		slow = &slowSlots{Slots: config.Slots, during: func() {}}
		config.Slots = slow
	}
	c.edit = config
	c.restart()
	worker := c.desk
	slow.during = func() { // while the first worker's answer is under way, its lease runs out and another takes over
		slow.during = func() {}
		c.mu.Lock()
		c.now, c.wall = c.now.Add(time.Minute), c.wall.Add(time.Minute)
		c.mu.Unlock()
		_, err := first.Advance(t.Context())
		require.NoError(t, err)
	}
	a, err := worker.Book(t.Context(), booking.BookRequest{Actor: c.actor(), Wish: c.wish(2)})
	require.NoError(t, err)
	require.Equal(t, booking.Booked, a.State)
	require.Equal(t, 1, c.his.Effects(a.Key())["held"], "one hold")
}

// slowSlots is a HIS whose answer to Hold takes so long that other things happen.
type slowSlots struct {
	booking.Slots

	during func()
}

func (s *slowSlots) Hold(ctx context.Context, request hospital.HoldRequest) (hospital.Hold, error) {
	hold, err := s.Slots.Hold(ctx, request)
	s.during()
	return hold, err
}

// strangeSlots is a HIS that answers Find with a state of its vendor's own.
type strangeSlots struct {
	booking.Slots

	finds int
}

func (s *strangeSlots) Find(ctx context.Context, key hospital.Key) (hospital.Registration, error) {
	s.finds++
	found, err := s.Slots.Find(ctx, key)
	found.State = "vendor-7"
	return found, err
}

func TestAStateNobodyKnowsIsNoStrikeAndNoStorm(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	a, err := c.book(c.wish(1))
	require.NoError(t, err)
	strange := &strangeSlots{}
	c.edit = func(config *booking.Config) {
		strange.Slots = config.Slots
		config.Slots = strange
	}
	c.restart()
	c.pass(48 * time.Hour)
	before := strange.finds
	c.advance()
	require.Equal(t, before, strange.finds, "it is asked again later, not at once")
	for range 40 {
		c.pass(3 * time.Hour)
	}
	require.Equal(t, booking.Manual, c.find(a.ID).State)
	require.NotContains(t, c.events(), "appt.no_show")
}

// mixedUpSlots refuse to cancel and answer with the registration of another patient.
type mixedUpSlots struct{ booking.Slots }

func (s mixedUpSlots) Cancel(context.Context, hospital.Key) error {
	return &hospital.Error{Kind: hospital.Rejected, Code: "not_yours"}
}

func (s mixedUpSlots) Find(ctx context.Context, key hospital.Key) (hospital.Registration, error) {
	found, err := s.Slots.Find(ctx, key)
	found.Patient, found.State = "P-somebody-else", hospital.RegistrationCancelled
	return found, err
}

func TestARefusedCancellationIsNotSettledByAnotherPatientsRegistration(t *testing.T) {
	t.Parallel()
	c := newClinic(t, nil)
	a, err := c.book(c.wish(1))
	require.NoError(t, err)
	require.NoError(t, c.pay(a))
	c.edit = func(config *booking.Config) { config.Slots = mixedUpSlots{config.Slots} }
	c.restart()
	_, err = c.cancel(a)
	require.NoError(t, err)
	require.Equal(t, booking.Manual, c.find(a.ID).State, "a person looks, and no money moves by itself")
}

func TestALostAnswerWhileANumberIsClaimedAgainCostsNobodyTheNumber(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(*histest.Line){
		"to the hold":         func(l *histest.Line) { l.LoseAnswers(histest.OpHold, 1) },
		"to the confirmation": func(l *histest.Line) { l.LoseAnswers(histest.OpConfirm, 1) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newClinic(t, nil)
			a, err := c.book(c.wish(2))
			require.NoError(t, err)
			require.NoError(t, c.pay(a))
			c.pass(5 * time.Minute)
			require.NoError(t, c.his.Forget(15*time.Minute))
			lose(c.line)
			c.pass(26 * time.Minute)
			for range 4 {
				c.pass(time.Minute)
			}
			require.Equal(t, booking.Booked, c.find(a.ID).State)
			require.Equal(t, a.Hold.Fee, c.registered(a).Paid)
			require.Empty(t, c.cashier.Refunds())
		})
	}
}

func TestASuspensionSaysWhatItCouldNotReach(t *testing.T) {
	t.Parallel()
	c := newClinic(t, func(config *booking.Config) { config.Stops = nil })
	c.line.LoseAnswers(histest.OpConfirm, 1)
	a, err := c.book(c.wish(2))
	require.Equal(t, hospital.Indeterminate, hospital.KindOf(err))
	staff := hospital.Actor{Kind: hospital.ActorStaff, ID: "s1", Entry: hospital.EntryWindow}
	reached, err := c.desk.Suspend(t.Context(), staff, a.Schedule, "医生外出")
	require.Zero(t, reached)
	require.ErrorIs(t, err, booking.ErrInProgress)
	c.pass(10 * time.Second)
	reached, err = c.desk.Suspend(t.Context(), staff, a.Schedule, "医生外出")
	require.NoError(t, err)
	require.Equal(t, 1, reached)
	require.Equal(t, booking.Cancelled, c.find(a.ID).State)
}
