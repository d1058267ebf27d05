// Package bill lets a patient pay 门诊账单 online: it turns the HIS's quote into
// a charge, and is the deliverer that books the payment at the HIS, once.
//
//	quoted ─▶ telling ─▶ settled
//	   │         ├─▶ refused
//	   └────┬────┴─▶ withdrawing ─▶ withdrawn
//
// "telling" and "withdrawing" are committed before the call they announce. An
// answer that is lost leaves them standing, and the next attempt asks by key
// first; "absent" counts only after the HIS's quiet time on the wall clock.
package bill
