package triage_test

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital/triage"
)

// BenchmarkAdvise reports the 99th percentile of one complaint; the bound is
// one millisecond.
func BenchmarkAdvise(b *testing.B) {
	set := load(b)
	rows := append(cases(b, "coverage.jsonl"), cases(b, "redflags.jsonl")...)
	long := "咳嗽三个月，有白痰，晚上加重，胸闷气短，去医院拍了CT说肺上有结节，吃了头孢和止咳糖浆没效果；没有发烧、没有咯血，睡眠不好，胃口也差；请问要做什么检查，应该挂哪个科"
	complaints := make([]triage.Complaint, 0, len(rows)+1)
	for _, r := range rows {
		c := r.complaint()
		c.Text += "；" + long
		complaints = append(complaints, c)
	}
	var took []time.Duration
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		start := time.Now()
		_, err := set.Advise(complaints[i%len(complaints)])
		took = append(took, time.Since(start))
		require.NoError(b, err)
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

// BenchmarkLoad reads and compiles the shipped set; the bound is 20 ms.
func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		_, err := triage.Load(nil)
		require.NoError(b, err)
	}
}
