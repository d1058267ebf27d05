package main

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"
)

// wholeWay is a patient's main job: from the body to a number, paid from the
// voucher, cancelled, and the money back.
func (b *browser) wholeWay() {
	b.Helper()
	b.chooses("导诊挂号", "智能导诊", "哪里不舒服")
	b.opens("上腹部", "上腹部怎么不舒服")
	b.presses("反酸")
	b.presses("腹胀")
	b.opens("看看挂哪个科", "建议您挂")
	b.reads("脾胃病科")
	b.opens("选日期和医生", "选择日期")
	b.opens("明天", "明天 11月24日")
	b.opens("专家号", "选择时段")
	b.opens("08:00", "请先添加就诊人")
	b.opens("添加就诊人", "第 1 步")
	b.binds("为谁挂号")
	b.presses("我已阅读并同意")
	b.opens("确认挂号", "挂号成功")
	b.hears("就诊人绑定通知", "预约成功通知")
	b.opens("去支付", "稍后再付")
	b.pays("30.00")
	b.opens("查看", "就诊凭证")
	b.hears("就诊人绑定通知", "预约成功通知", "挂号费支付成功通知")
	b.opens("取消挂号", "确定取消吗")
	b.opens("确定取消", "已取消")
	b.ends(30_00, 30_00, "就诊人绑定通知", "预约成功通知", "挂号费支付成功通知", "预约取消通知", "挂号费退款通知")
}

func TestAPatientIsGuidedBooksPaysAndCancels(t *testing.T) {
	t.Parallel()
	openBrowser(t, told{name: "a"}).wholeWay()
}

func TestAnElderlyPatientGoesTheWholeWayByKeyboard(t *testing.T) {
	t.Parallel()
	b := openBrowser(t, told{name: "f", typing: true, dark: true})
	b.chooses("互动资讯", "长辈版", "今日就诊")
	b.until("the letters are large", `page.documentElement.classList.contains("care")`)
	b.returns()
	b.wholeWay()
}

func TestAPatientTakesANumberOfTodayAndPaysBeforeItIsConfirmed(t *testing.T) {
	t.Parallel()
	b := openBrowser(t, told{name: "b", dark: true})
	b.chooses("导诊挂号", "预约挂号", "选择科室")
	b.opens("今天就诊", "当日挂号")
	b.opens("针灸科", "选择日期")
	b.opens("普通门诊", "选择时段")
	b.opens("余", "请先添加就诊人")
	b.opens("添加就诊人", "第 1 步")
	b.binds("为谁挂号")
	b.presses("我已阅读并同意")
	b.opens("提交并支付", "内支付")
	b.hears("就诊人绑定通知", "待支付提醒")
	b.pays("12.05")
	b.opens("查看", "就诊凭证")
	b.ends(12_05, 0, "就诊人绑定通知", "待支付提醒", "预约成功通知")
}

// bindsFirst adds a patient from the menu.
func (b *browser) bindsFirst() string {
	b.Helper()
	b.chooses("诊疗服务", "就诊人管理", "就诊人")
	b.opens("添加就诊人", "第 1 步")
	person := b.binds("就诊人")
	b.returns()
	b.hears("就诊人绑定通知")
	return string(person.ID)
}

func TestAPatientPaysABillThatACardToldOf(t *testing.T) {
	t.Parallel()
	b := openBrowser(t, told{name: "c"})
	patient := b.bindsFirst()
	b.taps("到明天 07:30")
	b.until("the patient is chosen", `(document.getElementById("who").value = "`+patient+`") === document.getElementById("who").value`)
	b.taps("医生开单")
	b.hears("就诊人绑定通知", "待缴费通知")
	b.follows("待缴费通知", "账单详情")
	b.opens("去支付", "稍后再付")
	b.pays("213.00")
	b.opens("查看账单", "已缴费")
	b.reads("缴费时间")
	b.returns()
	b.chooses("诊疗服务", "我的账单", "待缴费")
	b.opens("已缴", "¥213.00")
	b.until("what is asked again and again is one line", `/×[3-9]/.test([...document.querySelectorAll("#wire li")].find((e) => e.textContent.includes("Suspensions")).textContent)`)
	b.ends(213_00, 0, "就诊人绑定通知", "待缴费通知", "缴费成功通知")
}

// misses books a number of tomorrow and does not come: the evening passes, and
// the morning after.
func (b *browser) misses() {
	b.Helper()
	b.opensAClinicOfTomorrow("为谁挂号")
	b.presses("我已阅读并同意")
	b.opens("确认挂号", "挂号成功")
	b.returns()
	b.taps("爽约")
	b.until("the evening came", `document.getElementById("said").textContent.includes("没有来")`)
	b.taps("到明天 07:30")
}

func (b *browser) opensAClinicOfTomorrow(says string) {
	b.Helper()
	b.chooses("导诊挂号", "预约挂号", "选择科室")
	b.opens("针灸科", "选择日期")
	b.opens("明天", "明天")
	b.opens("普通门诊", "选择时段")
	b.opens("余", says)
}

func TestWhoDoesNotComeThreeTimesIsLockedAndUnlockedByStaff(t *testing.T) {
	t.Parallel()
	b := openBrowser(t, told{name: "d"})
	b.bindsFirst()
	cards := []string{"就诊人绑定通知"}
	for range 3 {
		b.misses()
		cards = append(cards, "预约成功通知", "未就诊提醒")
		if len(cards) == 7 {
			cards = append(cards, "预约暂停通知")
		}
		b.hears(cards...)
	}
	b.follows("预约暂停通知", "就诊人")
	b.returns()
	b.opensAClinicOfTomorrow("线上挂号已暂停")

	b.atTheDesk()
	cards = append(cards, "预约恢复通知")
	b.hears(cards...)
	b.misses()
	b.ends(0, 0, append(cards, "预约成功通知", "未就诊提醒")...)
}

// atTheDesk lets the first member of staff make an account, log in and unlock
// who is locked; then the tab is the test bed again.
func (b *browser) atTheDesk() {
	b.Helper()
	b.page = wholePage
	require.NoError(b, chromedp.Do(b.ctx, chromedp.Navigate(b.address("/staff/link/"))))
	b.reads("创建第一个管理员账号")
	secret, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`[...document.querySelectorAll("dt")].find((e) => e.textContent === "身份验证器密钥").nextElementSibling.textContent`))
	require.NoError(b, err)
	code := func(at time.Time) string {
		code, err := totp.GenerateCode(secret, at)
		require.NoError(b, err)
		return code
	}
	const password = "correct horse battery"
	b.fills("login", "zhao")
	b.fills("name", "赵")
	b.fills("password", password)
	b.fills("again", password)
	now := time.Now()
	b.fills("code", code(now))
	b.opens("完成设置", "忘记密码")
	b.fills("login", "zhao")
	b.fills("password", password)
	b.fills("code", code(now.Add(30*time.Second))) // a code is good once, and the next one a little early
	b.opens("登录", "工作台")
	b.opens("锁定", "锁定")
	b.until("a lockout in the list", `(page.querySelector("tbody tr a").click(), true)`)
	b.reads("解除锁定")
	b.fills("reason", "来电说明住院，已核实")
	b.opens("解除锁定", "操作已完成")
	b.page = phonePage
	require.NoError(b, chromedp.Do(b.ctx, chromedp.Navigate(b.bed)))
}

func TestAClinicIsSuspendedAndThePatientIsRefundedAndBooksAgain(t *testing.T) {
	t.Parallel()
	b := openBrowser(t, told{name: "e"})
	b.bindsFirst()
	b.opensAClinicOfTomorrow("为谁挂号")
	b.presses("我已阅读并同意")
	b.opens("确认挂号", "挂号成功")
	b.opens("去支付", "稍后再付")
	b.pays("12.05")
	b.returns()
	cards := []string{"就诊人绑定通知", "预约成功通知", "挂号费支付成功通知"}
	b.hears(cards...)
	b.until("tomorrow is chosen", `((day) => { day.selectedIndex = 1; day.dispatchEvent(new Event("change")); return true; })(document.getElementById("day"))`)
	b.until("the clinic is chosen", `((clinic) => { const o = [...clinic.options].find((o) => o.value.startsWith("20261124") && o.text.includes("上午 针灸科 普通门诊")); clinic.value = o.value; return true; })(document.getElementById("clinic"))`)
	b.taps("停诊")
	b.until("somebody lost a number", `document.getElementById("said").textContent.includes("1 笔")`)
	cards = append(cards, "停诊通知", "挂号费退款通知")
	b.hears(cards...)
	b.follows("停诊通知", "停诊")
	b.opens("重新挂号", "选择日期")
	b.opens("明天", "明天 11月24日")
	b.opens("专家号", "选择时段")
	b.opens("余", "为谁挂号")
	b.presses("我已阅读并同意")
	b.opens("确认挂号", "挂号成功")
	b.ends(12_05, 12_05, append(cards, "预约成功通知")...)
}
