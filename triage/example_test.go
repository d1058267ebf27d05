package triage_test

import (
	"context"
	"fmt"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/triage"
)

func ExampleDesk_Advise() {
	desk, err := triage.New(triage.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	advice, err := desk.Advise(context.Background(), triage.Complaint{
		Text: "膝盖疼，上下楼明显", Sex: triage.Female, Age: triage.AgeYears(56),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(advice.Level(), advice.Departments[0].Department.Name, advice.Sure)
	// Output: none 骨科(骨伤/运动医学) true
}

func ExampleSet_In() {
	set, err := triage.Load(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	region, _ := set.Region(triage.FrontView, "knee")
	for _, part := range set.In(region.Parts, triage.Male, false) {
		fmt.Println(region.Label, part.Name, part.Symptoms[0].Name)
	}
	// Output: 膝部 膝部 膝痛
}

func ExampleOverlay_Load() {
	set, err := triage.Overlay{
		House:  []hospital.Department{{ID: "D101", Name: "骨伤科"}, {ID: "D102", Name: "脾胃病科"}},
		Bundle: []byte(`{"set": {"kind": "set", "version": "house-1"}}`),
	}.Load()
	if err != nil {
		fmt.Println(err)
		return
	}
	knee, err := set.Advise(triage.Complaint{Text: "膝盖疼"})
	if err != nil {
		fmt.Println(err)
		return
	}
	eye, err := set.Advise(triage.Complaint{Text: "眼睛红"})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(set.Version(), knee.Departments[0].Department.Local, eye.Departments[0].Department.Name, eye.Departments[0].Absent)
	// Output: 2026.11.3+house-1 D101 眼科 true
}

func ExampleSet_Score() {
	set, err := triage.Load(nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	cases, err := triage.ReadCases([]byte(`{"id": "1", "text": "膝盖疼", "gold": ["ORTH"], "expect": "none"}
{"id": "2", "text": "膝盖疼", "gold": ["TCM"]}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	score, err := set.Score(cases)
	fmt.Println(score.First, "of", score.Cases, score.Wrong, err)
	// Output: 1 of 2 [{2 [TCM] ORTH}] <nil>
}

func ExampleChanges() {
	changes, err := triage.Changes(
		[]byte(`{"rules": {"kind": "rules", "rules": [{"id": "a", "why": "x"}, {"id": "b", "why": "x"}]}}`),
		[]byte(`{"rules": {"kind": "rules", "rules": [{"id": "b", "why": "y"}, {"id": "c", "why": "x"}]}}`))
	fmt.Println(changes, err)
	// Output: [{rules a false true} {rules b false false} {rules c true false}] <nil>
}
