package hospital

import (
	"strconv"
	"strings"
)

// Fen is an amount of money in 分, a hundredth of a yuan. A refund is negative.
// Source: WeChat Pay API, amount.total "单位为分".
type Fen int64

// maxYuanDigits bounds the whole yuan that [ParseYuan] reads: ten digits are
// far above a hospital bill and far below int64.
const maxYuanDigits = 10

// ParseYuan reads an amount in yuan as a HIS or a bill file prints it ("12",
// "12.5", "-0.30") and returns fen. It is exact: a third decimal, an exponent,
// a separator, a sign other than one leading minus, or surrounding space is
// Invalid, never rounded or trimmed.
func ParseYuan(s string) (Fen, error) {
	bad := func(why string) (Fen, error) {
		return 0, &Error{Kind: Invalid, Op: "hospital.ParseYuan", Code: "bad_amount", Detail: why}
	}
	digits, negative := strings.CutPrefix(s, "-")
	whole, fraction, dotted := strings.Cut(digits, ".")
	switch {
	case whole == "" || !decimal(whole):
		return bad("amount in yuan: want digits")
	case len(whole) > maxYuanDigits:
		return bad("amount in yuan: more than " + strconv.Itoa(maxYuanDigits) + " digits before the point")
	case dotted && (fraction == "" || !decimal(fraction)):
		return bad("amount in yuan: want digits after the point")
	case len(fraction) > 2:
		return bad("amount in yuan: more than two decimals")
	}
	n, err := strconv.ParseInt(whole+(fraction + "00")[:2], 10, 64)
	if err != nil {
		return bad("amount in yuan: out of range")
	}
	if negative {
		n = -n
	}
	return Fen(n), nil
}

func decimal(s string) bool {
	for _, r := range []byte(s) {
		if r < '0' || r > '9' {
			return false
		}
	}
	return true
}

// Yuan returns the amount in yuan with two decimals: "12.50", "-0.30".
func (f Fen) Yuan() string {
	sign, n := "", uint64(f) //nolint:gosec // two's complement: -n below is the magnitude, for the smallest int64 too
	if f < 0 {
		sign, n = "-", -n
	}
	cents := strconv.FormatUint(n%100, 10)
	if len(cents) == 1 {
		cents = "0" + cents
	}
	return sign + strconv.FormatUint(n/100, 10) + "." + cents
}

// String returns the amount as a patient reads it: "12.50元".
func (f Fen) String() string { return f.Yuan() + "元" }
