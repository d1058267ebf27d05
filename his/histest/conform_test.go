package histest_test

import (
	"testing"

	"github.com/wxhospital/hospital/his/histest"
)

func TestTheSimulatedHospitalConforms(t *testing.T) {
	t.Parallel()
	histest.Conform(t, histest.SubjectOver(histest.Direct))
}
