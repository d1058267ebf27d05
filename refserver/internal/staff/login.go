package staff

import (
	"context"
	"image/png"
	"net/http"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/pquerna/otp"

	"github.com/wxhospital/hospital"
)

func loginFields() []field {
	return []field{
		{Name: "login", Label: "工号", Kind: kindText, Max: maxLogin, Complete: "username"},
		{Name: "password", Label: "密码", Kind: kindPassword, Max: maxPassword, Complete: "current-password"},
		{Name: "code", Label: "动态验证码", Kind: kindCode, Max: 6, Complete: "one-time-code", Hint: "身份验证器 App 上的 6 位数字"},
	}
}

func (d *Desk) loginPage(w http.ResponseWriter, r *http.Request, status int, fields []field, problem string) {
	v := view{Title: "登录", Problem: problem}
	v.Forms = []form{{To: d.cfg.Prefix + "/login", Button: "登录", Fields: fields, Explain: "忘记密码或更换手机后，请由另一位管理员重置账号。"}}
	d.render(w, r, status, v)
}

func (d *Desk) showLogin(w http.ResponseWriter, r *http.Request) {
	d.loginPage(w, r, http.StatusOK, loginFields(), "")
}

// login begins a session. Every refusal reads alike: an unknown login, a wrong
// password, a wrong or used code, a locked account.
func (d *Desk) login(w http.ResponseWriter, r *http.Request) {
	sent, err := readForm(w, r)
	if err != nil {
		d.failed(w, r, session{}, err)
		return
	}
	in, shown, good := decode(loginFields(), sent)
	if !good {
		d.loginPage(w, r, http.StatusBadRequest, shown, "请检查填写的内容。")
		return
	}
	token, err := d.admit(r.Context(), in)
	if err != nil {
		if hospital.KindOf(err) == hospital.Internal {
			d.cfg.Logger.ErrorContext(r.Context(), "log-in failed", "error", err)
		}
		d.loginPage(w, r, statusOf(err), shown, hospital.MessageFor(err))
		return
	}
	d.putCookie(w, token)
	http.Redirect(w, r, d.cfg.Prefix+"/", http.StatusSeeOther)
}

// admit judges a try and returns the token of the session.
func (d *Desk) admit(ctx context.Context, in values) (string, error) {
	account, err := d.cfg.Store.try(ctx, in["login"])
	unusable := err != nil
	if unusable && hospital.CodeOf(err) != errLogin.Code {
		return "", err
	}
	hash := account.password
	if unusable {
		hash = d.dummy // takes as long as a real one
	}
	same, err := d.compare(ctx, in["password"], hash)
	if err != nil {
		return "", err
	}
	step := int64(0)
	if !unusable {
		secret, err := d.cfg.Store.vault.open(account.totp)
		if err != nil {
			return "", err
		}
		step = totpStep(secret, in["code"], d.cfg.Store.wall())
	}
	token := newToken()
	who := session{Account: Account{Login: in["login"]}}
	row := d.entry(who, "staff.login", "", "")
	refusal := errLogin
	if !unusable && same && step > 0 {
		err := d.cfg.Store.enter(ctx, entering{account: account, step: step, token: token, audit: row})
		if err == nil || hospital.CodeOf(err) != errLogin.Code {
			return token, err
		}
	}
	if unusable {
		row.Actor.ID = "unknown" // what was typed may be a password
		if account.Login != "" {
			row.Actor.ID = account.Login
		}
	}
	row.Outcome = outcome(refusal)
	if err := d.cfg.Store.record(ctx, row); err != nil {
		return "", err
	}
	return "", refusal
}

// hashWait is how long somebody waits for others who log in.
const hashWait = 5 * time.Second

// compare compares a password with its hash, few at a time: each takes memory.
func (d *Desk) compare(ctx context.Context, password, hash string) (bool, error) {
	release, err := d.hashSlot(ctx)
	if err != nil {
		return false, err
	}
	defer release()
	same, err := argon2id.ComparePasswordAndHash(password, hash)
	if err != nil {
		return false, &hospital.Error{Kind: hospital.Internal, Op: "staff.login", Code: "bad_hash", Err: err}
	}
	return same, nil
}

func (d *Desk) hashSlot(ctx context.Context) (release func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, hashWait)
	defer cancel()
	select {
	case d.hashing <- struct{}{}:
		return func() { <-d.hashing }, nil
	case <-ctx.Done():
		return nil, &hospital.Error{Kind: hospital.Unavailable, Op: "staff", Code: "busy", Err: ctx.Err(), Message: "登录的人较多，请稍后重试。"}
	}
}

func (d *Desk) logout(w http.ResponseWriter, r *http.Request, who session) {
	sent, err := readForm(w, r)
	if err == nil {
		err = d.ownForm(who, sent)
	}
	if err == nil {
		err = d.cfg.Store.leave(r.Context(), who.token, d.entry(who, "staff.logout", "", ""))
	}
	if err != nil {
		d.failed(w, r, who, err)
		return
	}
	d.putCookie(w, "")
	http.Redirect(w, r, d.cfg.Prefix+"/login", http.StatusSeeOther)
}

func linkFields(l Link) []field {
	fields := []field{
		{Name: "password", Label: "设置密码", Kind: kindPassword, Max: maxPassword, Complete: "new-password", Hint: "至少 12 个字符"},
		{Name: "again", Label: "再次输入密码", Kind: kindPassword, Max: maxPassword, Complete: "new-password"},
		{Name: "code", Label: "动态验证码", Kind: kindCode, Max: 6, Complete: "one-time-code", Hint: "扫描上方二维码后，身份验证器 App 上显示的 6 位数字"},
	}
	if l.First() {
		return append([]field{
			{Name: "login", Label: "工号", Kind: kindText, Max: maxLogin, Complete: "username", Hint: "2–32 位小写字母、数字或 -，将作为审计日志中的操作人"},
			{Name: "name", Label: "姓名", Kind: kindText, Max: maxName, Complete: "name"},
		}, fields...)
	}
	return fields
}

func (d *Desk) linkPage(w http.ResponseWriter, r *http.Request, status int, l Link, fields []field, problem string) {
	secret, err := d.cfg.Store.vault.open(l.totp)
	if err != nil {
		d.failed(w, r, session{}, err)
		return
	}
	at := d.cfg.Prefix + "/link/" + r.PathValue("token")
	v := view{Title: "设置登录方式", Problem: problem, Picture: at + "/code.png"}
	if l.First() {
		v.Title = "创建第一个管理员账号"
	} else {
		v.Facts = append(v.Facts, fact{Label: "工号", Value: l.Login})
	}
	v.Facts = append(v.Facts, fact{Label: "身份验证器密钥", Value: secret}, fact{Label: "链接有效期至", Value: moment(l.Expires)})
	v.Forms = []form{{To: at, Button: "完成设置", Fields: fields, Explain: "请先用手机上的身份验证器 App 扫描二维码（或手工输入密钥），再填写下面的内容。链接只能使用一次。"}}
	d.render(w, r, status, v)
}

func (d *Desk) showLink(w http.ResponseWriter, r *http.Request) {
	l, err := d.cfg.Store.link(r.Context(), r.PathValue("token"))
	if err != nil {
		d.noLink(w, r, err)
		return
	}
	d.linkPage(w, r, http.StatusOK, l, linkFields(l), "")
}

func (d *Desk) noLink(w http.ResponseWriter, r *http.Request, err error) {
	v := view{Title: "链接不可用", Problem: hospital.MessageFor(err)}
	d.render(w, r, statusOf(err), v)
}

// pictureSize is the side of the picture in pixels.
const pictureSize = 220

// showPicture draws what an authenticator scans.
func (d *Desk) showPicture(w http.ResponseWriter, r *http.Request) {
	l, err := d.cfg.Store.link(r.Context(), r.PathValue("token"))
	if err != nil {
		d.noLink(w, r, err)
		return
	}
	secret, err := d.cfg.Store.vault.open(l.totp)
	if err != nil {
		d.failed(w, r, session{}, err)
		return
	}
	key, err := otp.NewKeyFromURL(totpURL(d.cfg.Hospital, l.Login, secret))
	if err != nil {
		d.failed(w, r, session{}, &hospital.Error{Kind: hospital.Internal, Op: "staff", Code: "bad_url"}) // the cause would repeat the secret
		return
	}
	picture, err := key.Image(pictureSize, pictureSize)
	if err != nil {
		d.failed(w, r, session{}, &hospital.Error{Kind: hospital.Internal, Op: "staff", Code: "bad_picture"})
		return
	}
	w.Header().Set("Content-Type", "image/png")
	if err := png.Encode(w, picture); err != nil {
		d.cfg.Logger.DebugContext(r.Context(), "picture not sent", "error", err)
	}
}

// takeLink sets the password and takes the second factor.
func (d *Desk) takeLink(w http.ResponseWriter, r *http.Request) {
	sent, err := readForm(w, r)
	if err != nil {
		d.failed(w, r, session{}, err)
		return
	}
	token := r.PathValue("token")
	l, err := d.cfg.Store.link(r.Context(), token)
	if err != nil {
		d.noLink(w, r, err)
		return
	}
	in, shown, good := decode(linkFields(l), sent)
	login := l.Login
	if l.First() {
		login = in["login"]
		if in["login"] != "" && !validLogin(in["login"]) {
			good = false
			mark(shown, "login", "2–32 位小写字母、数字或 -")
		}
	}
	if problem := weak(in["password"], login); good && problem != "" {
		good = false
		mark(shown, "password", problem)
	}
	if good && in["again"] != in["password"] {
		good = false
		mark(shown, "again", "两次输入的密码不一致")
	}
	secret, err := d.cfg.Store.vault.open(l.totp)
	if err != nil {
		d.failed(w, r, session{}, err)
		return
	}
	step := totpStep(secret, in["code"], d.cfg.Store.wall())
	if good && step == 0 {
		good = false
		mark(shown, "code", "动态验证码不正确，请确认手机时间准确后重试")
	}
	if !good {
		d.linkPage(w, r, http.StatusBadRequest, l, shown, "请检查填写的内容。")
		return
	}
	if err := d.settle(r.Context(), taking{token: token, login: in["login"], name: in["name"], password: in["password"], step: step}); err != nil {
		d.noLink(w, r, err)
		return
	}
	http.Redirect(w, r, d.cfg.Prefix+"/login", http.StatusSeeOther)
}

func (d *Desk) settle(ctx context.Context, t taking) error {
	release, err := d.hashSlot(ctx)
	if err != nil {
		return err
	}
	t.password, err = hashPassword(t.password)
	release()
	if err != nil {
		return err
	}
	t.audit = hospital.AuditEntry{At: d.cfg.Now(), Action: "staff.account.credentials", Outcome: "ok"}
	return d.cfg.Store.take(ctx, t)
}

// mark says what is wrong with one field.
func mark(fields []field, name, problem string) {
	for i := range fields {
		if fields[i].Name == name {
			fields[i].Problem = problem
		}
	}
}
