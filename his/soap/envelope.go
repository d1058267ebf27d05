package soap

import (
	"strings"

	"github.com/wxhospital/hospital/internal/remote"
)

// Version is a version of SOAP. The zero Version is 1.1, which every HIS speaks.
type Version int

// The versions.
const (
	V11 Version = iota
	V12
)

const (
	envelope11 = "http://schemas.xmlsoap.org/soap/envelope/"
	envelope12 = "http://www.w3.org/2003/05/soap-envelope"
)

// Envelope is a message that was read.
type Envelope struct {
	Version Version
	Header  *Node  // nil when there is none
	Content *Node  // the first element of the Body, nil when it is empty or a fault
	Fault   *Fault // nil unless the far side failed
}

// Fault is a SOAP fault. Its texts are redacted and cut when they are read:
// ASP.NET puts a stack trace and the database's words into them. They are for
// the operator and never for a patient.
type Fault struct {
	Code    string // local name: "Client", "Server", "Sender", "Receiver"
	Subcode string // of 1.2, the innermost, or what follows the dot in 1.1: "FailedAuthentication"
	Reason  string
	Detail  string
}

// Error returns the fault in one line.
func (f *Fault) Error() string { return "soap fault " + f.Code + ": " + f.Reason }

// CallersFault reports whether the far side blames the request. That alone does
// not say that it did nothing: services put Client or Sender on whatever an
// operation threw, also after its effect. See [Fault.Unserved].
func (f *Fault) CallersFault() bool {
	return f.Code == "Client" || f.Code == "Sender" || f.Unserved()
}

// Unserved reports whether the message was turned away by the SOAP or security
// layer, before the operation began: it certainly did nothing. It says nothing
// of an earlier message.
func (f *Fault) Unserved() bool {
	switch f.Code {
	case "VersionMismatch", "MustUnderstand", "DataEncodingUnknown":
		return true
	}
	return f.Unauthenticated()
}

// Unauthenticated reports whether the security layer did not accept who we are.
func (f *Fault) Unauthenticated() bool {
	for _, code := range []string{f.Subcode, f.Code} { // WS-Security puts it in place of the code in SOAP 1.1
		switch code {
		case "FailedAuthentication", "FailedCheck", "InvalidSecurity", "InvalidSecurityToken", "UnsupportedSecurityToken":
			return true
		}
	}
	return false
}

// ParseEnvelope reads a message. Prefixes and, for faults, namespaces do not
// matter; the two envelope namespaces do, for they are what makes it SOAP. The
// errors are those of [Decode] and [ParseDocument], and Rejected not_soap.
func ParseEnvelope(contentType string, data []byte) (Envelope, error) {
	return parseEnvelope(contentType, data, nil)
}

// parseEnvelope also takes the personal values out of a fault's texts, before
// they are cut.
func parseEnvelope(contentType string, data []byte, personal []string) (Envelope, error) {
	if len(data) > maxDocumentBytes {
		return Envelope{}, malformed("too_large", "more bytes than a document may have")
	}
	text, err := Decode(contentType, data)
	if err != nil {
		return Envelope{}, err
	}
	root, err := ParseDocument(text)
	if err != nil {
		return Envelope{}, err
	}
	if root.Name != "Envelope" || (root.Space != envelope11 && root.Space != envelope12) {
		return Envelope{}, malformed("not_soap", "the root is no SOAP envelope")
	}
	body := root.Find("Body")
	if body == nil || len(root.All("Body")) > 1 {
		return Envelope{}, malformed("not_soap", "want one Body")
	}
	envelope := Envelope{Header: root.Find("Header")}
	if root.Space == envelope12 {
		envelope.Version = V12
	}
	if fault := body.Find("Fault"); fault != nil {
		envelope.Fault = readFault(fault, personal)
	} else if len(body.Children) > 0 {
		envelope.Content = body.Children[0]
	}
	return envelope, nil
}

// readFault takes a fault of 1.1, of 1.2, or of both mixed.
func readFault(node *Node, personal []string) *Fault {
	redact := func(texts ...string) string { return remote.Redact(firstOf(texts...), personal...) }
	reason, code12 := node.Find("Reason"), node.Find("Code")
	code, subcode, _ := strings.Cut(local(firstOf(node.Find("faultcode").Text(), code12.Find("Value").Text(), code12.Text())), ".")
	for at := code12.Find("Subcode"); at != nil; at = at.Find("Subcode") {
		subcode = local(at.Find("Value").Text())
	}
	return &Fault{
		Code:    redact(code),
		Subcode: redact(subcode),
		Reason:  redact(node.Find("faultstring").Text(), reason.Find("Text").Text(), reason.Text()),
		Detail:  redact(deepText(node.Find("detail")), deepText(node.Find("Detail"))),
	}
}

// local strips the prefix of a qualified name.
func local(name string) string {
	if _, after, prefixed := strings.Cut(name, ":"); prefixed {
		return after
	}
	return name
}

func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

func deepText(n *Node) string {
	if n == nil {
		return ""
	}
	parts := []string{n.Text()}
	for _, child := range n.Children {
		parts = append(parts, deepText(child))
	}
	return strings.TrimSpace(strings.Join(parts, " "))
}

// Result returns what the operation returned, whether the element is qualified
// or not. It is nil, without an error, for a null: ASMX then leaves the
// element out. A fault is returned as the error, and a body of another
// operation is Rejected not_soap.
func (e Envelope) Result(operation string) (*Node, error) {
	switch {
	case e.Fault != nil:
		return nil, e.Fault
	case e.Content == nil || e.Content.Name != operation+"Response":
		return nil, malformed("not_soap", "the Body is not the answer of this operation")
	}
	result := e.Content.Find(operation + "Result")
	switch {
	case result != nil:
	case len(e.Content.Children) == 1:
		result = e.Content.Children[0] // rpc and JAX-WS name it "return", "out", "result"
	case len(e.Content.Children) > 1:
		return nil, malformed("not_soap", "more than one result")
	case e.Content.Text() != "":
		result = e.Content
	}
	if result.IsNil() {
		return nil, nil //nolint:nilnil // a null is an answer
	}
	return result, nil
}

// Rows returns the rows of an ADO.NET DataSet: the elements inside the
// diffgram's instance, each named for its table. A column that is DBNull is
// missing, so its Find is nil and its Text "". Rows that the diffgram keeps as
// "before" or reports as errors are not rows. A result without a diffgram is
// Rejected not_dataset.
func Rows(result *Node) ([]*Node, error) {
	diffgram := result.Descendant("diffgram")
	if diffgram == nil {
		return nil, malformed("not_dataset", "no diffgram")
	}
	for _, instance := range diffgram.Children {
		if instance.Space != "urn:schemas-microsoft-com:xml-diffgram-v1" {
			return instance.Children, nil
		}
	}
	return nil, nil // a DataSet without rows has no instance
}
