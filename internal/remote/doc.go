// Package remote is the one HTTP caller below every outgoing call of this
// module. It knows what became of a call: certainly not applied, perhaps
// applied, or answered.
//
// The layers are resty → retryablehttp → one attempt (sign, send, read under
// a size cap) → net. A repetition is a new attempt: it carries the same bytes
// and is signed anew. Around all attempts of a call stand a limiter and a
// circuit breaker, which refuse before anything is sent.
//
// Nothing that identifies a person or opens a door leaves the package in an
// error or a log line: both are built from fixed phrases, never from the text
// of a foreign error. [Redact] is for the words of a far side that an operator
// has to read.
package remote
