package hospital_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wxhospital/hospital"
)

func TestYuanIsReadExactly(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]hospital.Fen{
		"0": 0, "12": 1200, "12.5": 1250, "12.05": 1205, "-0.30": -30, "0.01": 1, "9999999999.99": 999999999999,
	} {
		got, err := hospital.ParseYuan(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got, text)
	}
	for name, text := range map[string]string{
		"three decimals are never rounded": "1.005", "empty": "", "a point alone": ".", "no whole part": ".5",
		"no fraction": "5.", "an exponent": "1e3", "a plus": "+1", "a thousands comma": "1,000", "space": " 1",
		"full-width digits": "１２", "eleven digits": "12345678901", "two minus": "--1", "hex": "0x10",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := hospital.ParseYuan(text)
			require.Equal(t, hospital.Invalid, hospital.KindOf(err))
		})
	}
}

func TestFenSurvivesTheWayToYuanAndBack(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		fen := hospital.Fen(rapid.Int64Range(-999999999999, 999999999999).Draw(t, "fen"))
		back, err := hospital.ParseYuan(fen.Yuan())
		require.NoError(t, err)
		require.Equal(t, fen, back)
	})
	require.Equal(t, "-92233720368547758.08", hospital.Fen(math.MinInt64).Yuan())
	require.Equal(t, "12.50元", hospital.Fen(1250).String())
}

func FuzzParseYuan(f *testing.F) {
	for _, seed := range []string{"12.50", "-0.01", "", ".", "1e9", "１.２", "00012.3"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		fen, err := hospital.ParseYuan(text)
		if err != nil {
			require.Equal(t, hospital.Invalid, hospital.KindOf(err))
			return
		}
		again, err := hospital.ParseYuan(fen.Yuan())
		require.NoError(t, err)
		require.Equal(t, fen, again)
	})
}

func TestADateKnowsHowMuchIsKnown(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		printed   string
		precision hospital.Precision
	}{
		"2026-11-21": {"2026-11-21", hospital.ToDay}, "20261121": {"2026-11-21", hospital.ToDay},
		"1950-06": {"1950-06", hospital.ToMonth}, "195006": {"1950-06", hospital.ToMonth}, "1950": {"1950", hospital.ToYear},
	} {
		date, err := hospital.ParseDate(text)
		require.NoError(t, err, text)
		require.Equal(t, want.printed, date.String())
		require.Equal(t, want.precision, date.Precision())
		data, err := json.Marshal(date)
		require.NoError(t, err)
		var back hospital.Date
		require.NoError(t, json.Unmarshal(data, &back))
		require.Equal(t, date, back)
	}
	for _, text := range []string{"", "2026-02-30", "2026-13-01", "26-01-01", "2026/01/01", "0000", "20260230"} {
		_, err := hospital.ParseDate(text)
		require.Equal(t, hospital.Invalid, hospital.KindOf(err), text)
	}
	_, err := hospital.NewDate(2025, time.February, 29)
	require.Equal(t, hospital.Invalid, hospital.KindOf(err))
}

func TestADayIsChinasDay(t *testing.T) {
	t.Parallel()
	lateInLondon := time.Date(2026, 12, 31, 17, 0, 0, 0, time.UTC)
	day := hospital.DateOf(lateInLondon)
	require.Equal(t, "2027-01-01", day.String())
	require.Equal(t, "2026-12-31", day.AddDays(-1).String())
	require.Equal(t, 1, day.AddDays(-1).DaysUntil(day))
	leap, err := hospital.NewDate(2028, time.February, 28)
	require.NoError(t, err)
	require.Equal(t, "2028-02-29", leap.AddDays(1).String())
	require.True(t, leap.Before(leap.AddDays(1)))
	require.Equal(t, time.Friday, day.Weekday())
}

func TestAnIdentityNumberIsChecked(t *testing.T) {
	t.Parallel()
	number, err := hospital.ParseIDNumber("11010519491231002x") // the specimen printed in GB 11643-1999
	require.NoError(t, err)
	require.Equal(t, "1949-12-31", number.BirthDate().String())
	require.Equal(t, "1****************X", number.Masked())
	for _, text := range []string{"110105194912310021", "11010519491331002X", "11010519491231002", "", "１１0105194912310"} {
		_, err := hospital.ParseIDNumber(text)
		require.Equal(t, hospital.Invalid, hospital.KindOf(err))
		if text != "" {
			require.NotContains(t, err.Error(), text)
		}
		require.NotEmpty(t, hospital.MessageFor(err))
	}
}

func TestAPatientIsMaskedInALog(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	patient := hospital.Patient{ID: "P1", Name: "张三丰", IDNumber: "11010519491231002X", Phone: "13800000001", Cards: []hospital.CardNo{"6217000012345678"}}
	log := slog.New(slog.NewJSONHandler(&out, nil))
	log.Info("read", "patient", patient, "phone", patient.Phone, "number", patient.IDNumber, "card", patient.Cards[0], "name", patient.Name)
	for _, secret := range []string{"三丰", "11010519491231002", "13800000001", "6217000012345678"} {
		require.NotContains(t, out.String(), secret)
	}
	require.Contains(t, out.String(), "138****0001")
	require.Equal(t, "*", hospital.Name("张").Masked(), "a name of one character shows nothing")
}

func TestAgeCountsBirthdays(t *testing.T) {
	t.Parallel()
	born, err := hospital.ParseDate("2012-02-29")
	require.NoError(t, err)
	child := hospital.Patient{BirthDate: born}
	for day, age := range map[string]int{"2026-02-28": 13, "2026-03-01": 14, "2012-02-29": 0} {
		on, err := hospital.ParseDate(day)
		require.NoError(t, err)
		require.Equal(t, age, child.AgeAt(on), day)
	}
	require.Equal(t, -1, hospital.Patient{}.AgeAt(born))
}

func TestAnErrorTellsThePatientNothingTechnical(t *testing.T) {
	t.Parallel()
	cause := &hospital.Error{Kind: hospital.Rejected, Op: "his.Hold", Code: "E1007", Detail: "ORA-12514", Message: "该号源已约满。"}
	wrapped := fmt.Errorf("book: %w", &hospital.Error{Kind: hospital.Conflict, Op: "booking.Book", Err: cause})
	require.Equal(t, hospital.Conflict, hospital.KindOf(wrapped))
	require.Equal(t, "E1007", hospital.CodeOf(wrapped))
	require.Equal(t, "该号源已约满。", hospital.MessageFor(wrapped))
	require.Equal(t, "book: booking.Book: conflict: his.Hold: rejected [E1007]: ORA-12514", wrapped.Error())
	require.ErrorIs(t, wrapped, &hospital.Error{Kind: hospital.Rejected, Code: "E1007"})
	require.NotErrorIs(t, wrapped, &hospital.Error{Kind: hospital.Rejected, Code: "other"})
	seen := map[string]bool{}
	for kind := hospital.Internal; kind <= hospital.Indeterminate; kind++ {
		message := hospital.MessageFor(&hospital.Error{Kind: kind, Op: "x", Detail: "ORA-1"})
		require.NotContains(t, message, "ORA")
		require.True(t, strings.HasSuffix(message, "。"), message)
		seen[message+kind.String()] = true
	}
	require.Len(t, seen, 8)
	require.Equal(t, hospital.Internal, hospital.KindOf(errors.New("anything")))
	require.Empty(t, hospital.CodeOf(errors.New("anything")))
}

func TestIdentifiersSortByTimeAndFitTheWires(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 7, 0, 0, 0, hospital.CST)
	previous := ""
	for i := range 1000 {
		id := hospital.NewID("a", now.Add(time.Duration(i)*time.Millisecond))
		require.Greater(t, id, previous)
		require.Len(t, id, 27)
		require.True(t, hospital.Key(id).Valid())
		require.True(t, hospital.Key("c"+id).Valid())
		previous = id
	}
	for _, bad := range []hospital.Key{"", "short", hospital.Key(strings.Repeat("x", 33)), "with space", "号源号源号源"} {
		require.False(t, bad.Valid(), bad)
	}
}

// grants is a table of who may see whom, and the trail of who did.
type grants struct {
	until time.Time
	err   error
	fail  error
	trail []hospital.AuditEntry
}

func (g *grants) Granted(_ context.Context, actor hospital.Actor, patient hospital.PatientID) (time.Time, error) {
	if actor.ID == "u1" && patient == "P1" {
		return g.until, g.err
	}
	return time.Time{}, &hospital.Error{Kind: hospital.NotFound, Code: "no_grant"}
}

func (g *grants) Record(_ context.Context, entry hospital.AuditEntry) error {
	if g.fail != nil {
		return g.fail
	}
	g.trail = append(g.trail, entry)
	return nil
}

func TestAScopeLeavesATraceBeforeItYieldsThePatient(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, hospital.CST)
	book := &grants{until: now.Add(time.Hour)}
	clock := now
	gate := hospital.NewGate(book, func() time.Time { return clock })
	holder := hospital.Actor{Kind: hospital.ActorUser, ID: "u1", Entry: hospital.EntryWeChat}
	access := hospital.Access{Purpose: "care", Action: "report.read", Object: "R1"}

	scope, err := gate.Open(t.Context(), holder, "P1")
	require.NoError(t, err)
	patient, err := scope.Use(t.Context(), access)
	require.NoError(t, err)
	require.Equal(t, hospital.PatientID("P1"), patient)
	require.Equal(t, "report.read", book.trail[0].Action)
	require.Equal(t, holder, scope.Actor())

	book.fail = errors.New("disk full")
	patient, err = scope.Use(t.Context(), access)
	require.Equal(t, hospital.Unavailable, hospital.KindOf(err))
	require.Empty(t, patient, "no trace, no data")
	book.fail = nil

	clock = now.Add(time.Hour)
	patient, err = scope.Use(t.Context(), access)
	require.Equal(t, hospital.NotFound, hospital.KindOf(err))
	require.Empty(t, patient)
	require.Equal(t, "not_found no_scope", book.trail[1].Outcome, "the attempt is in the trail")
	_, err = gate.Open(t.Context(), holder, "P1")
	require.Equal(t, hospital.NotFound, hospital.KindOf(err), "a lapsed grant opens nothing")

	_, foreign := gate.Open(t.Context(), holder, "P2")
	_, empty := gate.Open(t.Context(), holder, "")
	_, zero := hospital.PatientScope{}.Use(t.Context(), access)
	_, zeroGate := (&hospital.Gate{}).Open(t.Context(), holder, "P1")
	for _, err := range []error{foreign, empty, zero, zeroGate} {
		require.Equal(t, hospital.NotFound, hospital.KindOf(err))
	}
}
