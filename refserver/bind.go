package refserver

import (
	"context"
	"crypto/subtle"
	"errors"
	"regexp"
	"strings"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/refserver/internal/account"
	"github.com/wxhospital/hospital/refserver/internal/page"
	"github.com/wxhospital/hospital/wechat"
)

const maxName = 64

func (v *visit) bindForm() error {
	if v.s.config.MustFollow && !v.follows() {
		return v.render(page.State{Kind: page.StateUnfollowed, Retry: v.s.links.Bind()})
	}
	return v.bindFormWith(page.Fields{})
}

// follows reports whether the user follows the account, as far as WeChat says.
func (v *visit) follows() bool {
	ctx := v.r.Context()
	openID, err := v.s.accounts.OpenID(ctx, v.session.User)
	if err == nil {
		var who wechat.User
		if who, err = v.s.config.Account.FindUser(ctx, openID); err == nil {
			return who.Subscribed
		}
	}
	v.s.config.Logger.WarnContext(ctx, "WeChat does not say who follows", "error", err)
	return true
}

func (v *visit) bindFormWith(fields page.Fields) error {
	policy, _, err := v.s.window(v.r.Context())
	if err != nil {
		return err
	}
	version, _, _ := policyText()
	limit := policy.Binding.PatientsPerUser
	return v.render(page.BindForm{Fields: fields, Max: limit, Full: limit > 0 && len(v.bound) >= limit, Policy: version, Return: v.back()})
}

// claimed is what somebody says about a patient.
type claimed struct {
	name, number                 string
	guardianName, guardianNumber string
}

// read takes the form and says what is wrong with it by itself; that tells
// nothing about anybody.
func (v *visit) readClaim() (claimed, page.Fields) {
	form := v.form()
	c := claimed{
		name: strings.TrimSpace(form.Get("name")), number: strings.ToUpper(strings.TrimSpace(form.Get("id_number"))),
		guardianName: strings.TrimSpace(form.Get("guardian_name")), guardianNumber: strings.ToUpper(strings.TrimSpace(form.Get("guardian_id_number"))),
	}
	fields := page.Fields{Values: map[string]string{"name": c.name}, Errors: map[string]string{}}
	if c.name == "" || len(c.name) > maxName {
		fields.Errors["name"] = "请填写就诊人姓名。"
	}
	if _, err := hospital.ParseIDNumber(c.number); err != nil && !c.isCard() {
		fields.Errors["id_number"] = "身份证号或就诊卡号不正确，请检查。"
	}
	if form.Get("child") == "1" {
		if c.guardianName == "" || len(c.guardianName) > maxName {
			fields.Errors["guardian_name"] = "请填写监护人姓名。"
		}
		if _, err := hospital.ParseIDNumber(c.guardianNumber); err != nil {
			fields.Errors["guardian_id_number"] = "监护人身份证号不正确，请检查。"
		}
	}
	if form.Get("agree") != "1" {
		fields.Errors["agree"] = "请阅读并同意后继续。"
	}
	return c, fields
}

// isCard says whether the number reads like that of a 就诊卡: letters and
// digits, and no identity number.
func (c claimed) isCard() bool {
	return len(c.number) >= 4 && len(c.number) < 18 && strings.Trim(c.number, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-") == ""
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// fits says whether the claim describes the patient: the name, and for a child
// the guardian.
func (c claimed) fits(p hospital.Patient) bool {
	fits := same(c.name, string(p.Name))
	if p.Guardian != nil {
		fits = same(c.guardianName, string(p.Guardian.Name)) && same(c.guardianNumber, string(p.Guardian.IDNumber)) && fits
	}
	return fits
}

// bind begins a binding. Whether the hospital knows the person, and whether the
// name fits, makes no difference to the answer: a code is or is not on its way.
func (v *visit) bind() error {
	c, fields := v.readClaim()
	if len(fields.Errors) > 0 {
		return v.bindFormWith(fields)
	}
	v.setCookie("back", encodePath(v.s.local(v.form().Get("return"))), backLife)
	query := his.PatientQuery{IDNumber: hospital.IDNumber(c.number)}
	if c.isCard() {
		query = his.PatientQuery{CardNo: hospital.CardNo(c.number)}
	}
	claim := account.Claim{Typed: account.Typed{Name: hospital.Name(c.name), Number: c.number}}
	found, err := v.s.config.HIS.Patients.FindPatient(v.r.Context(), query)
	switch {
	case err == nil && c.fits(found):
		claim.Patient, claim.Phone = found.ID, found.Phone
		if found.Guardian != nil && found.Guardian.Phone != "" {
			claim.Phone = found.Guardian.Phone
		}
	case err != nil && hospital.KindOf(err) != hospital.NotFound && hospital.KindOf(err) != hospital.Rejected:
		return err
	}
	ref, err := v.s.accounts.Challenge(v.r.Context(), v.actor(), c.number, claim, v.now)
	if errors.Is(err, account.ErrTooOften) {
		fields.Errors[""] = hospital.MessageFor(err)
		return v.bindFormWith(fields)
	}
	if err != nil {
		return err
	}
	return v.redirect(v.s.links.BindCode(ref))
}

func (v *visit) bindCode() error { return v.bindCodeWith(page.Fields{}) }

func (v *visit) bindCodeWith(fields page.Fields) error {
	challenge, err := v.challenge(false)
	if err != nil {
		return err
	}
	return v.render(page.BindCode{Fields: fields, Ref: challenge.ID, Desk: v.r.URL.Query().Get("way") == "desk"})
}

// challenge is the one of the address, to bind a patient or to make a file.
func (v *visit) challenge(file bool) (account.Challenge, error) {
	challenge, err := v.s.accounts.Find(v.r.Context(), v.session.User, v.r.PathValue("ref"))
	if err == nil && file != (challenge.Claim.Draft != nil) {
		return challenge, absent()
	}
	return challenge, err
}

// bindSend sends a code again, asks for the desk's instead, or sends one to the
// phone of a new file.
func (v *visit) bindSend() error {
	challenge, err := v.s.accounts.Find(v.r.Context(), v.session.User, v.r.PathValue("ref"))
	if err != nil {
		return err
	}
	claim, subject, next := challenge.Claim, challenge.Claim.Typed.Number, v.s.links.BindCode
	switch v.form().Get("way") {
	case "desk":
		return v.redirect(v.s.links.BindCode(challenge.ID) + "?way=desk")
	case "new":
		phone := hospital.Phone(strings.TrimSpace(v.form().Get("phone")))
		if claim.Draft != nil { // again, to where the first went
			phone = claim.Draft.Phone
		}
		draft, ok := draftOf(claim.Typed, phone)
		switch {
		case !ok:
			return v.bindCreateWith("phone", "请填写正确的手机号；没有身份证号的儿童请到医院服务台建档。")
		case ageOn(hospital.DateOf(v.now), draft.BirthDate) < guarded:
			return v.bindCreateWith("", "未满 14 周岁的儿童请由监护人携带证件到医院服务台建档。")
		}
		claim.Patient, claim.Draft, claim.Phone = "", &draft, draft.Phone
	}
	if claim.Draft != nil { // counted by the phone that is texted
		subject, next = "phone "+string(claim.Draft.Phone), v.s.links.BindCreate
	}
	ref, err := v.s.accounts.Challenge(v.r.Context(), v.actor(), subject, claim, v.now)
	if errors.Is(err, account.ErrTooOften) {
		if challenge.Claim.Draft != nil || claim.Draft != nil {
			return v.bindCreateWith("", hospital.MessageFor(err))
		}
		return v.bindCodeWith(problem("", err))
	}
	if err != nil {
		return err
	}
	return v.redirect(next(ref))
}

// guarded is the age, in years, up to which a guardian must agree.
// Source: 个人信息保护法, article 31.
const guarded = 14

// ageOn is how many years somebody has completed on a day.
func ageOn(day, birth hospital.Date) int {
	years := day.Year() - birth.Year()
	if day.Month() < birth.Month() || day.Month() == birth.Month() && day.Day() < birth.Day() {
		years--
	}
	return years
}

func problem(field string, err error) page.Fields {
	return page.Fields{Errors: map[string]string{field: hospital.MessageFor(err)}}
}

// mobile is a mobile number of the mainland.
var mobile = regexp.MustCompile(`^1[3-9][0-9]{9}$`)

// draftOf is the file of somebody the hospital has not seen: an adult or a child
// with an identity number, who pays alone until the desk has seen a card.
func draftOf(typed account.Typed, phone hospital.Phone) (hospital.Patient, bool) {
	number, err := hospital.ParseIDNumber(typed.Number)
	if err != nil || !mobile.MatchString(string(phone)) {
		return hospital.Patient{}, false
	}
	sex := hospital.Female
	if number[16]%2 == 1 { // GB 11643: the 17th digit is odd for men
		sex = hospital.Male
	}
	return hospital.Patient{Name: typed.Name, Sex: sex, BirthDate: number.BirthDate(), IDNumber: number, Phone: phone, Payer: hospital.SelfPay}, true
}

func (v *visit) bindCreate() error { return v.bindCreateWith("", "") }

func (v *visit) bindCreateWith(field, text string) error {
	challenge, err := v.s.accounts.Find(v.r.Context(), v.session.User, v.r.PathValue("ref"))
	if err != nil {
		return err
	}
	view := page.BindCreate{Ref: challenge.ID, Name: challenge.Claim.Typed.Name.Masked(), Sent: challenge.Claim.Draft != nil}
	if text != "" {
		view.Errors = map[string]string{field: text}
	}
	return v.render(view)
}

// pressedAgain sends whoever presses the button of a binding that is done to
// where it led: the answer to the first press may have been lost.
func (v *visit) pressedAgain() (bool, error) {
	spent, err := v.s.accounts.Spent(v.r.Context(), v.session.User, v.r.PathValue("ref"))
	if err != nil || !spent {
		return false, err
	}
	return true, v.redirect(v.back())
}

// bindMake opens a file under the challenge's id and binds it. A number that has
// a file already is not opened again and says no more than that the desk must
// see to it.
func (v *visit) bindMake() error {
	if again, err := v.pressedAgain(); again || err != nil {
		return err
	}
	if _, err := v.challenge(true); err != nil {
		return err
	}
	challenge, err := v.s.accounts.Prove(v.r.Context(), v.session.User, v.r.PathValue("ref"), v.form().Get("code"))
	if errors.Is(err, account.ErrWrongCode) {
		return v.bindCreateWith("code", hospital.MessageFor(err))
	}
	if err != nil {
		return err
	}
	made, err := v.s.config.HIS.Patients.CreatePatient(context.WithoutCancel(v.r.Context()), his.CreatePatientRequest{
		Key: hospital.Key(challenge.ID), Patient: *challenge.Claim.Draft,
	})
	switch kind := hospital.KindOf(err); {
	case err == nil && made.Phone == challenge.Claim.Draft.Phone:
		return v.bindNow(challenge, made.ID)
	case err == nil: // a file that was there before: what was proved is somebody else's phone
		return v.bindCreateWith("", atTheDesk)
	case kind == hospital.Conflict, kind == hospital.Rejected, kind == hospital.Invalid:
		return v.bindCreateWith("", atTheDesk)
	default:
		return err
	}
}

const atTheDesk = "未能在线建档，请携带证件到医院服务台办理。"

// bindProve takes the code.
func (v *visit) bindProve() error {
	if again, err := v.pressedAgain(); again || err != nil {
		return err
	}
	if _, err := v.challenge(false); err != nil {
		return err
	}
	challenge, err := v.s.accounts.Prove(v.r.Context(), v.session.User, v.r.PathValue("ref"), v.form().Get("code"))
	if errors.Is(err, account.ErrWrongCode) {
		return v.bindCodeWith(problem("code", err))
	}
	if err != nil {
		return err
	}
	return v.bindNow(challenge, challenge.Claim.Patient)
}

// bindNow stores the consent and binds. The proof was the patient's own phone or
// the hospital's desk, so whoever held the patient before loses him and is told;
// but a new file was proved by the asker's phone, and takes nobody away.
func (v *visit) bindNow(challenge account.Challenge, patient hospital.PatientID) error {
	ctx := context.WithoutCancel(v.r.Context())
	version, hash, _ := policyText()
	consent := account.Consent{User: v.session.User, Patient: patient, TextVersion: version, TextHash: hash, Channel: hospital.EntryWeChat, At: v.now}
	if err := v.s.accounts.Agree(ctx, v.actor(), consent); err != nil {
		return err
	}
	err := v.s.desk.Bind(ctx, booking.BindRequest{Actor: v.actor(), User: v.session.User, Patient: patient, TakeOver: challenge.Claim.Draft == nil})
	switch {
	case errors.Is(err, booking.ErrHeldByAnother):
		return v.bindCreateWith("", atTheDesk)
	case err != nil && hospital.KindOf(err) == hospital.Rejected && challenge.Claim.Draft == nil:
		return v.bindCodeWith(problem("", err))
	case err != nil && hospital.KindOf(err) == hospital.Rejected:
		return v.bindCreateWith("", hospital.MessageFor(err))
	case err != nil:
		return err
	}
	if err := v.s.accounts.Spend(ctx, challenge.ID); err != nil {
		return err
	}
	if err := v.s.accounts.Choose(ctx, v.session, patient); err != nil {
		return err
	}
	v.flash(page.ToneOK, "就诊人已添加。")
	return v.redirect(v.back())
}
