package booking

import (
	"context"
	"fmt"

	"github.com/wxhospital/hospital"
)

// Bounds of a grant: far above any real clinic's day.
const (
	maxGrantSlots  = 2000
	maxSlotNumbers = 1000
)

// Grant adds numbers that the hospital handed to us; only staff and the
// system's import may. Granting again is harmless. It is Denied for others and
// Invalid for a slot without id, schedule or positive numbers.
func (d *Desk) Grant(ctx context.Context, actor hospital.Actor, slots []QuotaSlot) error {
	const op = "booking.Grant"
	audit := hospital.AuditEntry{At: d.cfg.Now(), Actor: actor, Purpose: "quota", Action: "quota.grant", Outcome: "ok"}
	if err := d.staffOnly(ctx, op, audit, hospital.ActorSystem); err != nil {
		return err
	}
	invalid := func(detail string, args ...any) error {
		return &hospital.Error{Kind: hospital.Invalid, Op: op, Code: "bad_request", Detail: fmt.Sprintf(detail, args...)}
	}
	if len(slots) == 0 || len(slots) > maxGrantSlots {
		return invalid("slots: want 1 to %d", maxGrantSlots)
	}
	numbers := 0
	for i, slot := range slots {
		if slot.Slot == "" || slot.Schedule == "" {
			return invalid("slots[%d]: id and schedule are required", i)
		}
		if len(slot.Numbers) == 0 || len(slot.Numbers) > maxSlotNumbers {
			return invalid("slots[%d].numbers: want 1 to %d", i, maxSlotNumbers)
		}
		for _, number := range slot.Numbers {
			if number <= 0 {
				return invalid("slots[%d].numbers: %d is not positive", i, number)
			}
		}
		numbers += len(slot.Numbers)
	}
	audit.Object = fmt.Sprintf("%d slots from %s, %d numbers", len(slots), slots[0].Slot, numbers)
	return d.cfg.Store.Grant(ctx, slots, audit)
}

// Recall takes unsold numbers back for the hospital, which may then sell them
// itself, and returns them; those it does not return are patients'. Only staff
// and the system's import may, and they give a reason. It is Denied for others,
// NotFound for a slot never granted. When its answer is lost (Indeterminate),
// recall again: numbers that are not ours any more are not returned twice, so
// compare with what QuotaLeft says.
func (d *Desk) Recall(ctx context.Context, actor hospital.Actor, recall QuotaRecall, reason string) ([]int, error) {
	const op = "booking.Recall"
	audit := hospital.AuditEntry{
		At: d.cfg.Now(), Actor: actor, Purpose: reason, Action: "quota.recall", Object: string(recall.Slot), Outcome: "ok",
	}
	if err := d.staffOnly(ctx, op, audit, hospital.ActorSystem); err != nil {
		return nil, err
	}
	detail := ""
	switch {
	case reason == "":
		detail = "reason is required"
	case recall.Slot == "":
		detail = "Slot is empty"
	case len(recall.Numbers) > maxSlotNumbers || recall.Last < 0 || recall.Last > maxSlotNumbers,
		(len(recall.Numbers) > 0) == (recall.Last > 0):
		detail = fmt.Sprintf("want Numbers or Last, of 1 to %d", maxSlotNumbers)
	}
	if detail != "" {
		return nil, &hospital.Error{Kind: hospital.Invalid, Op: op, Code: "bad_request", Detail: detail}
	}
	return d.cfg.Store.Recall(ctx, recall, audit)
}
