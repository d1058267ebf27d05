package staff_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/booking"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/internal/sqltest"
	"github.com/wxhospital/hospital/payment"
	"github.com/wxhospital/hospital/refserver/internal/guide"
	"github.com/wxhospital/hospital/refserver/internal/staff"
	"github.com/wxhospital/hospital/triage"
)

func readInto(r io.Reader, keep *strings.Builder) io.Reader { return io.TeeReader(r, keep) }

func TestFromTheFirstRunToAPatientWhoIsUnlocked(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		w := newWorld(t.T, t.Open)
		patient := w.patient()
		for range 3 {
			a := w.book(patient, hospital.Insured, 1)
			w.rest(12*time.Hour, 5)
			require.Equal(w, booking.NoShow, w.find(a.ID).State)
		}
		_, err := w.booking.Book(w.Context(), booking.BookRequest{Actor: window, Wish: w.wish(patient, hospital.Insured, 1)})
		require.ErrorIs(w, err, booking.ErrLocked)

		b := w.first()
		page := b.get("/staff/lockouts")
		locked := page.Find("tbody tr a")
		require.Equal(w, 1, locked.Length(), page.text())
		require.NotContains(w, page.raw, string(patient), "a list names nobody")
		page = b.get(locked.AttrOr("href", ""))
		require.Contains(w, page.text(), "已锁定，直到医院解除")
		require.Contains(w, page.text(), string(patient))

		require.Equal(w, http.StatusBadRequest, b.submit("/unlock", nil).status, "no act without a reason")
		require.Contains(w, b.last.Find(".wrong").Text(), "必填")
		require.Equal(w, http.StatusBadRequest, b.submit("/unlock", map[string]string{"reason": strings.Repeat("长", 201)}).status)
		page = b.submit("/unlock", map[string]string{"reason": "来电说明住院，已核实"})
		require.Equal(w, http.StatusOK, page.status)
		require.Contains(w, page.text(), "操作已完成")
		require.Contains(w, page.text(), "未锁定")
		w.book(patient, hospital.Insured, 1)

		require.Equal(w, []string{"zhao patient.unlock ok 来电说明住院，已核实"}, w.trail(sqldb.AuditQuery{Action: "patient.unlock"}))
		require.Equal(w, []string{"zhao staff.lockout.unlock asked 来电说明住院，已核实"}, w.trail(sqldb.AuditQuery{Action: "staff.lockout.unlock"}))
		require.NotEmpty(w, w.trail(sqldb.AuditQuery{Action: "lockout.read", Pseudonym: w.db.Pseudonym(patient)}), "the read is in the trail")

		b.get("/staff/audit")
		page = b.submit("/staff/audit", map[string]string{"patient": string(patient)})
		require.Contains(w, page.at, w.db.Pseudonym(patient))
		require.NotContains(w, page.raw, string(patient)+`"`, "neither page nor address names the patient")
		require.Contains(w, page.text(), "来电说明住院，已核实")
		require.NotContains(w, b.get("/staff/audit?action=patient.unlock&from=2030-01-01").text(), "来电说明")
		require.Contains(w, b.get("/staff/audit?actor=zhao&action=patient.*").text(), "来电说明")
	})
}

func TestAFirstRunLinkIsGoodOnceAndForHalfAnHour(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		w := newWorld(t.T, t.Open)
		old, err := w.desk.FirstLink(w.Context())
		require.NoError(w, err)
		link, err := w.desk.FirstLink(w.Context())
		require.NoError(w, err)
		b := w.browser()
		require.Equal(w, http.StatusNotFound, b.get(old).status, "a new link takes the place of the earlier")

		require.Equal(w, http.StatusBadRequest, b.take(link, "zhao", map[string]string{"login": "zhao", "name": "赵", "password": "short", "again": "short"}).status)
		require.Equal(w, http.StatusBadRequest, b.take(link, "zhao", map[string]string{"login": "Zhao!", "name": "赵"}).status)
		require.Equal(w, http.StatusBadRequest, b.take(link, "zhao", map[string]string{"login": "zhao", "name": "赵", "again": "another"}).status)
		require.Equal(w, http.StatusBadRequest, b.take(link, "zhao", map[string]string{"login": "zhao", "name": "赵", "code": "000000"}).status)
		require.NotContains(w, b.last.raw, password, "a password is never shown again")
		picture := b.get(link + "/code.png")
		require.Equal(w, "image/png", picture.header.Get("Content-Type"))

		w.clock.Pass(30 * time.Minute)
		require.Equal(w, http.StatusNotFound, b.get(link).status, "half an hour has passed")
		link, err = w.desk.FirstLink(w.Context())
		require.NoError(w, err)
		require.Equal(w, "/staff/login", b.take(link, "zhao", map[string]string{"login": "zhao", "name": "赵"}).at)

		require.Equal(w, http.StatusNotFound, b.get(link).status)
		replayed := b.post(link, url.Values{"login": {"mallory"}, "name": {"某"}, "password": {password}, "again": {password}, "code": {w.code("zhao")}})
		require.Equal(w, http.StatusNotFound, replayed.status, "a link is good once")
		_, err = w.desk.FirstLink(w.Context())
		require.Equal(w, "accounts_exist", hospital.CodeOf(err))
		b.login("zhao")
		require.Equal(w, 1, b.get("/staff/accounts").Find("tbody tr").Length())
	})
}

func TestALogInNeedsBothFactorsAndLocksAfterFiveTries(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		w := newWorld(t.T, t.Open)
		w.first()
		b := w.browser()
		try := func(login, secret, code string) page {
			b.get("/staff/login")
			return b.submit("/staff/login", map[string]string{"login": login, "password": secret, "code": code})
		}
		used := w.code("zhao")
		reply := try("zhao", password, used)
		require.Equal(w, http.StatusForbidden, reply.status, "a code is good once")
		sentence := reply.text()
		w.clock.Pass(time.Minute)
		require.Equal(w, sentence, try("zhao", password, "000000").text())
		require.Equal(w, sentence, try("zhao", "not the password", w.code("zhao")).text())
		require.Equal(w, sentence, try("nobody", password, w.code("zhao")).text(), "an unknown account answers alike")
		b.login("zhao") // what is right starts the count anew
		b = w.browser()
		w.clock.Pass(time.Minute)
		for range 5 {
			require.Equal(w, http.StatusForbidden, try("zhao", "not the password", w.code("zhao")).status)
		}
		require.Equal(w, sentence, try("zhao", password, w.code("zhao")).text(), "locked, and nothing says so to a stranger")
		w.clock.Pass(15 * time.Minute)
		b.login("zhao")
		require.Contains(w, w.trail(sqldb.AuditQuery{Action: "staff.login"}), "unknown staff.login denied bad_login ")
		require.Contains(w, w.trail(sqldb.AuditQuery{Action: "staff.login"}), "zhao staff.login denied bad_login ")

		w.clock.Pass(30 * time.Minute)
		require.Equal(w, "/staff/login", b.get("/staff/").at, "nobody was there for half an hour")
	})
}

func TestAnotherAdministratorLetsAColleagueInAgain(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		w := newWorld(t.T, t.Open)
		zhao := w.first()
		qian := zhao.colleague("qian", staff.RoleDesk)
		require.Equal(w, http.StatusOK, qian.get("/staff/appointments").status)
		require.Equal(w, http.StatusForbidden, qian.get("/staff/accounts").status)
		zhao.get("/staff/accounts/zhao")
		require.Zero(w, zhao.last.Find(`form[action$="/reset"]`).Length(), "nobody resets himself")
		token := zhao.last.Find("main input[name=token]").AttrOr("value", "")
		self := zhao.post("/staff/accounts/zhao/reset", url.Values{"token": {token}, "reason": {"忘了"}})
		require.Equal(w, http.StatusForbidden, self.status)
		require.Contains(w, self.text(), "另一位管理员")
		last := zhao.post("/staff/accounts/zhao/roles", url.Values{"token": {token}, "reason": {"调岗"}, "role_desk": {"on"}})
		require.Equal(w, http.StatusConflict, last.status, "the last administrator stays one")

		zhao.get("/staff/accounts/qian")
		link := zhao.submit("/qian/reset", map[string]string{"reason": "更换手机"}).Find("output").Text()
		require.Equal(w, "/staff/login", qian.get("/staff/").at, "her sessions ended")
		w.clock.Pass(time.Minute)
		qian.get("/staff/login")
		require.Equal(w, http.StatusForbidden, qian.submit("/login", map[string]string{"login": "qian", "password": password, "code": w.code("qian")}).status)
		require.Equal(w, "/staff/login", qian.take(link, "qian", nil).at)
		qian.login("qian")

		zhao.get("/staff/accounts/qian")
		require.Contains(w, zhao.submit("/qian/disable", map[string]string{"reason": "离职"}).text(), "已停用")
		require.Equal(w, "/staff/login", qian.get("/staff/").at)
		require.Equal(w, []string{"zhao staff.account.disable ok 离职"}, w.trail(sqldb.AuditQuery{Action: "staff.account.disable"}))
	})
}

func TestStaffCancelAPaidAppointmentWhileTheHISIsSilentAndVouch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqltest.On(t, sqldb.SQLite))
	patient := w.patient()
	a := w.book(patient, hospital.SelfPay, 2)
	sheet, err := w.cashier.Pay(w.Context(), payment.PayRequest{Charge: a.ChargeKey(), Channel: "till", Payer: "payer", Actor: window})
	require.NoError(w, err)
	require.NoError(w, w.till.Pay(sheet.TradeNo))
	w.rest(time.Second, 3)
	require.Positive(w, w.find(a.ID).Paid)

	b := w.first()
	page := b.get("/staff/appointments?state=booked&date=" + a.Date.String())
	require.NotContains(w, page.raw, string(patient))
	page = b.get(page.Find("tbody a").AttrOr("href", ""))
	require.Contains(w, page.text(), string(patient))
	w.line.Cut(true)
	page = b.submit("/cancel", map[string]string{"reason": "患者来电要求"})
	require.Contains(w, page.text(), "正在与医院系统核实")
	require.Contains(w, page.text(), "取消中")
	w.rest(time.Hour, 14)
	page = b.get("/staff/appointments?state=manual")
	if page.at == "/staff/login" { // a night has passed
		b.login("zhao")
		page = b.get("/staff/appointments?state=manual")
	}
	b.get(page.Find("tbody a").AttrOr("href", ""))
	page = b.submit("/resolve", map[string]string{"state": "cancelled", "reason": "电话核实HIS无此号"})
	require.Contains(w, page.text(), "已取消", page.text())
	require.True(w, w.find(a.ID).Vouched)
	w.rest(time.Minute, 3)
	require.Equal(w, w.till.Taken(sheet.TradeNo), w.till.Returned(sheet.TradeNo))

	page = b.get("/staff/orders/" + string(a.ChargeKey()))
	require.Contains(w, page.text(), "已退款")
	require.Contains(w, page.text(), "patient_suspense")
	require.NotEmpty(w, w.trail(sqldb.AuditQuery{Action: "order.read", Pseudonym: w.db.Pseudonym(patient)}))
	page = b.submitSearch("/staff/orders", patient)
	require.Equal(w, 1, page.Find("tbody tr").Length())
}

// submitSearch looks for a patient on the list.
func (b *browser) submitSearch(list string, patient hospital.PatientID) page {
	b.Helper()
	b.get(list)
	return b.submit(list, map[string]string{"patient": string(patient)})
}

func TestAMoneyCaseEndsWithAnOutcomeThatFits(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqltest.On(t, sqldb.SQLite))
	require.NoError(w, w.cashier.Notify(w.Context(), payment.Notice{Channel: "till", ID: "n1", Trade: &payment.Trade{
		TradeNo: "stranger1", State: payment.TradePaid, Amount: 500, Currency: payment.Currency, TransactionID: "t1", PaidAt: w.clock.Now(),
	}}))
	w.rest(time.Second, 1)
	b := w.first()
	page := b.get("/staff/cases")
	b.get(page.Find("tbody a").AttrOr("href", ""))
	require.Contains(w, b.last.text(), "未知的支付或退款")
	require.Equal(w, http.StatusConflict, b.submit("/resolve", map[string]string{"outcome": "give_back", "reason": "核对"}).status)
	page = b.submit("/resolve", map[string]string{"outcome": "dismissed", "reason": "商户后台已核对"})
	require.Equal(w, "/staff/cases?done=done", page.at)
	require.Contains(w, page.text(), "没有人工处理单")
	require.Equal(w, []string{"zhao case.resolve dismissed 商户后台已核对"}, w.trail(sqldb.AuditQuery{Action: "case.resolve"}))
	require.Equal(w, []string{
		"zhao staff.case.resolve asked 商户后台已核对", "zhao staff.case.resolve conflict wrong_outcome 核对", "zhao staff.case.resolve asked 核对",
	}, w.trail(sqldb.AuditQuery{Action: "staff.case.resolve"}))
}

func TestAClinicIsSuspendedAndARuleIsTriedOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqltest.On(t, sqldb.SQLite))
	patient := w.patient()
	a := w.book(patient, hospital.Insured, 2)
	b := w.first()
	page := b.get("/staff/schedules?date=" + a.Date.String())
	require.Contains(w, page.text(), string(a.Schedule))
	b.get("/staff/schedules/" + url.PathEscape(string(a.Schedule)))
	ask := map[string]string{"patient": string(patient), "slot": string(a.Slot)}
	require.Contains(w, b.submit("/try", ask).text(), "不允许预约：", "one number a day and department")
	require.NotEmpty(w, w.trail(sqldb.AuditQuery{Action: "policy.try", Pseudonym: w.db.Pseudonym(patient)}))
	ask["patient"] = string(w.hospital.People()[1].ID)
	require.Contains(w, b.submit("/try", ask).text(), "允许预约。")
	ask["user"] = "u-stranger"
	require.Contains(w, b.submit("/try", ask).text(), "not_bound")
	ask["user"], ask["at"] = "", a.Date.AddDays(1).At(9, 0).Format("2006-01-02T15:04")
	require.Contains(w, b.submit("/try", ask).text(), "不允许预约：", "after the visit")

	page = b.submit("/suspend", map[string]string{"reason": "医生临时外出"})
	require.Contains(w, page.text(), "已取消 1 个预约")
	require.Equal(w, booking.Cancelled, w.find(a.ID).State)
	require.Equal(w, booking.BySuspended, w.find(a.ID).Cause)
	require.Equal(w, http.StatusNotFound, b.get("/staff/schedules/none").status)
}

func TestARuleIsCheckedByFieldAndPublishedForLater(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqltest.On(t, sqldb.SQLite))
	b := w.first()
	body, err := booking.Preset("prepaid-month")
	require.NoError(w, err)
	bad := strings.Replace(strings.Replace(string(body), "patients_per_user:", "patients_per_user: 0 #", 1), "hold_minutes:", "hold_minutes: 0 #", 1)
	b.get("/staff/policies/new")
	page := b.submit("/check", map[string]string{"body": bad})
	require.Equal(w, http.StatusBadRequest, page.status)
	require.Contains(w, page.text(), "binding.patients_per_user")
	require.Contains(w, page.text(), "pay.hold_minutes")
	require.Contains(w, page.Find("textarea").First().Text(), "patients_per_user: 0", "what was typed is still there")
	require.Contains(w, b.submit("/check", map[string]string{"body": string(body)}).text(), "校验通过")
	require.Equal(w, http.StatusBadRequest, b.submit("/publish", map[string]string{"body": string(body), "valid_from": "2020-01-01T00:00", "reason": "新规"}).status)
	page = b.submit("/publish", map[string]string{"body": string(body), "valid_from": "2026-12-01T07:00", "reason": "新规"})
	require.Equal(w, "/staff/policies?done=done", page.at, page.text())
	require.Contains(w, page.text(), "待生效")
	page = b.get(page.Find("tbody a").First().AttrOr("href", ""))
	require.Equal(w, strings.TrimSpace(string(body)), strings.TrimSpace(page.Find("pre").Text()))
	require.Equal(w, []string{"zhao staff.policy.publish asked 新规"}, w.trail(sqldb.AuditQuery{Action: "staff.policy.publish"})[:1])
	require.Contains(w, w.trail(sqldb.AuditQuery{Action: "policy.publish"}), "zhao policy.publish ok policy")
}

func TestBindingsCodesAndMessages(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqltest.On(t, sqldb.SQLite))
	patient := w.patient()
	user := hospital.Actor{Kind: hospital.ActorUser, ID: "u1", Entry: hospital.EntryWeChat}
	require.NoError(w, w.booking.Bind(w.Context(), booking.BindRequest{Actor: user, User: "u1", Patient: patient}))
	b := w.first()
	require.Equal(w, 1, b.get("/staff/bindings").Find("tbody tr").Length())
	page := b.submitSearch("/staff/bindings", patient)
	b.get(page.Find("tbody a").AttrOr("href", ""))
	require.Contains(w, b.last.text(), "当前有效")
	page = b.submit("/unbind", map[string]string{"reason": "本人持证到窗口"})
	require.Contains(w, page.text(), "已不是当前的绑定")
	bound, err := w.bookings.Bound(w.Context(), "u1")
	require.NoError(w, err)
	require.Empty(w, bound)

	b.get("/staff/codes")
	page = b.submit("/make", map[string]string{"patient": string(patient), "reason": "核验身份证原件"})
	require.Equal(w, "482913", page.Find("output").Text())
	require.NotContains(w, b.get("/staff/codes").raw, "482913", "a code is shown once")
	require.Equal(w, []string{"zhao staff.code.make ok 核验身份证原件"}, w.trail(sqldb.AuditQuery{Action: "staff.code.make"}))

	page = b.get("/staff/messages")
	b.get(page.Find("tbody a").AttrOr("href", ""))
	require.Contains(w, b.submit("/repeat", map[string]string{"reason": "患者已关注"}).text(), "没有失败的消息")
}

func TestDeadJobsAndUnreadableRowsComeBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, sqltest.On(t, sqldb.SQLite))
	a := w.book(w.patient(), hospital.Insured, 2)
	require.NoError(w, w.db.Write(w.Context(), func(tx *sqldb.Tx) error {
		if _, err := tx.Exec("UPDATE booking_appointments SET body = '{', due_at = 1 WHERE id = $1", a.ID); err != nil {
			return err
		}
		return sqldb.Enqueue(tx, sqldb.Job{Kind: "message.send", Key: "k1", MaxAttempts: 1})
	}))
	jobs, err := sqldb.NewJobs(sqldb.JobsConfig{DB: w.db})
	require.NoError(w, err)
	leased, err := jobs.Lease(w.Context(), []string{"message.send"}, 1, time.Minute)
	require.NoError(w, err)
	require.NoError(w, jobs.Retry(w.Context(), leased[0], &hospital.Error{Kind: hospital.Rejected, Code: "43004"}))
	w.rest(time.Second, 1)

	b := w.first()
	page := b.get("/staff/unreadable")
	b.get(page.Find("tbody a").AttrOr("href", ""))
	require.Equal(w, http.StatusConflict, b.submit("/readmit", map[string]string{"reason": "已修复"}).status, "it still cannot be read")
	page = b.get("/staff/jobs")
	b.get(page.Find("tbody a").AttrOr("href", ""))
	require.Contains(w, b.submit("/revive", map[string]string{"reason": "接口已恢复"}).text(), "没有放弃的任务")
	dead, err := jobs.Dead(w.Context())
	require.NoError(w, err)
	require.Empty(w, dead)
}

func TestTriageKnowledgeIsCheckedPublishedAndTakenBack(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		w := newWorld(t.T, t.Open)
		b := w.first()
		w.clock.Pass(time.Minute)
		b.get("/staff/knowledge/new")
		faulty := "{\n\"rules\": {\"kind\": \"rules\", \"rules\": [\n{\"id\": \"a\", \"why\": \"x\", \"when\": {\"symptoms_any\": [\"没有这个词\"]}, \"first\": \"TCM\"}]}}"
		page := b.submit("/check", map[string]string{"knowledge": faulty})
		require.Equal(w, http.StatusBadRequest, page.status)
		require.Contains(w, page.text(), "overlay/rules.json:3: unknown symptom")
		page = b.submit("/publish", map[string]string{"knowledge": faulty, "reason": "试试"})
		require.Equal(w, http.StatusBadRequest, page.status, "a faulty set is refused")
		require.Contains(w, page.text(), "overlay/rules.json:3: unknown symptom")
		require.Contains(w, b.get("/staff/knowledge").text(), "还没有发布过", "and the one in force stays")

		good := strings.Replace(faulty, "没有这个词", "膝盖疼", 1)
		cases := `{"id": "knee", "text": "膝盖疼", "gold": ["TCM"]}`
		b.get("/staff/knowledge/new")
		page = b.submit("/check", map[string]string{"knowledge": good, "cases": cases})
		require.Contains(w, page.text(), "校验通过")
		tables := page.Find("main section table")
		require.Contains(w, tables.Eq(0).Text(), "rules")
		require.Contains(w, page.text(), "新增")
		require.Contains(w, tables.Text(), "现行0 / 1")
		require.Contains(w, tables.Text(), "本稿1 / 1")
		require.Equal(w, http.StatusBadRequest, b.submit("/publish", map[string]string{"knowledge": good, "cases": cases}).status, "no act without a reason")
		page = b.submit("/publish", map[string]string{"knowledge": good, "cases": cases, "reason": "本院骨伤专家门诊"})
		require.Equal(w, "/staff/knowledge?done=done", page.at, page.text())
		require.Contains(w, page.text(), "生效中")
		require.Equal(w, []string{"zhao staff.knowledge.publish ok 本院骨伤专家门诊"}, w.trail(sqldb.AuditQuery{Action: "staff.knowledge.publish", Limit: 1}))
		require.Equal(w, "TCM", w.advised("膝盖疼"))

		page = b.get("/staff/knowledge/new")
		require.Equal(w, good, page.Find("form[action$='/publish'] textarea[name=knowledge]").Text(), "who makes a new one begins with the one in force")
		require.Equal(w, cases, page.Find("form[action$='/check'] textarea[name=cases]").Text())
		page = b.submit("/check", map[string]string{"knowledge.file": "\ufeff{\n\"rules\": 3}"})
		require.Contains(w, page.text(), "overlay/rules.json:2: want an object", "a file takes the place of what stands there")
		b.get("/staff/knowledge/new")
		page = b.submit("/check", map[string]string{"cases.file": "\n" + `{"id": "knee", "text": "膝盖疼", "parts": ["TAIL"], "gold": ["TCM"]}`})
		require.Equal(w, http.StatusBadRequest, page.status)
		require.Contains(w, page.text(), "cases:2: case knee")
		b.get("/staff/knowledge/new")
		b.submit("/publish", map[string]string{"knowledge.file": `{"set": {"kind": "set", "version": "two"}}`, "reason": "撤下规则"})
		w.clock.Pass(time.Minute)
		require.Equal(w, "ORTH", w.advised("膝盖疼"))
		page = b.get("/staff/knowledge/0001")
		require.Contains(w, page.Find("pre").Text(), "膝盖疼")
		page = b.submit("/restore", map[string]string{"reason": "恢复专家门诊"})
		require.Equal(w, "/staff/knowledge/0003?done=done", page.at, page.text())
		require.Equal(w, "TCM", w.advised("膝盖疼"))
		require.Equal(w, []string{"zhao staff.knowledge.restore ok 恢复专家门诊"}, w.trail(sqldb.AuditQuery{Action: "staff.knowledge.restore", Limit: 1}))

		require.NoError(w, w.guide.Record(w.Context(), "1", guide.Consultation{
			Day: hospital.DateOf(w.clock.Now()), Level: "none", Age: "40-59", Understood: []string{"膝盖疼"}, Departments: []string{"TCM"}, Sure: true,
		}))
		page = b.get("/staff/consultations")
		require.Contains(w, page.text(), "膝盖疼")
		require.Contains(w, page.Find("table").First().Text(), "TCM1")
	})
}

// advised is the standard department that comes first now.
func (w *world) advised(text string) string {
	w.Helper()
	a, err := w.guide.Knowledge(w.Context()).Set.Advise(triage.Complaint{Text: text})
	require.NoError(w, err)
	return a.Departments[0].Standard
}
