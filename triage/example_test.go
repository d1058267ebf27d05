package triage_test

import (
	"context"
	"fmt"

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
