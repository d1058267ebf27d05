package triage_test

import (
	"encoding/json"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital/triage"
)

// FuzzAdvise: no text breaks the reading, and the answer is the same twice.
func FuzzAdvise(f *testing.F) {
	set := load(f)
	for _, text := range []string{"没有呼吸", "血压180/110，头痛", "宝宝三个半月 38.5℃", "叫..不醒", "孕32周+3", "\xff\xfe", "１８０／", "半半半个月", "十百千个月大"} {
		f.Add(text, uint16(400), true)
	}
	f.Fuzz(func(t *testing.T, text string, days uint16, isChild bool) {
		c := triage.Complaint{Text: text, Age: triage.AgeDays(int(days)), Child: isChild}
		first, err := set.Advise(c)
		second, again := set.Advise(c)
		require.Equal(t, err, again)
		require.Equal(t, first, second)
		if err == nil {
			require.GreaterOrEqual(t, len(first.Departments), 3)
		}
	})
}

// FuzzKnowledge: whatever an editor uploads is loaded or refused with a
// reason; nothing panics and nothing is half taken.
func FuzzKnowledge(f *testing.F) {
	for _, kind := range []string{"rules", "symptoms", "redflags", "hospital", "bodymap", "questions", "figure", "language"} {
		f.Add(kind, []byte(`{"kind":"`+kind+`","`+kind+`":[{"id":"a","name":"某词","say":["甲\u4e59"],"weights":{"GI":-3},"when":[{"all":[["x"]]}]}]}`))
	}
	f.Fuzz(func(t *testing.T, kind string, data []byte) {
		switch kind {
		case "set", "departments", "language", "sensations", "bodymap", "figure", "symptoms", "traits", "rules", "questions", "redflags", "hospital":
		default:
			return
		}
		set, err := triage.Load(fstest.MapFS{kind + ".json": {Data: data}})
		if err != nil {
			require.ErrorIs(t, err, triage.ErrKnowledge)
			require.Nil(t, set)
			return
		}
		require.NotPanics(t, func() { require.NotContains(t, set.Lint(), triage.Problem{}) })
		_, err = set.Advise(triage.Complaint{Text: "膝盖疼，没有发烧"})
		require.NoError(t, err)
	})
}

// FuzzParse: the strict reader takes nothing that is not JSON.
func FuzzParse(f *testing.F) {
	for _, text := range []string{`{"a":[1,-2,"x\u4e59\ud83d\ude00"],"b":null}`, `[true,false]`, `{"a":1,"a":2}`, `"\x"`, "[[[[[[[[[[[[[[1", `{"a":01}`, `{"a":1.5}`, "\xff"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if triage.Parse(data) == nil {
			require.True(t, json.Valid(data), "%q", data)
		}
	})
}
