package staff

import (
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/wxhospital/hospital"
)

// Account is 账号, somebody who works at the desk.
type Account struct {
	Login       string // 工号
	Name        string
	Roles       []Role
	Ready       bool // a password and a second factor were chosen
	Disabled    bool
	LockedUntil time.Time // after too many tries; zero for no lock
	CreatedAt   time.Time

	password string
	totp     string
	step     int64
}

// Bounds of what an account has.
const (
	minPassword = 12 // characters: length is what a guesser pays for
	maxPassword = 128
	minLogin    = 2
	maxLogin    = 32
	maxName     = 40
)

// validLogin reports whether the text can be a login: it stands in paths, where
// "new" means another thing, and in the audit trail.
func validLogin(login string) bool {
	return len(login) >= minLogin && len(login) <= maxLogin && login != fresh && !strings.ContainsFunc(login, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
	})
}

// weak says what is wrong with a password, "" for nothing.
func weak(password, login string) string {
	n := utf8.RuneCountInString(password)
	runes := []rune(password)
	slices.Sort(runes)
	switch {
	case n < minPassword:
		return "密码至少 12 个字符"
	case n > maxPassword:
		return "密码最多 128 个字符"
	case len(slices.Compact(runes)) < 5:
		return "密码太简单，请使用更多不同的字符"
	case strings.Contains(strings.ToLower(password), login):
		return "密码不能包含工号"
	}
	return ""
}

// Link is a one-time link as the store knows it.
type Link struct {
	Login   string // "" for the first account
	Expires time.Time

	totp string // encrypted
}

// First reports whether the link makes the first account.
func (l Link) First() bool { return l.Login == "" }

// The bounds of tries and of sessions, by the wall clock.
const (
	maxTries    = 5
	lockFor     = 15 * time.Minute
	linkFor     = 30 * time.Minute
	sessionFor  = 12 * time.Hour   // a shift
	sessionIdle = 30 * time.Minute // somebody left the place
	scopeFor    = 10 * time.Minute // how long a page that is being made may read
)

// Errors of accounts. Those a person can mend carry a sentence.
var (
	errLogin     = &hospital.Error{Kind: hospital.Denied, Op: "staff", Code: "bad_login", Message: "工号、密码或动态验证码不正确，或者账号暂时被锁定。请核对后重试；动态验证码只能使用一次。"}
	errLink      = &hospital.Error{Kind: hospital.NotFound, Op: "staff", Code: "no_link", Message: "链接无效、已使用或已过期，请重新获取。"}
	errTaken     = &hospital.Error{Kind: hospital.Conflict, Op: "staff", Code: "login_taken", Message: "该工号已经存在。"}
	errLastAdmin = &hospital.Error{Kind: hospital.Conflict, Op: "staff", Code: "last_admin", Message: "这是最后一个可用的管理员，请先设置另一个管理员。"}
	errSelf      = &hospital.Error{Kind: hospital.Denied, Op: "staff", Code: "another_admin", Message: "不能对自己的账号执行此操作，请由另一位管理员办理。"}
	errAccount   = &hospital.Error{Kind: hospital.NotFound, Op: "staff", Code: "not_found"}
	errSession   = &hospital.Error{Kind: hospital.Denied, Op: "staff", Code: "no_session"}
	errExists    = &hospital.Error{Kind: hospital.Conflict, Op: "staff", Code: "accounts_exist", Detail: "the first account was made already"}
)
