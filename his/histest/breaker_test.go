package histest_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/his/histest"
)

// A breaker is an adapter with one defect, as real ones have them.
type breaker struct {
	defect string
	caught string // the check that must catch it
	spoil  func(*histest.Trial)
}

// registrar overrides single calls of a Registrar.
type registrar struct {
	his.Registrar
	hold    func(context.Context, hospital.HoldRequest) (hospital.Hold, error)
	confirm func(context.Context, hospital.ConfirmRequest) (hospital.Registration, error)
	cancel  func(context.Context, hospital.Key) error
	find    func(context.Context, hospital.Key) (hospital.Registration, error)
}

func (r registrar) Hold(ctx context.Context, q hospital.HoldRequest) (hospital.Hold, error) {
	if r.hold != nil {
		return r.hold(ctx, q)
	}
	return r.Registrar.Hold(ctx, q)
}

func (r registrar) Confirm(ctx context.Context, q hospital.ConfirmRequest) (hospital.Registration, error) {
	if r.confirm != nil {
		return r.confirm(ctx, q)
	}
	return r.Registrar.Confirm(ctx, q)
}

func (r registrar) Cancel(ctx context.Context, key hospital.Key) error {
	if r.cancel != nil {
		return r.cancel(ctx, key)
	}
	return r.Registrar.Cancel(ctx, key)
}

func (r registrar) Find(ctx context.Context, key hospital.Key) (hospital.Registration, error) {
	if r.find != nil {
		return r.find(ctx, key)
	}
	return r.Registrar.Find(ctx, key)
}

type directory struct {
	his.Directory
	text func(string) string
}

func (d directory) Departments(ctx context.Context) ([]hospital.Department, error) {
	list, err := d.Directory.Departments(ctx)
	for i := range list {
		list[i].Name, list[i].Introduction = d.text(list[i].Name), d.text(list[i].Introduction)
	}
	return list, err
}

type settlements struct {
	books his.Settlements
	spoil func([]his.Settlement) []his.Settlement
}

func (s settlements) Settlements(ctx context.Context, day hospital.Date) ([]his.Settlement, error) {
	rows, err := s.books.Settlements(ctx, day)
	return s.spoil(rows), err
}

func (s settlements) FindSettlements(ctx context.Context, key hospital.Key) ([]his.Settlement, error) {
	rows, err := s.books.FindSettlements(ctx, key)
	return s.spoil(rows), err
}

type scheduling struct{ his.Scheduling }

func (scheduling) Suspensions(context.Context, hospital.Date, hospital.Date) ([]hospital.Suspension, error) {
	return nil, nil
}

type patients struct {
	his.Patients
	text func(string) string
	any  bool
}

func (p patients) FindPatient(ctx context.Context, q his.PatientQuery) (hospital.Patient, error) {
	if p.any && q == (his.PatientQuery{}) {
		q.ID = "P000001"
	}
	found, err := p.Patients.FindPatient(ctx, q)
	if p.text != nil {
		found.Name = hospital.Name(p.text(string(found.Name)))
	}
	return found, err
}

type billing struct {
	his.Billing
	settle func(context.Context, his.SettleRequest) (his.Payment, error)
	factor hospital.Fen
	any    bool
}

func (b billing) Settle(ctx context.Context, q his.SettleRequest) (his.Payment, error) {
	if b.settle != nil {
		return b.settle(ctx, q)
	}
	return b.Billing.Settle(ctx, q)
}

func (b billing) Bill(ctx context.Context, patient hospital.PatientID, id his.BillID) (his.Bill, error) {
	found, err := b.Billing.Bill(ctx, patient, id)
	if b.any && hospital.KindOf(err) == hospital.NotFound {
		found, err = b.Billing.Bill(ctx, "P000005", id)
	}
	if b.factor > 0 {
		found.Amount /= b.factor
	}
	return found, err
}

type desk struct{}

func (*desk) CheckIn(context.Context, hospital.Key) (hospital.Registration, error) {
	return hospital.Registration{}, nil
}

func breakers() []breaker {
	return []breaker{
		{"loses the key", "a hold is found by its key", func(t *histest.Trial) {
			r := t.System.Registrar
			t.System.Registrar = registrar{Registrar: r, hold: func(ctx context.Context, q hospital.HoldRequest) (hospital.Hold, error) {
				q.Key = hospital.Key(strings.Repeat("0", 6) + string(q.Key)[6:])
				return r.Hold(ctx, q)
			}}
		}},
		{"resells a number", "a number is sold once", func(t *histest.Trial) {
			r := t.System.Registrar
			t.System.Registrar = registrar{Registrar: r, hold: func(ctx context.Context, q hospital.HoldRequest) (hospital.Hold, error) {
				h, err := r.Hold(ctx, q)
				if err == nil && h.QueueNo > 1 {
					h.QueueNo--
				}
				return h, err
			}}
		}},
		{"answers with the wrong patient", "a hold takes exactly one number", func(t *histest.Trial) {
			r := t.System.Registrar
			t.System.Registrar = registrar{Registrar: r, hold: func(ctx context.Context, q hospital.HoldRequest) (hospital.Hold, error) {
				h, err := r.Hold(ctx, q)
				h.Patient = "P000009"
				return h, err
			}}
		}},
		{"finds another patient's registration", "nobody is told another patient's registrations", func(t *histest.Trial) {
			r := t.System.Registrar
			var first hospital.Key
			t.System.Registrar = registrar{Registrar: r, find: func(ctx context.Context, key hospital.Key) (hospital.Registration, error) {
				if first == "" {
					first = key
				}
				found, err := r.Find(ctx, first)
				found.Key = key
				return found, err
			}}
		}},
		{"takes yuan for fen in a fee", "a hold takes exactly one number", func(t *histest.Trial) {
			r := t.System.Registrar
			t.System.Registrar = registrar{Registrar: r, hold: func(ctx context.Context, q hospital.HoldRequest) (hospital.Hold, error) {
				h, err := r.Hold(ctx, q)
				h.Fee /= 100
				return h, err
			}}
		}},
		{"takes yuan for fen in a bill", "a bill is owed to the fen", func(t *histest.Trial) {
			t.System.Billing = billing{Billing: t.System.Billing, factor: 100}
		}},
		{"reads GBK as UTF-8", "the directory's Chinese is intact", func(t *histest.Trial) {
			t.System.Directory = directory{Directory: t.System.Directory, text: func(s string) string {
				raw, _ := simplifiedchinese.GB18030.NewEncoder().String(s)
				return raw
			}}
		}},
		{"reads UTF-8 as GBK", "the directory's Chinese is intact", func(t *histest.Trial) {
			t.System.Directory = directory{Directory: t.System.Directory, text: func(s string) string {
				wrong, _ := simplifiedchinese.GB18030.NewDecoder().String(s)
				return wrong
			}}
		}},
		{"writes ? for rare characters", "a patient is found by each identifier, character for character", func(t *histest.Trial) {
			t.System.Patients = patients{Patients: t.System.Patients, text: strings.NewReplacer("𠮷", "?", "䶮", "?").Replace}
		}},
		{"leaves no tombstone", "a hold that may be given up can be cancelled", func(t *histest.Trial) {
			t.System.Assurances.Hold.Cancellable = false
		}},
		{"cancels once only", "a cancelled number is free once", func(t *histest.Trial) {
			r := t.System.Registrar
			gone := map[hospital.Key]bool{}
			t.System.Registrar = registrar{Registrar: r, cancel: func(ctx context.Context, key hospital.Key) error {
				if gone[key] {
					return &hospital.Error{Kind: hospital.Rejected, Code: "-1", Detail: "已退号"}
				}
				gone[key] = true
				return r.Cancel(ctx, key)
			}}
		}},
		{"cannot cancel what never was", "cancelling what never was succeeds", func(t *histest.Trial) {
			r := t.System.Registrar
			t.System.Registrar = registrar{Registrar: r, cancel: func(ctx context.Context, key hospital.Key) error {
				if _, err := r.Find(ctx, key); err != nil {
					return err
				}
				return r.Cancel(ctx, key)
			}}
		}},
		{"forgets a cancel that came first", "a cancel before a late hold is final", func(t *histest.Trial) {
			r := t.System.Registrar
			t.System.Registrar = registrar{Registrar: r, cancel: func(ctx context.Context, key hospital.Key) error {
				if _, err := r.Find(ctx, key); err == nil {
					return r.Cancel(ctx, key)
				}
				return nil
			}}
		}},
		{"says cancelled and does nothing", "a cancelled registration is not in force", func(t *histest.Trial) {
			t.System.Registrar = registrar{Registrar: t.System.Registrar, cancel: func(context.Context, hospital.Key) error { return nil }}
		}},
		{"claims absent what is there", "a hold is found by its key", func(t *histest.Trial) {
			t.System.Registrar = registrar{Registrar: t.System.Registrar, find: func(context.Context, hospital.Key) (hospital.Registration, error) {
				return hospital.Registration{}, &hospital.Error{Kind: hospital.NotFound}
			}}
		}},
		{"finds an empty registration instead of NotFound", "a key that was never used is NotFound", func(t *histest.Trial) {
			r := t.System.Registrar
			t.System.Registrar = registrar{Registrar: r, find: func(ctx context.Context, key hospital.Key) (hospital.Registration, error) {
				found, err := r.Find(ctx, key)
				if hospital.KindOf(err) == hospital.NotFound {
					err = nil
				}
				return found, err
			}}
		}},
		{"books a settlement twice", "a fee and its refund stand in the settlements once each", func(t *histest.Trial) {
			t.System.Settlements = settlements{t.System.Settlements, func(rows []his.Settlement) []his.Settlement {
				return slices.Concat(rows, rows)
			}}
		}},
		{"books a refund as a payment", "a fee and its refund stand in the settlements once each", func(t *histest.Trial) {
			t.System.Settlements = settlements{t.System.Settlements, func(rows []his.Settlement) []his.Settlement {
				for i := range rows {
					rows[i].Amount = max(rows[i].Amount, -rows[i].Amount)
				}
				return rows
			}}
		}},
		{"ignores a wrong sum", "a wrong sum is refused", func(t *histest.Trial) {
			r, fee := t.System.Registrar, t.Fee
			t.System.Registrar = registrar{Registrar: r, confirm: func(ctx context.Context, q hospital.ConfirmRequest) (hospital.Registration, error) {
				if q.Paid > 0 {
					q.Paid = fee
				}
				return r.Confirm(ctx, q)
			}}
		}},
		{"keeps a hold that ran out", "a hold that ran out frees its number", func(t *histest.Trial) {
			r := t.System.Registrar
			t.System.Registrar = registrar{Registrar: r, hold: func(ctx context.Context, q hospital.HoldRequest) (hospital.Hold, error) {
				h, err := r.Hold(ctx, q)
				if err == nil {
					_, err = r.Confirm(ctx, hospital.ConfirmRequest{Key: q.Key, Patient: q.Patient, Hold: h})
				}
				return h, err
			}}
		}},
		{"holds a slot that does not exist", "a slot that does not exist cannot be held", func(t *histest.Trial) {
			r, slot := t.System.Registrar, t.Slot
			t.System.Registrar = registrar{Registrar: r, hold: func(ctx context.Context, q hospital.HoldRequest) (hospital.Hold, error) {
				if h, err := r.Hold(ctx, q); hospital.KindOf(err) != hospital.NotFound || err == nil {
					return h, err
				}
				q.Slot = slot
				return r.Hold(ctx, q)
			}}
		}},
		{"swallows a refusal as success", "a number is sold once", func(t *histest.Trial) {
			r := t.System.Registrar
			t.System.Registrar = registrar{Registrar: r, hold: func(ctx context.Context, q hospital.HoldRequest) (hospital.Hold, error) {
				h, err := r.Hold(ctx, q)
				if hospital.KindOf(err) == hospital.Conflict {
					err = nil
				}
				return h, err
			}}
		}},
		{"claims idempotent but is not", "the same key holds once", func(t *histest.Trial) {
			r, now := t.System.Registrar, t.Now
			t.System.Registrar = registrar{Registrar: r, hold: func(ctx context.Context, q hospital.HoldRequest) (hospital.Hold, error) {
				q.Key = hospital.Key(hospital.NewID("k", now()))
				return r.Hold(ctx, q)
			}}
		}},
		{"reports a lost answer as a failure", "a payment whose answer was lost is found by its key", func(t *histest.Trial) {
			r := t.System.Registrar
			t.System.Registrar = registrar{Registrar: r, confirm: func(ctx context.Context, q hospital.ConfirmRequest) (hospital.Registration, error) {
				answer, err := r.Confirm(ctx, q)
				if hospital.KindOf(err) == hospital.Indeterminate {
					err = &hospital.Error{Kind: hospital.Unavailable, Err: err}
				}
				return answer, err
			}}
		}},
		{"pays whatever the bill says now", "a bill quoted anew is refused at the old quote", func(t *histest.Trial) {
			b := t.System.Billing
			t.System.Billing = billing{Billing: b, settle: func(ctx context.Context, q his.SettleRequest) (his.Payment, error) {
				if now, err := b.Bill(ctx, q.Patient, q.Bill); err == nil {
					q.Quote, q.Amount = now.Quote, now.Amount
				}
				return b.Settle(ctx, q)
			}}
		}},
		{"shows a stranger's bill", "a stranger's bill and none answer alike", func(t *histest.Trial) {
			t.System.Billing = billing{Billing: t.System.Billing, any: true}
		}},
		{"finds somebody by nothing", "nobody is found by nothing, by two things or by a stranger's number", func(t *histest.Trial) {
			t.System.Patients = patients{Patients: t.System.Patients, any: true}
		}},
		{"keeps closed clinics to itself", "a closed clinic refuses", func(t *histest.Trial) {
			t.System.Scheduling = scheduling{t.System.Scheduling}
		}},
		{"offers a role that is a nil pointer", "a role that is not offered is really nil", func(t *histest.Trial) {
			t.System.Desk = (*desk)(nil)
		}},
		{"assures what it does not offer", "an assurance belongs to a role that is offered", func(t *histest.Trial) {
			t.System.Deposits = nil
		}},
	}
}

func TestConformCatchesEveryBrokenAdapter(t *testing.T) {
	t.Parallel()
	var table strings.Builder
	w := tabwriter.NewWriter(&table, 0, 4, 2, ' ', 0)
	row := func(cells ...string) {
		_, err := w.Write([]byte(strings.Join(cells, "\t") + "\n"))
		require.NoError(t, err)
	}
	row("\nDEFECT", "CAUGHT BY", "SAYING")
	sound := histest.SubjectOver(histest.Direct)
	for _, b := range breakers() {
		results := histest.Examine(t.Context(), histest.Subject{New: func(ctx context.Context) (*histest.Trial, error) {
			trial, err := sound.New(ctx)
			if err == nil {
				b.spoil(trial)
			}
			return trial, err
		}})
		var caught []string
		for _, r := range results {
			if r.Outcome == histest.Failed {
				caught = append(caught, r.Check)
				if r.Check == b.caught {
					row(b.defect, r.Check, r.Detail)
				}
			}
		}
		require.Contains(t, caught, b.caught, "a HIS that %s", b.defect)
	}
	require.NoError(t, w.Flush())
	t.Log(table.String())
}

func TestConformDemandsNothingThatIsNotOffered(t *testing.T) {
	t.Parallel()
	sound := histest.SubjectOver(histest.Direct)
	results := histest.Examine(t.Context(), histest.Subject{New: func(ctx context.Context) (*histest.Trial, error) {
		trial, err := sound.New(ctx)
		trial.System = his.System{Directory: trial.System.Directory, Registrar: trial.System.Registrar}
		return trial, err
	}})
	counts := map[histest.Outcome]int{}
	for _, r := range results {
		require.NotEqual(t, histest.Failed, r.Outcome, "%s: %s", r.Check, r.Detail)
		counts[r.Outcome]++
	}
	require.Positive(t, counts[histest.Passed])
	require.Positive(t, counts[histest.Skipped])
	t.Logf("without assurances and with two roles: %d passed, %d skipped", counts[histest.Passed], counts[histest.Skipped])
}
