package remote

import (
	"log/slog"
	"regexp"
	"strings"
)

// hidden stands for what was taken out.
const hidden = "***"

// maxRedacted is the longest text that [Redact] returns, in runes: enough for
// the sentence of a fault, too short for a stack trace.
const maxRedacted = 200

// The words after which a value is somebody's or opens a door. A bare "code"
// is spared, for it is mostly a result code; OAuth codes fall to longToken.
const keys = `(?:access_?|refresh_?|api_?|session_?|js_?)?(?:token|secret|key|ticket)|app_?secret|password|passwd|pwd|` +
	`sign|signature|pay_?sign|open_?id|union_?id|to_?user|from_?user(?:name)?|nonce(?:_?str)?|` +
	`(?:patient|real|user|guardian)?_?name|id_?card|id_?(?:no|number)|ic_?no|phone|mobile|tel|card_?no|address|birth_?da(?:y|te)|` +
	// The initials of the Chinese words, as HIS tables have them: 病人姓名, 身份证号, 联系电话, 家庭地址, 出生日期, 就诊卡号.
	`(?:br|hz|jz|lxr|jhr)?xm|sfzh?m?|zjhm?|lxdh|lxfs|sjhm?|jtdz|lxdz|csrq|(?:jz|yb|yl)kh`

// content is the text of an element, with entities and CDATA, also cut short.
const content = `(?:(?:<|&lt;)!\[CDATA\[(?s:.*?)(?:\]\](?:>|&gt;)|$)|&(?:#\w+|amp|quot|apos);|[^<&])*`

// The patterns, in the order in which they run.
var (
	credentialsRE = regexp.MustCompile(`//[^/@\s]+@`)
	queryRE       = regexp.MustCompile(`(/[^\s?"'<>]*)\?[^\s"'<>]+`)
	authRE        = regexp.MustCompile(`(?i)(\b(?:bearer|basic|WECHATPAY2-[A-Z0-9-]+)\s+)[^\n]+`)
	elementRE     = regexp.MustCompile(`(?i)((?:<|&lt;)(?:[a-z0-9]+:)?(?:` + keys + `)(?:\s[^<>&]*)?(?:>|&gt;))` + content)
	pairRE        = regexp.MustCompile(`(?i)(\b(?:` + keys + `)\\*"?\s*[:=]\s*)(\\*"[^"]*"|'[^']*'|[^\s&,;}<>]+)`)
	labelRE       = regexp.MustCompile(`(姓名|身份证号码?|身份证|证件号码?|手机号码?|手机|电话|住址|地址|卡号|密码)([:：=为是\s]*)[^\s,，;；。、<>"']+`)
	personRE      = regexp.MustCompile(`(患者|病人|就诊人|联系人|监护人|代办人|家长)([:：\s]*)[\p{Han}·]{1,4}`)
	jwtRE         = regexp.MustCompile(`\beyJ[\w-]+\.[\w.-]+`)
	openidRE      = regexp.MustCompile(`\bo[A-Za-z0-9_-]{27}`)
	phoneRE       = regexp.MustCompile(`1[3-9]\d[ -]\d{4}[ -]\d{4}`)
	digitsRE      = regexp.MustCompile(`\d{11,}[Xx]?`) // phone, identity and card numbers
	longTokenRE   = regexp.MustCompile(`[A-Za-z0-9+/_=-]{32,}`)
	controlRE     = regexp.MustCompile(`[\x00-\x1f\x7f]+`)
)

// Redact returns the text without what identifies a person or opens a door,
// cut to 200 characters: query strings, credentials, tokens, openids, names
// and numbers after the words that announce them, and long runs of digits.
// A name that nothing announces cannot be recognized: pass the values that are
// known to the caller, and they are taken out wherever they stand.
func Redact(text string, known ...string) string {
	for _, value := range known {
		if len(value) > 1 {
			text = strings.ReplaceAll(text, value, hidden)
		}
	}
	text = credentialsRE.ReplaceAllString(text, "//"+hidden+"@")
	text = queryRE.ReplaceAllString(text, "$1?"+hidden)
	for _, pattern := range []*regexp.Regexp{authRE, elementRE, pairRE} {
		text = pattern.ReplaceAllString(text, "${1}"+hidden)
	}
	for _, pattern := range []*regexp.Regexp{labelRE, personRE} {
		text = pattern.ReplaceAllString(text, "$1$2"+hidden)
	}
	for _, pattern := range []*regexp.Regexp{jwtRE, openidRE, phoneRE, digitsRE, longTokenRE} {
		text = pattern.ReplaceAllString(text, hidden)
	}
	text = strings.TrimSpace(controlRE.ReplaceAllString(strings.ToValidUTF8(text, "?"), " "))
	if runes := []rune(text); len(runes) > maxRedacted {
		text = string(runes[:maxRedacted]) + "…"
	}
	return text
}

// Text is foreign text that redacts itself where it is logged.
type Text string

// LogValue returns the text as [Redact] leaves it.
func (t Text) LogValue() slog.Value { return slog.StringValue(Redact(string(t))) }
