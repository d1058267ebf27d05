package histest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
)

// stage is where a pathway is played: a fresh hospital, a clock that moves when
// told, an adapter, and a line to it that fails when told.
type stage struct {
	hospital *Hospital
	clock    *stopped
	line     *Line
	far      his.System
	close    func() error
	people   map[string]hospital.PatientID
	slot     hospital.Slot

	keys  map[string]hospital.Key // what a story calls by name
	sales map[string]string       // name → the HIS's number
	holds map[string]hospital.Hold
	bills map[string]his.Bill
	who   map[string]hospital.PatientID
}

// played is what a step came to.
type played struct {
	err     error
	patient hospital.PatientID
	state   hospital.RegistrationState
	fee     hospital.Fen
	number  int
	online  bool
}

// verb is one thing that can happen in a story. The word "" stands for a plain
// value after the verb.
type verb struct {
	words []string
	play  func(*stage, context.Context, map[string]string) played
}

// verbs are everything that can happen.
func verbs() map[string]verb {
	named := []string{"as", "for"}
	return map[string]verb{
		"hold":     {[]string{"as", "for", "number"}, (*stage).holdsNumber},
		"confirm":  {named, (*stage).confirms},
		"pay":      {[]string{"as", "for", "sum", "receipt"}, (*stage).confirms},
		"cancel":   {[]string{"as"}, (*stage).cancels},
		"find":     {[]string{"as"}, (*stage).finds},
		"check_in": {[]string{"as"}, (*stage).checksIn},
		"settle":   {[]string{"as", "for", "bill", "sum", "receipt"}, (*stage).settles},
		"reverse":  {[]string{"as"}, (*stage).reverses},
		"read":     {[]string{"bill"}, (*stage).reads},
		"look":     {[]string{"as", ""}, (*stage).looks},

		"see":              {[]string{"as"}, (*stage).sees},
		"suspend":          {[]string{""}, (*stage).suspends},
		"window_sells":     {named, sells((*Hospital).Window)},
		"kiosk_sells":      {named, sells((*Hospital).Kiosk)},
		"window_takes_fee": {[]string{"as"}, (*stage).takesFee},
		"window_cancels":   {[]string{"as"}, (*stage).windowCancels},
		"window_settles":   {[]string{"bill"}, (*stage).windowSettles},
		"bill":             {[]string{"as", "for", "sum"}, (*stage).owes},
		"requote":          {[]string{"as", "sum"}, (*stage).requotes},

		"wait":          {[]string{""}, (*stage).waits},
		"until":         {[]string{"day", "at"}, (*stage).waitsUntil},
		"lose_answer":   {[]string{""}, faults((*Line).LoseAnswers)},
		"lose_request":  {[]string{""}, faults((*Line).LoseRequests)},
		"delay_request": {[]string{""}, faults((*Line).DelayRequests)},
		"deliver":       {[]string{""}, (*stage).delivers},
		"cut":           {[]string{""}, (*stage).cuts},
		"forget":        {[]string{""}, (*stage).forgets},
		"wrong_patient": {[]string{""}, (*stage).confuses},
	}
}

// openStage opens a hospital and finds the story's clinic.
func openStage(ctx context.Context, p *pathway, connect Connect) (*stage, error) {
	s := &stage{
		clock: &stopped{at: opensAt}, people: p.people, close: func() error { return nil },
		keys: map[string]hospital.Key{}, sales: map[string]string{}, holds: map[string]hospital.Hold{},
		bills: map[string]his.Bill{}, who: map[string]hospital.PatientID{},
	}
	var err error
	if s.hospital, err = NewHospital(Config{Now: s.clock.now}); err != nil {
		return nil, err
	}
	system, closer, err := connect(s.hospital)
	if err != nil {
		return nil, err
	}
	if closer != nil {
		s.close = closer
	}
	s.line = NewLine(system)
	s.far = s.line.System()
	if err := s.findSlot(ctx, p.clinic); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// findSlot takes the first slot of the first clinic that fits the words.
func (s *stage) findSlot(ctx context.Context, clinic map[string]string) error {
	days, err := count(clinic["day"])
	if err != nil {
		return err
	}
	day := hospital.DateOf(opensAt).AddDays(days)
	schedules, err := s.hospital.Schedules(ctx, his.ScheduleQuery{From: day, To: day})
	if err != nil {
		return err
	}
	for _, c := range schedules {
		dept, _ := s.hospital.staff.department(c.Department)
		fits := (clinic["department"] == "" || dept.Name == clinic["department"]) && strconv.FormatBool(c.Expert) == orElse(clinic["expert"], "false") &&
			(clinic["session"] == "" || string(c.Session) == clinic["session"])
		if !fits {
			continue
		}
		if quota, err := count(clinic["quota"]); err != nil {
			return err
		} else if quota > 0 {
			if _, err := s.hospital.GrantQuota(c.ID, quota); err != nil {
				return err
			}
		}
		slots, err := s.hospital.Slots(ctx, c.ID)
		if err != nil {
			return err
		}
		s.slot = slots[0]
		return nil
	}
	return refuse(hospital.Invalid, "histest.Play", "bad_pathway", "no such clinic on that day")
}

func orElse(word, otherwise string) string {
	if word == "" {
		return otherwise
	}
	return word
}

func count(word string) (int, error) {
	n, err := strconv.Atoi(orElse(word, "0"))
	if err != nil {
		return 0, refuse(hospital.Invalid, "histest.Play", "bad_pathway", "want a number: "+word)
	}
	return n, nil
}

// play plays one step and compares what came of it.
func (s *stage) play(ctx context.Context, step step) error {
	got := verbs()[step.verb].play(s, ctx, step.words)
	outcome := "ok"
	if got.err != nil {
		outcome = strings.TrimSpace(hospital.KindOf(got.err).String() + " " + hospital.CodeOf(got.err))
	}
	if want := step.expect["outcome"]; !slices.Contains(strings.Split(want, " | "), outcome) {
		return fmt.Errorf("came out %s, want %s (%w)", outcome, want, got.err)
	}
	for what, want := range step.expect {
		if what == "outcome" {
			continue
		}
		is, err := s.observe(what, step.words["as"], got)
		if err != nil {
			return err
		}
		if what == "patient" {
			want = string(s.person(want))
		}
		if is != want {
			return fmt.Errorf("%s is %s, want %s", what, is, want)
		}
	}
	return nil
}

// observe tells one fact: of the answer where it has it, else of the truth.
func (s *stage) observe(what, as string, got played) (string, error) {
	truth := s.truth(as)
	switch what {
	case "patient":
		return string(got.patient), nil
	case "fee":
		return got.fee.Yuan(), nil
	case "number":
		return strconv.Itoa(got.number), nil
	case "pay_online":
		return strconv.FormatBool(got.online), nil
	case "state":
		if got.state != "" {
			return string(got.state), nil
		}
		return orElse(string(truth.State), "absent"), nil
	case "paid":
		return truth.Paid.Yuan(), nil
	case "books":
		return s.hospital.Total().Yuan(), nil
	case "rows":
		return strconv.Itoa(len(s.hospital.Ledger())), nil
	case "effects":
		return effectsInWords(s.hospital.Effects(s.keys[as])), nil
	}
	counts, err := s.hospital.SlotCounts(s.slot.ID)
	switch {
	case err != nil:
		return "", err
	case counts.Sold != counts.Distinct:
		return "", fmt.Errorf("oversold: %d registrations share %d numbers", counts.Sold, counts.Distinct)
	case what == "left":
		return strconv.Itoa(counts.Left), nil
	}
	return strconv.Itoa(counts.Sold), nil
}

// effectsInWords prints counts in the order in which such things happen.
func effectsInWords(counts map[string]int) string {
	var words []string
	for _, kind := range []effectKind{
		barred, held, expired, registered, paid, arrived, seen, suspended, cancelled, settled, reversed,
	} {
		if n := counts[string(kind)]; n > 0 {
			words = append(words, fmt.Sprintf("%s %d", kind, n))
		}
	}
	return strings.Join(words, ", ")
}

// truth is what the hospital itself has under a name of the story.
func (s *stage) truth(as string) hospital.Registration {
	for _, r := range s.hospital.Everyone() {
		if r.HISNo == s.sales[as] || (r.Key != "" && r.Key == s.keys[as]) {
			return r
		}
	}
	return hospital.Registration{}
}

// key is the key behind a name of the story, the same on every mention.
func (s *stage) key(as string) hospital.Key {
	if s.keys[as] == "" {
		s.keys[as] = hospital.Key("story-" + digits(int64(len(s.keys)+1), 3))
	}
	return s.keys[as]
}

// person is the patient behind a name; an unknown name is nobody.
func (s *stage) person(name string) hospital.PatientID { return s.people[name] }

// yuan reads a sum; the step fails on a bad one.
func yuan(words map[string]string) (hospital.Fen, error) {
	if words["sum"] == "" {
		return 0, nil
	}
	return hospital.ParseYuan(words["sum"])
}
