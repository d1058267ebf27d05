package histest

import (
	"context"
	"errors"
	"fmt"

	"github.com/wxhospital/hospital"
)

func cancelChecks() []check {
	return []check{
		{"a hold that may be given up can be cancelled", "Registrar", checkTombstone},
		{"a cancelled number is free once", "Registrar Scheduling Hold.Cancellable Cancel.Idempotent", checkCancelTwice},
		{"a cancelled registration is not in force", "Registrar Hold.Cancellable Hold.Queryable", checkCancelled},
		{"cancelling what never was succeeds", "Registrar Hold.Cancellable", checkCancelNothing},
		{"a cancel before a late hold is final", "Registrar Scheduling Hold.Cancellable", checkLateHold},
		{"a cancel before a late confirmation is final", "Registrar Confirm.Cancellable fee", checkLateConfirm},
		{"a cancel whose request was lost did nothing", "Registrar Hold.Queryable Hold.Cancellable lose-request", checkCancelRequestLost},
		{"a visit that took place cannot be cancelled", "Registrar Scheduling see advance", checkCancelVisit},
	}
}

// checkTombstone demands the claim whose proof is the checks below: who asks
// about a lost hold, or repeats it, gives it up by cancelling its key, and a
// request that arrives after that must be refused.
func checkTombstone(_ context.Context, t *Trial) error {
	if hold := t.System.Assurances.Hold; (hold.Queryable || hold.Idempotent) && !hold.Cancellable {
		return errors.New("Hold is Queryable or Idempotent but not Cancellable: booking refuses such an adapter")
	}
	return nil
}

func checkCancelTwice(ctx context.Context, t *Trial) error {
	before, err := t.slotNow(ctx)
	if err != nil {
		return err
	}
	request, _, err := t.hold(ctx, t.Patient)
	if err != nil {
		return err
	}
	if _, _, err := t.hold(ctx, t.Patient); err != nil {
		return err
	}
	for range 3 {
		if err := t.System.Registrar.Cancel(ctx, request.Key); err != nil {
			return done("Cancel, and again", err)
		}
		if err := t.leftIs(ctx, "after a cancel", fewer(before.Left)); err != nil {
			return err
		}
	}
	if before.Left == hospital.Unlimited {
		return nil
	}
	// Cancelling again after somebody else took the number must not free it.
	numbers, err := t.fill(ctx)
	if err != nil {
		return err
	}
	if err := same("numbers sold after a cancel", len(numbers), before.Left-1); err != nil {
		return err
	}
	if err := t.System.Registrar.Cancel(ctx, request.Key); err != nil {
		return done("Cancel after the number was sold again", err)
	}
	return t.leftIs(ctx, "after a cancel of what another holds now", 0)
}

func checkCancelled(ctx context.Context, t *Trial) error {
	request, hold, err := t.hold(ctx, t.Patient)
	if err != nil {
		return err
	}
	if _, err := t.System.Registrar.Confirm(ctx, hospital.ConfirmRequest{Key: request.Key, Patient: request.Patient, Hold: hold}); err != nil {
		return done("Confirm", err)
	}
	if err := t.System.Registrar.Cancel(ctx, request.Key); err != nil {
		return done("Cancel", err)
	}
	return t.notInForce(ctx, request.Key)
}

// notInForce passes when Find says cancelled, or nothing.
func (t *Trial) notInForce(ctx context.Context, key hospital.Key) error {
	r, err := t.System.Registrar.Find(ctx, key)
	if err != nil {
		return want("Find of a cancelled registration", err, hospital.NotFound)
	}
	if r.State.Live() {
		return fmt.Errorf("a cancelled registration is still %q", r.State)
	}
	return nil
}

func checkCancelNothing(ctx context.Context, t *Trial) error {
	key := t.key()
	for range 2 {
		if err := t.System.Registrar.Cancel(ctx, key); err != nil {
			return done("Cancel of a key that was never used", err)
		}
	}
	return nil
}

func checkLateHold(ctx context.Context, t *Trial) error {
	before, err := t.slotNow(ctx)
	if err != nil {
		return err
	}
	request, err := t.request(ctx, t.Patient)
	if err != nil {
		return err
	}
	if err := t.System.Registrar.Cancel(ctx, request.Key); err != nil {
		return done("Cancel before the hold", err)
	}
	_, err = t.System.Registrar.Hold(ctx, request)
	if err := want("a hold that arrives after its cancel", err, hospital.Rejected, hospital.Conflict); err != nil {
		return err
	}
	return t.leftIs(ctx, "after a late hold", before.Left)
}

func checkLateConfirm(ctx context.Context, t *Trial) error {
	request, hold, err := t.hold(ctx, t.Patient)
	if err != nil {
		return err
	}
	if err := t.System.Registrar.Cancel(ctx, request.Key); err != nil {
		return done("Cancel before the confirmation", err)
	}
	_, err = t.System.Registrar.Confirm(ctx, t.payment(request, hold))
	if err := want("a confirmation that arrives after its cancel", err, hospital.Rejected, hospital.Conflict, hospital.NotFound); err != nil {
		return err
	}
	return t.rowsAre(ctx, request.Key)
}

func checkCancelRequestLost(ctx context.Context, t *Trial) error {
	request, hold, err := t.hold(ctx, t.Patient)
	if err != nil {
		return err
	}
	t.LoseRequest(OpCancel)
	err = t.System.Registrar.Cancel(ctx, request.Key)
	if err := want("Cancel whose request was lost", err, hospital.Indeterminate, hospital.Unavailable); err != nil {
		return err
	}
	return t.findsHold(ctx, request, hold.HISNo)
}

func checkCancelVisit(ctx context.Context, t *Trial) error {
	request, hold, err := t.hold(ctx, t.Patient)
	if err != nil {
		return err
	}
	if _, err := t.System.Registrar.Confirm(ctx, hospital.ConfirmRequest{Key: request.Key, Patient: request.Patient, Hold: hold}); err != nil {
		return done("Confirm", err)
	}
	if err := t.toTheVisit(ctx); err != nil {
		return err
	}
	if err := t.See(hold.HISNo); err != nil {
		return done("the doctor sees the patient", err)
	}
	return want("Cancel after the visit", t.System.Registrar.Cancel(ctx, request.Key), hospital.Rejected)
}
