package his_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/his/histest"
	"github.com/wxhospital/hospital/his/soap"
)

// wired puts the reference Web Service and its client between a hospital and
// its user.
func wired(edit func(*his.Config, *histest.ServiceConfig)) histest.Connect {
	return func(h *histest.Hospital) (his.System, func() error, error) {
		service := histest.ServiceConfig{System: h.System}
		config := his.Config{}
		if edit != nil {
			edit(&config, &service)
		}
		handler, err := histest.NewService(service)
		if err != nil {
			return his.System{}, nil, err
		}
		server := httptest.NewServer(handler)
		config.BaseURL = server.URL
		client, err := his.NewClient(config)
		if err != nil {
			return his.System{}, nil, err
		}
		closer := func() error {
			client.CloseIdle()
			server.Close()
			return nil
		}
		return client.System(), closer, nil
	}
}

func TestThePathwaysRunOverTheWire(t *testing.T) {
	t.Parallel()
	histest.RunPathways(t, wired(nil))
}

func TestTheClientConforms(t *testing.T) {
	t.Parallel()

	t.Run("over SOAP 1.1", func(t *testing.T) {
		t.Parallel()
		histest.Conform(t, histest.SubjectOver(wired(nil)))
	})

	t.Run("over SOAP 1.2 in GBK with a digest", func(t *testing.T) {
		t.Parallel()
		token := &soap.UsernameToken{Username: "his", Password: "TESTING KEY", Digest: true}
		faults := &histest.Faults{}
		faults.Set(histest.Any, histest.Switch{Fault: histest.InGBK})
		histest.Conform(t, histest.SubjectOver(wired(func(c *his.Config, s *histest.ServiceConfig) {
			c.Version, c.Charset, c.Security = soap.V12, soap.GBK, token
			s.Security, s.Faults = token, faults
		})))
	})
}

// stand is a client, the hospital behind it and the switches between them.
type stand struct {
	*his.Client
	hospital *histest.Hospital
	faults   *histest.Faults
	slot     hospital.Slot

	mu  sync.Mutex
	log []histest.Exchange
}

func newStand(t *testing.T, edit func(*his.Config)) *stand {
	t.Helper()
	now := time.Date(2026, 11, 23, 7, 30, 0, 0, hospital.CST)
	h, err := histest.NewHospital(histest.Config{Now: func() time.Time { return now }})
	require.NoError(t, err)
	s := &stand{hospital: h, faults: &histest.Faults{}}
	service, err := histest.NewService(histest.ServiceConfig{System: h.System, Faults: s.faults, Log: func(e histest.Exchange) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.log = append(s.log, e)
	}})
	require.NoError(t, err)
	server := httptest.NewServer(service)
	t.Cleanup(server.Close)
	config := his.Config{BaseURL: server.URL, Retries: -1, TripAfter: -1}
	if edit != nil {
		edit(&config)
	}
	s.Client, err = his.NewClient(config)
	require.NoError(t, err)
	t.Cleanup(s.CloseIdle)

	day := hospital.DateOf(now).AddDays(1)
	schedules, err := s.Schedules(t.Context(), his.ScheduleQuery{From: day, To: day})
	require.NoError(t, err)
	require.NotEmpty(t, schedules)
	slots, err := s.Slots(t.Context(), schedules[0].ID)
	require.NoError(t, err)
	s.slot = slots[0]
	return s
}

func (s *stand) request(key hospital.Key) hospital.HoldRequest {
	return hospital.HoldRequest{
		Key: key, Schedule: s.slot.Schedule, Slot: s.slot.ID, Patient: "P000001",
		Kind: hospital.Advance, Entry: hospital.EntryWeChat, Opaque: s.slot.Opaque,
	}
}

func TestWhatAFaultOfTheWireMeans(t *testing.T) {
	t.Parallel()
	tests := []struct {
		fault    histest.ServiceFault
		ok       bool // the call succeeds all the same
		happened bool // the hospital holds the number
	}{
		{histest.Dead, false, false},
		{histest.RequestLost, false, false},
		{histest.AnswerLost, false, true},
		{histest.Truncated, false, true},
		{histest.Garbage, false, true},
		{histest.ErrorPage, false, true},
		{histest.InGBK, true, true},
	}
	for _, test := range tests {
		t.Run(test.fault.String(), func(t *testing.T) {
			t.Parallel()
			s := newStand(t, nil)
			s.faults.Set(histest.OpHold, histest.Switch{Fault: test.fault, Times: 1})
			_, err := s.Hold(t.Context(), s.request("key-000001"))
			require.Equal(t, test.ok, err == nil, "%v", err)
			if err != nil {
				require.Equal(t, hospital.Indeterminate, hospital.KindOf(err), "whatever became of it, it may have happened: %v", err)
			}
			_, err = s.Find(t.Context(), "key-000001")
			require.Equal(t, test.happened, err == nil)
			if !test.happened {
				require.Equal(t, hospital.NotFound, hospital.KindOf(err))
			}

			s.faults.Set(histest.OpBills, histest.Switch{Fault: test.fault, Times: 1})
			_, err = s.Bills(t.Context(), "P000001")
			require.Equal(t, test.ok, err == nil)
			if err != nil {
				require.Equal(t, hospital.Unavailable, hospital.KindOf(err), "a read leaves nothing open")
			}
			_, err = s.Bills(t.Context(), "P000001")
			require.NoError(t, err, "the switch was for one call")
		})
	}
}

func TestASlowAnswerRunsIntoTheTimeout(t *testing.T) {
	t.Parallel()
	s := newStand(t, func(c *his.Config) { c.Timeout = 300 * time.Millisecond })
	release := make(chan struct{})
	s.faults.Set(histest.OpHold, histest.Switch{Fault: histest.Slow, Until: release, Times: 1})
	_, err := s.Hold(t.Context(), s.request("key-000001"))
	require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Indeterminate, Code: "timeout"})
	require.ErrorIs(t, err, context.DeadlineExceeded)
	close(release)
	found, err := s.Find(t.Context(), "key-000001")
	require.NoError(t, err, "it happened")
	require.Equal(t, hospital.RegistrationHeld, found.State)
}

func TestADeadServiceIsUnavailable(t *testing.T) {
	t.Parallel()
	client, err := his.NewClient(his.Config{BaseURL: "http://127.0.0.1:1"})
	require.NoError(t, err)
	_, err = client.Hold(t.Context(), hospital.HoldRequest{Key: "key-000001", Schedule: "S", Patient: "P1"})
	require.Equal(t, hospital.Unavailable, hospital.KindOf(err), "nobody listens, so nothing happened")
}

func TestALostReadIsAskedAgain(t *testing.T) {
	t.Parallel()
	s := newStand(t, func(c *his.Config) { c.Retries = 1 })
	s.faults.Set(histest.OpFind, histest.Switch{Fault: histest.AnswerLost, Times: 1})
	_, err := s.Find(t.Context(), "key-000001")
	require.ErrorIs(t, err, &hospital.Error{Kind: hospital.NotFound, Code: "unknown_key"})
	s.faults.Set(histest.OpHold, histest.Switch{Fault: histest.AnswerLost, Times: 1})
	_, err = s.Hold(t.Context(), s.request("key-000001"))
	require.Equal(t, hospital.Indeterminate, hospital.KindOf(err), "a call that changes something is not repeated behind its worker's back")
}

func TestTheHospitalAnswersWithAnotherPatient(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil)
	s.hospital.WrongPatient(1)
	_, err := s.Hold(t.Context(), s.request("key-000001"))
	require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Indeterminate, Code: "wrong_patient"})
}

func TestARoleThatTheSystemLacksIsRejected(t *testing.T) {
	t.Parallel()
	system, closer, err := wired(func(_ *his.Config, s *histest.ServiceConfig) {
		s.System = func() his.System { return his.System{} }
	})(nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, closer()) })
	_, err = system.Billing.Bills(t.Context(), "P000001")
	require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Rejected, Code: "not_offered"})
}

func TestWhatCrossedTheWireIsMasked(t *testing.T) {
	t.Parallel()
	s := newStand(t, nil)
	child := hospital.Patient{
		Name: "王金丝雀", Sex: hospital.Female, Phone: "13800138000", IDNumber: "11010119900307003X", Payer: hospital.SelfPay,
	}
	made, err := s.CreatePatient(t.Context(), his.CreatePatientRequest{Key: "key-000001", Patient: child})
	if err == nil {
		_, err = s.FindPatient(t.Context(), his.PatientQuery{ID: made.ID})
		require.NoError(t, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	require.NotEmpty(t, s.log)
	for _, e := range s.log {
		line := e.Request + e.Answer + e.Outcome
		require.NotContains(t, line, "王金丝雀")
		require.NotContains(t, line, "13800138000")
		require.NotContains(t, line, "11010119900307003X")
	}
	last := s.log[len(s.log)-1]
	require.NotEmpty(t, last.Operation)
	require.Contains(t, s.log[len(s.log)-1].Request+s.log[len(s.log)-2].Request, "Key=key-000001")
}

// answering returns a client of a service that answers everything with the
// inner text.
func answering(tb testing.TB, inner string) *his.Client {
	tb.Helper()
	client, err := his.NewClient(his.Config{
		BaseURL: "http://his.test", Retries: -1, TripAfter: -1,
		HTTPClient: &http.Client{Transport: roundTripper(func(r *http.Request) *http.Response {
			body, err := io.ReadAll(r.Body)
			require.NoError(tb, err)
			request, err := soap.ParseEnvelope(r.Header.Get("Content-Type"), body)
			require.NoError(tb, err)
			message, err := soap.Dialect{Namespace: request.Content.Space}.Response(request.Content.Name, carried(inner))
			require.NoError(tb, err)
			return &http.Response{StatusCode: 200, Header: message.Header, Body: io.NopCloser(strings.NewReader(string(message.Body)))}
		})},
	})
	require.NoError(tb, err)
	return client
}

// carried is what an XML message can carry of a text.
func carried(text string) string {
	return strings.Map(func(r rune) rune {
		if soap.Forbidden(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
}

type roundTripper func(*http.Request) *http.Response

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }

const (
	held = `<Response><ResultCode>0</ResultCode><Key>key-000001</Key><Hold><HISNo>R1</HISNo><PatientID>P1</PatientID>` +
		`<QueueNo>7</QueueNo><Fee>12.50</Fee><PayOnline>1</PayOnline><Expires>2026-11-23 08:00:00</Expires><Store> a&lt;b^ </Store></Hold></Response>`
	billed = `<Response><ResultCode>0</ResultCode><Bills><Bill><BillID>B1</BillID><PatientID>P1</PatientID><State>unpaid</State>` +
		`<Amount>0.10</Amount><PayOnline>1</PayOnline><CreatedAt>2026-11-23 08:00:00</CreatedAt><Items></Items></Bill></Bills></Response>`
)

func TestAnAnswerIsReadStrictly(t *testing.T) {
	t.Parallel()
	change := func(answer, from, to string) string {
		require.Contains(t, answer, from)
		return strings.Replace(answer, from, to, 1)
	}
	tests := []struct {
		name, inner string
		code        string
		detail      string
	}{
		{"a whole answer", held, "", ""},
		{"a prolog that lies", `<?xml version="1.0" encoding="gb2312"?>` + held, "", ""},
		{"an element that we do not know", change(held, "<Fee>", "<Extra>x</Extra><Fee>"), "", ""},
		{"a missing field", change(held, "<Fee>12.50</Fee>", ""), "bad_answer", "Response/Hold/Fee: missing"},
		{"an empty field", change(held, "<HISNo>R1</HISNo>", "<HISNo/>"), "bad_answer", "Response/Hold/HISNo: empty"},
		{"a field that stands twice", change(held, "<Fee>", "<Fee>1.00</Fee><Fee>"), "bad_answer", "Response/Hold/Fee: stands twice"},
		{"three decimals", change(held, "12.50", "12.505"), "bad_answer", "Response/Hold/Fee: want yuan with at most two decimals"},
		{"a fee that is no number", change(held, "12.50", "十二元"), "bad_answer", "Response/Hold/Fee: want yuan with at most two decimals"},
		{"a time that no day has", change(held, "2026-11-23", "2026-02-30"), "bad_answer", "Response/Hold/Expires: want a time like 2006-01-02 15:04:05"},
		{"a number with a sign", change(held, ">7<", ">+7<"), "bad_answer", "Response/Hold/QueueNo: want a number"},
		{"a boolean in words", change(held, "<PayOnline>1", "<PayOnline>true"), "bad_answer", "Response/Hold/PayOnline: want 1 or 0"},
		{"another key", change(held, "key-000001", "key-000002"), "wrong_key", ""},
		{"another patient", change(held, "P1", "P2"), "wrong_patient", ""},
		{"no code", change(held, "<ResultCode>0</ResultCode>", ""), "bad_answer", "Response/ResultCode: missing"},
		{"another root", change(change(held, "<Response>", "<R>"), "</Response>", "</R>"), "bad_answer", "want a Response"},
		{"half an answer", held[:len(held)/2], "bad_answer", "the result is no XML"},
		{"no text", "", "bad_answer", "the result is no XML"},
		{"a web page", "<html></html>", "bad_answer", "the result is no XML"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			hold, err := answering(t, test.inner).Hold(t.Context(), hospital.HoldRequest{Key: "key-000001", Schedule: "S1", Patient: "P1"})
			if test.code == "" {
				require.NoError(t, err)
				require.Equal(t, hospital.Hold{
					HISNo: "R1", Patient: "P1", QueueNo: 7, Fee: 1250, PayOnline: true, Opaque: " a<b^ ",
					Expires: time.Date(2026, 11, 23, 8, 0, 0, 0, hospital.CST),
				}, hold)
				return
			}
			require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Indeterminate, Code: test.code}, "the effect may stand: %v", err)
			require.ErrorContains(t, err, test.detail)
			require.Zero(t, hold)
		})
	}
}

func TestAListIsCheckedItemByItem(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, inner, code, detail string }{
		{"the patient's own bills", billed, "", ""},
		{"a stranger's bill", strings.Replace(billed, "P1", "P2", 1), "wrong_patient", ""},
		{"a state that nobody knows", strings.Replace(billed, "unpaid", "maybe", 1), "bad_answer", "Response/Bills/Bill[1]/State: want one of unpaid, paid, cancelled"},
		{"another element in the list", strings.Replace(billed, "<Bills>", "<Bills><Row/>", 1), "bad_answer", "Response/Bills/Bill[1]: another element stands there"},
		{"a list that is missing is not an empty one", "<Response><ResultCode>0</ResultCode></Response>", "bad_answer", "Response/Bills: missing"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			bills, err := answering(t, test.inner).Bills(t.Context(), "P1")
			if test.code == "" {
				require.NoError(t, err)
				require.Len(t, bills, 1)
				return
			}
			require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Unavailable, Code: test.code})
			require.ErrorContains(t, err, test.detail)
			require.Empty(t, bills, "nothing is shown when one item is foreign")
		})
	}
}

func TestAResultCodeBecomesAKind(t *testing.T) {
	t.Parallel()
	refused := func(code, kind, message string) string {
		return "<Response><ResultCode>" + code + "</ResultCode><ResultKind>" + kind + "</ResultKind><ResultMessage>" + message + "</ResultMessage></Response>"
	}
	tests := []struct {
		name, inner string
		kind        hospital.Kind
		code        string
	}{
		{"a taken slot", refused("slot_taken", "conflict", ""), hospital.Conflict, "slot_taken"},
		{"a code without a kind is a refusal", refused("-1", "", "号源已满"), hospital.Rejected, "-1"},
		{"an unknown key", refused("unknown_key", "not_found", ""), hospital.NotFound, "unknown_key"},
		{"a HIS that certainly did nothing", refused("busy", "unavailable", ""), hospital.Unavailable, "busy"},
		{"a HIS that broke may have acted", refused("db", "internal", "ORA-12514"), hospital.Indeterminate, "db"},
		{"a denial that comes as a result comes from the work", refused("acl", "denied", ""), hospital.Indeterminate, "acl"},
		{"a kind that nobody knows is no answer", refused("x", "odd", ""), hospital.Indeterminate, "bad_answer"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			_, err := answering(t, test.inner).Hold(t.Context(), hospital.HoldRequest{Key: "key-000001", Schedule: "S1", Patient: "P1"})
			require.ErrorIs(t, err, &hospital.Error{Kind: test.kind, Code: test.code}, "%v", err)
		})
	}

	t.Run("the HIS's words are never the patient's, and lose the name", func(t *testing.T) {
		t.Parallel()
		client := answering(t, refused("E7", "rejected", "王金丝雀已建档，手机13800138000"))
		_, err := client.CreatePatient(t.Context(), his.CreatePatientRequest{Key: "key-000001", Patient: hospital.Patient{Name: "王金丝雀", Payer: hospital.SelfPay}})
		require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Rejected, Code: "E7"})
		require.NotContains(t, err.Error(), "王金丝雀")
		require.NotContains(t, err.Error(), "13800138000")
		require.NotContains(t, hospital.MessageFor(err), "建档")
	})
}

func TestNothingIsSentThatCouldNotBeAskedFor(t *testing.T) {
	t.Parallel()
	client, err := his.NewClient(his.Config{BaseURL: "http://his.test", HTTPClient: &http.Client{
		Transport: roundTripper(func(*http.Request) *http.Response { panic("sent") }),
	}})
	require.NoError(t, err)
	for name, call := range map[string]func() error{
		"a hold under a bad key": func() error {
			_, err := client.Hold(t.Context(), hospital.HoldRequest{Key: "x", Schedule: "S", Patient: "P"})
			return err
		},
		"a hold for nobody": func() error {
			_, err := client.Hold(t.Context(), hospital.HoldRequest{Key: "key-000001", Schedule: "S"})
			return err
		},
		"everybody's registrations": func() error {
			_, err := client.Registrations(t.Context(), his.RegistrationQuery{From: hospital.DateOf(time.Now()), To: hospital.DateOf(time.Now())})
			return err
		},
		"a patient by nothing": func() error {
			_, err := client.FindPatient(t.Context(), his.PatientQuery{})
			return err
		},
		"a name that XML cannot carry": func() error {
			_, err := client.CreatePatient(t.Context(), his.CreatePatientRequest{Key: "key-000001", Patient: hospital.Patient{Name: "a\x00"}})
			return err
		},
	} {
		require.Equal(t, hospital.Invalid, hospital.KindOf(call()), name)
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add(held)
	f.Add(billed)
	f.Add("<Response><ResultCode>slot_taken</ResultCode><ResultKind>conflict</ResultKind></Response>")
	f.Add("<Response><ResultCode>0</ResultCode><Key>key-000001</Key></Response>")
	f.Add("<Response><ResultCode>0</ResultCode><Key>key-00000\x97\x971</Key></Response>")
	f.Fuzz(func(t *testing.T, inner string) {
		client := answering(t, inner)
		hold, err := client.Hold(t.Context(), hospital.HoldRequest{Key: "key-000001", Schedule: "S1", Patient: "P1"})
		if err == nil {
			require.Equal(t, hospital.PatientID("P1"), hold.Patient)
			require.NotEmpty(t, hold.HISNo)
		}
		bills, err := client.Bills(t.Context(), "P1")
		if err == nil {
			for _, b := range bills {
				require.Equal(t, hospital.PatientID("P1"), b.Patient)
			}
		} else {
			require.NotEqual(t, hospital.Indeterminate, hospital.KindOf(err))
		}
		if err := client.Cancel(t.Context(), "key-000001"); err == nil {
			require.Contains(t, carried(inner), "key-000001")
		}
	})
}

// denying is a HIS whose answers deny what they confirm.
type denying struct {
	*histest.Hospital
}

func (d denying) Confirm(ctx context.Context, request hospital.ConfirmRequest) (hospital.Registration, error) {
	answer, err := d.Hospital.Confirm(ctx, request)
	answer.State = hospital.RegistrationCancelled
	return answer, err
}

func (d denying) Settle(ctx context.Context, request his.SettleRequest) (his.Payment, error) {
	answer, err := d.Hospital.Settle(ctx, request)
	answer.Reversed = true
	return answer, err
}

func TestAnAnswerThatDeniesWhatItConfirmsIsNoAnswer(t *testing.T) {
	t.Parallel()
	h, err := histest.NewHospital(histest.Config{})
	require.NoError(t, err)
	connect := wired(func(_ *his.Config, service *histest.ServiceConfig) {
		service.System = func() his.System {
			system := h.System()
			system.Registrar, system.Billing = denying{h}, denying{h}
			return system
		}
	})
	system, closer, err := connect(h)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, closer()) })

	patient := h.People()[0].ID
	day := hospital.DateOf(time.Now()).AddDays(1)
	schedules, err := system.Scheduling.Schedules(t.Context(), his.ScheduleQuery{From: day, To: day})
	require.NoError(t, err)
	slots, err := system.Scheduling.Slots(t.Context(), schedules[0].ID)
	require.NoError(t, err)
	hold, err := system.Registrar.Hold(t.Context(), hospital.HoldRequest{
		Key: "denied-0001", Schedule: schedules[0].ID, Slot: slots[0].ID, Patient: patient, Kind: hospital.Advance, Entry: hospital.EntryWeChat,
	})
	require.NoError(t, err)
	_, err = system.Registrar.Confirm(t.Context(), hospital.ConfirmRequest{Key: "denied-0001", Patient: patient, Hold: hold})
	require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Indeterminate, Code: "wrong_state"})

	bills, err := system.Billing.Bills(t.Context(), patient)
	require.NoError(t, err)
	if len(bills) == 0 {
		bill, err := h.AddBill(histest.NewBill{Patient: patient, Items: []his.BillItem{{Code: "X", Name: "针灸", Quantity: "1", Amount: 1205}}})
		require.NoError(t, err)
		bills = append(bills, bill)
	}
	_, err = system.Billing.Settle(t.Context(), his.SettleRequest{
		Key: "denied-0002", Bill: bills[0].ID, Patient: patient, Amount: bills[0].Amount, Quote: bills[0].Quote, Receipt: "r-1", Channel: "till", PaidAt: time.Now(),
	})
	require.ErrorIs(t, err, &hospital.Error{Kind: hospital.Indeterminate, Code: "wrong_state"})
}
