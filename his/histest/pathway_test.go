package histest_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his/histest"
)

func TestThePathwaysComeOutAsTold(t *testing.T) {
	t.Parallel()
	histest.RunPathways(t, histest.Direct)
}

func TestAPathwayRunsFromAFile(t *testing.T) {
	t.Parallel()
	histest.RunPathway(t, "testdata/pathways/book-and-visit.yaml", histest.Direct)
}

func TestABadlyWrittenPathwayIsNamedByLine(t *testing.T) {
	t.Parallel()
	const head = "title: t\npeople: {甲: P000001}\nclinic: {expert: true, day: 1}\nsteps:\n"
	for _, c := range []struct{ name, story, says string }{
		{"an unknown verb", head + "  - hold: {as: a, for: 甲}\n  - sell: {as: a}\n", `s.yaml:6: unknown verb "sell"`},
		{"an unknown word", head + "  - hold: {as: a, who: 甲}\n", `s.yaml:5: unknown word "who"`},
		{"an unknown expectation", head + "  - cancel: {as: a}\n    expect: {price: 1}\n", `s.yaml:6: unknown word "price"`},
		{"an unknown field", "titel: t\n" + head, `s.yaml:1: unknown word "titel"`},
		{"two verbs in a step", head + "  - hold: {as: a}\n    find: {as: a}\n", "two verbs"},
		{"a plain value where words belong", head + "  - hold: 甲\n", "hold wants words"},
		{"no steps", "title: t\nsteps: []\n", "want a title and steps"},
		{"two documents", head + "  - look:\n---\ntitle: u\n", "a second document"},
		{"no YAML", "title: [", "s.yaml:1: not YAML"},
		{"nothing", "", "s.yaml:1"},
		{"no such clinic", "title: t\nclinic: {department: 牙科}\nsteps:\n  - look:\n", "no such clinic"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := histest.Play(t.Context(), "s.yaml", []byte(c.story), histest.Direct)
			require.ErrorContains(t, err, c.says)
			require.Equal(t, hospital.Invalid, hospital.KindOf(err))
		})
	}
}

func TestAStepThatComesOutOtherwiseIsNamedByLine(t *testing.T) {
	t.Parallel()
	const head = "title: t\npeople: {甲: P000001}\nclinic: {expert: true, day: 1}\nsteps:\n"
	for _, c := range []struct{ name, step, says string }{
		{"another outcome", "  - hold: {as: a, for: 乙}\n", "s.yaml:5: hold: came out invalid patient_required, want ok"},
		{"another fact", "  - hold: {as: a, for: 甲}\n    expect: {left: 3}\n", "s.yaml:5: hold: left is 2, want 3"},
		{"a success that should not be", "  - hold: {as: a, for: 甲}\n    expect: rejected over\n", "came out ok, want rejected over"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			require.ErrorContains(t, histest.Play(t.Context(), "s.yaml", []byte(head+c.step), histest.Direct), c.says)
		})
	}
}
