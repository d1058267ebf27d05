// Package hospital holds the nouns and the ports that every other package of
// this module shares: patients, departments, schedules, appointments at the
// hospital's information system (HIS, 医院信息系统), money in fen, days in
// China's time zone, keys that make a call repeatable, and one error type that
// says what a caller may do next.
//
// It imports the standard library only and does no I/O. A noun lives here when
// two packages must exchange it; what a single package needs stays there.
//
// # Errors
//
// Every package returns [*Error]. Its [Kind] is an instruction: Unavailable
// means that the far side certainly did nothing, Indeterminate that it may
// have acted and must be asked by [Key] before anything else happens. A lost
// answer is never a failure.
//
// # Who may see what
//
// A [Gate] turns an [Actor] and a [PatientID] into a [PatientScope]; reads that
// serve users take a scope, and a scope writes an audit row before it yields
// the patient.
package hospital
