package soap

import (
	"bytes"
	"mime"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"
)

// Charset is the encoding of a message on the wire.
type Charset string

// The charsets that a request may be sent in.
const (
	UTF8    Charset = "utf-8" // the default
	GBK     Charset = "gbk"
	GB18030 Charset = "gb18030"
)

// aliases maps a charset's name, in lower case without space, "_" and "-", to
// what it means. GB18030 reads all that GB2312 and GBK can write. The list has
// the names of Windows and Java and of HL7 table 0211, which web standards do
// not know.
var aliases = map[string]Charset{ //nolint:gochecknoglobals // an immutable table
	"utf8": UTF8, "unicodeutf8": UTF8, "unicode11utf8": UTF8, "cp65001": UTF8, "usascii": UTF8, "ascii": UTF8,
	"gb2312": GB18030, "gb231280": GB18030, "csgb2312": GB18030, "euccn": GB18030, "xeuccn": GB18030,
	"gbk": GB18030, "xgbk": GB18030, "csgbk": GB18030, "cp936": GB18030, "ms936": GB18030, "windows936": GB18030, "936": GB18030,
	"gb18030": GB18030, "gb180302000": GB18030, "gb180302005": GB18030, "gb180302022": GB18030, "chinese": GB18030,
	"big5": big5, "xbig5": big5, "cp950": big5, "ms950": big5,
}

const big5 Charset = "big5"

// CharsetOf returns what a charset's name means, "" when it is not known.
func CharsetOf(name string) Charset {
	fold := strings.NewReplacer(" ", "", "_", "", "-", "", `"`, "", "'", "")
	return aliases[strings.ToLower(fold.Replace(name))]
}

func (c Charset) encoding() encoding.Encoding {
	switch c {
	case GBK:
		return simplifiedchinese.GBK
	case GB18030:
		return simplifiedchinese.GB18030
	case big5:
		return traditionalchinese.Big5
	case UTF8:
	}
	return unicode.UTF8
}

// prologRE finds an XML declaration at the very start.
var prologRE = regexp.MustCompile(`^\s*<\?xml\s[^>]{0,200}\?>`)

var prologEncodingRE = regexp.MustCompile(`encoding\s*=\s*["']([^"']{1,40})["']`)

// Decode returns the text of a message: by its byte order mark, else as UTF-8
// if it is that (and not GBK, declared as such, that happens to be), else by the header, else by the prolog; as GB18030 when
// nobody names a charset. Bytes that are broken UTF-8 and called nothing else
// are bad_encoding: to guess would turn one bad byte into a wrong name.
func Decode(contentType string, data []byte) (string, error) {
	for mark, enc := range map[string]encoding.Encoding{
		"\xef\xbb\xbf": unicode.UTF8,
		"\xff\xfe":     unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM),
		"\xfe\xff":     unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM),
	} {
		if rest, ok := bytes.CutPrefix(data, []byte(mark)); ok {
			return decodeAs(enc, rest)
		}
	}
	if utf8.Valid(data) && !chineseByDeclaration(contentType, data) {
		return string(data), nil
	}
	named := false
	for _, name := range []string{headerCharset(contentType), prologCharset(data)} {
		if name == "" {
			continue
		}
		named = true
		if charset := CharsetOf(name); charset != "" && charset != UTF8 {
			return decodeAs(charset.encoding(), data)
		}
	}
	if named {
		return "", malformed("bad_encoding", "not UTF-8, and not declared as anything else we know")
	}
	return decodeAs(simplifiedchinese.GB18030, data)
}

// chineseByDeclaration reports a message that is declared as GBK or the like and
// is valid UTF-8 by accident: Chinese in UTF-8 has characters from U+0800 on,
// while two bytes of GBK such as those of 石 spell one below it.
func chineseByDeclaration(contentType string, data []byte) bool {
	beyondASCII := false
	for _, r := range string(data) {
		if r >= 0x800 {
			return false
		}
		beyondASCII = beyondASCII || r >= utf8.RuneSelf
	}
	return beyondASCII && (CharsetOf(headerCharset(contentType)) == GB18030 || CharsetOf(prologCharset(data)) == GB18030)
}

func decodeAs(enc encoding.Encoding, data []byte) (string, error) {
	text, err := enc.NewDecoder().Bytes(data)
	if err != nil || !utf8.Valid(text) || bytes.ContainsRune(text, utf8.RuneError) {
		return "", malformed("bad_encoding", "bytes that the charset does not have")
	}
	return string(text), nil
}

func headerCharset(contentType string) string {
	_, params, err := mime.ParseMediaType(contentType)
	if err == nil {
		return params["charset"]
	}
	// A header that breaks the grammar, such as one with a space in the name.
	_, after, _ := strings.Cut(strings.ToLower(contentType), "charset=")
	name, _, _ := strings.Cut(after, ";")
	return strings.TrimSpace(name)
}

func prologCharset(data []byte) string {
	found := prologEncodingRE.FindSubmatch(prologRE.Find(data))
	if found == nil {
		return ""
	}
	return string(found[1])
}
