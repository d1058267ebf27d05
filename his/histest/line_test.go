package histest_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/his/histest"
)

func TestALineFailsAsARealOneDoes(t *testing.T) {
	t.Parallel()
	h, _ := open(t, histest.Config{})
	ctx := t.Context()
	_, slot := expertSlot(t, h)
	line := histest.NewLine(h.System())
	far := line.System()

	line.LoseAnswers(histest.OpHold, 1)
	_, err := far.Registrar.Hold(ctx, hold(slot, "line-01", "P000001"))
	refused(t, err, hospital.Indeterminate, "answer_lost")
	_, err = far.Registrar.Find(ctx, "line-01")
	require.NoError(t, err, "the hospital acted")

	line.LoseRequests(histest.OpHold, 1)
	_, err = far.Registrar.Hold(ctx, hold(slot, "line-02", "P000001"))
	refused(t, err, hospital.Indeterminate, "answer_lost")
	_, err = far.Registrar.Find(ctx, "line-02")
	refused(t, err, hospital.NotFound, "unknown_key")

	line.DelayRequests(histest.OpHold, 1)
	_, err = far.Registrar.Hold(ctx, hold(slot, "line-03", "P000001"))
	refused(t, err, hospital.Indeterminate, "answer_lost")
	require.NoError(t, far.Registrar.Cancel(ctx, "line-03"))
	require.Equal(t, 1, line.Deliver(ctx))
	require.Equal(t, map[string]int{"barred": 1}, h.Effects("line-03"), "a late request revives nothing")

	line.LoseAnswers(histest.OpFind, 1)
	_, err = far.Registrar.Find(ctx, "line-01")
	refused(t, err, hospital.Unavailable, "answer_lost")

	line.Cut(true)
	require.Equal(t, hospital.Unavailable, hospital.KindOf(far.Registrar.Cancel(ctx, "line-01")))
	line.Cut(false)
	require.NoError(t, far.Registrar.Cancel(ctx, "line-01"))
	require.Equal(t, 3, line.Calls(histest.OpCancel))

	gone, cancel := context.WithCancel(ctx)
	cancel()
	_, err = far.Registrar.Hold(gone, hold(slot, "line-04", "P000001"))
	refused(t, err, hospital.Unavailable, "not_sent")
}

func TestALineOffersWhatTheFarSideOffers(t *testing.T) {
	t.Parallel()
	require.Equal(t, his.System{}, histest.NewLine(his.System{}).System())
}
