package wire_test

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his/internal/wire"
	"github.com/wxhospital/hospital/his/soap"
)

func decode(tb require.TestingT, text string, message any, strict bool) error {
	node, err := soap.ParseDocument(text)
	require.NoError(tb, err)
	return wire.Decode(node, message, strict)
}

func TestARequestIsReadBackAsItWasWritten(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.RuneFrom([]rune("<>&;'\" 张𠮷a0^|]\n\r\t")))
		want := wire.SettleRequest{
			Key: "key-000001", Bill: text.Filter(func(s string) bool { return s != "" }).Draw(t, "bill"), Patient: "P1",
			Amount: hospital.Fen(rapid.Int64Range(-1e9, 1e9).Draw(t, "amount")),
			Opaque: text.Draw(t, "store"),
			PaidAt: time.Unix(rapid.Int64Range(0, 4e9).Draw(t, "paid at"), 0).In(hospital.CST),
		}
		encoded, err := wire.Encode("Request", want)
		require.NoError(t, err)
		var got wire.SettleRequest
		require.NoError(t, decode(t, encoded, &got, true))
		require.Equal(t, want, got)
	})
}

func TestAPatientWithCardsAndGuardianIsReadBack(t *testing.T) {
	t.Parallel()
	born, err := hospital.ParseDate("2024-06")
	require.NoError(t, err)
	want := hospital.Patient{
		ID: "P1", Name: "欧阳𠮷", Sex: hospital.Male, BirthDate: born, Cards: []hospital.CardNo{"1", "2"}, Payer: hospital.Insured,
		Guardian: &hospital.Guardian{Name: "欧阳䶮", Phone: "13800138000"},
	}
	encoded, err := wire.Encode("Patient", wire.PatientOf(want))
	require.NoError(t, err)
	var got wire.Patient
	require.NoError(t, decode(t, encoded, &got, true))
	require.Equal(t, want, got.Noun())
	line := wire.Summary(got)
	require.Equal(t, "PatientID=P1 Name=欧** Sex=male BirthDate=2024-06 CardNo×2 Payer=insured Name=欧** Phone=138****8000", line)
}

func TestEncodeRefusesWhatTheFarSideWouldRefuse(t *testing.T) {
	t.Parallel()
	whole := wire.HoldRequest{Key: "key-000001", Schedule: "S", Patient: "P"}
	tests := []struct {
		name string
		edit func(*wire.HoldRequest)
		want string
	}{
		{"nobody", func(r *wire.HoldRequest) { r.Patient = "" }, "Request/PatientID: required"},
		{"a kind that nobody knows", func(r *wire.HoldRequest) { r.Kind = "odd" }, "Request/VisitKind: want one of advance, same_day"},
		{"a control character", func(r *wire.HoldRequest) { r.Opaque = "\x00" }, "Request/Store: a character that XML cannot carry"},
		{"bytes that are no text", func(r *wire.HoldRequest) { r.Opaque = "\xff" }, "Request/Store: a character that XML cannot carry"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			request := whole
			test.edit(&request)
			_, err := wire.Encode("Request", request)
			require.EqualError(t, err, test.want)
		})
	}
}

func TestTheServerReadsStrictly(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ text, want string }{
		"an unknown element":    {"<Request><Key>key-000001</Key><Kez/></Request>", "Request: an element that the message does not have"},
		"a bad key":             {"<Request><Key>a b</Key></Request>", "Request/Key: no key of ours"},
		"elements in a text":    {"<Request><Key>key-<b/>000001</Key></Request>", "Request/Key: want text, not elements"},
		"a key with its margin": {"<Request><Key> key-000001</Key></Request>", "Request/Key: no key of ours"},
	} {
		var request wire.KeyRequest
		require.EqualError(t, decode(t, test.text, &request, true), test.want, name)
	}
}

// TestTheDocumentNamesEveryElement keeps docs/his-web-service.md and the
// structs together.
func TestTheDocumentNamesEveryElement(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "his-web-service.md"))
	require.NoError(t, err)
	require.Contains(t, string(doc), "`"+wire.Namespace+"`")
	named := map[string]bool{}
	for _, word := range regexp.MustCompile("`([A-Za-z>]+)(\\??)`(\\??)").FindAllStringSubmatch(string(doc), -1) {
		named[word[1]+word[2]+word[3]] = true
	}
	for _, message := range []any{
		wire.DoctorsRequest{},
		wire.SchedulesRequest{},
		wire.SlotsRequest{},
		wire.DaysRequest{},
		wire.DayRequest{},
		wire.KeyRequest{},
		wire.HoldRequest{},
		wire.ConfirmRequest{},
		wire.RegistrationsRequest{},
		wire.PatientRequest{},
		wire.BillRequest{},
		wire.SettleRequest{},
		wire.FindPatientRequest{},
		wire.CreatePatientRequest{},
		wire.CardRequest{},
		wire.TimeAnswer{},
		wire.CampusesAnswer{},
		wire.DepartmentsAnswer{},
		wire.DoctorsAnswer{},
		wire.SchedulesAnswer{},
		wire.SlotsAnswer{},
		wire.SuspensionsAnswer{},
		wire.HoldAnswer{},
		wire.RegistrationAnswer{},
		wire.RegistrationsAnswer{},
		wire.KeyAnswer{},
		wire.BillsAnswer{},
		wire.BillAnswer{},
		wire.PaymentAnswer{},
		wire.SettlementsAnswer{},
		wire.PatientAnswer{},
		wire.CardAnswer{},
		wire.Campus{},
		wire.Department{},
		wire.Doctor{},
		wire.Slot{},
		wire.Suspension{},
		wire.Hold{},
		wire.Registration{},
		wire.Schedule{},
		wire.Bill{},
		wire.BillItem{},
		wire.Payment{},
		wire.Settlement{},
		wire.Guardian{},
		wire.NewPatient{},
		wire.Patient{},
	} {
		kind := reflect.TypeOf(message)
		for field := range kind.Fields() {
			if field.Anonymous {
				continue
			}
			name, option, _ := strings.Cut(field.Tag.Get("wire"), ",")
			if option == "optional" || field.Type.Kind() == reflect.Pointer {
				name += "?"
			}
			require.True(t, named[name], "%s.%s: the document lacks `%s`", kind.Name(), field.Name, name)
			for value := range strings.FieldsSeq(field.Tag.Get("oneof")) {
				require.Contains(t, string(doc), "`"+value+"`", "%s.%s", kind.Name(), field.Name)
			}
		}
	}
}

// TestTheDocumentsExamplesAreRight reads each XML text of the document.
func TestTheDocumentsExamplesAreRight(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "his-web-service.md"))
	require.NoError(t, err)
	blocks := regexp.MustCompile("(?s)```xml\n(<Re.*?)\n```").FindAllStringSubmatch(string(doc), -1)
	require.Len(t, blocks, 3)
	require.NoError(t, decode(t, blocks[0][1], &wire.HoldRequest{}, true))
	require.NoError(t, decode(t, blocks[1][1], &wire.HoldAnswer{}, true))
	require.NoError(t, decode(t, blocks[2][1], &wire.Result{}, true))
}
