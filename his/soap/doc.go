// Package soap speaks SOAP 1.1 and 1.2 as Chinese HIS products really do. It
// is protocol only: it knows nothing of a hospital.
//
// What it sends is strict. What it reads it takes as it comes, within bounds:
// any prefix or none, a result that is qualified, missing or empty, a charset
// that the header or the prolog lies about, faults in the wrong shape, ADO.NET
// DataSets, bare ampersands and control characters in a drug's name. What it
// cannot read with certainty it refuses.
//
// [Client] makes calls, [ParseEnvelope] reads an envelope, [ParseDocument] the
// XML text that most HIS products put inside the one string they return.
package soap
