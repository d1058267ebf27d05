package page

import (
	"html/template"
	"math"
	"strconv"
	"time"

	"github.com/wxhospital/hospital"
)

// words are the functions of the templates.
func (p *Pages) words() template.FuncMap {
	return template.FuncMap{
		"link":     func() Links { return p.links },
		"hosp":     func() Hospital { return p.hospital },
		"yuan":     func(f hospital.Fen) string { return f.Yuan() },
		"day":      func(d hospital.Date) string { return p.day(d) },
		"dayno":    func(d hospital.Date) string { return strconv.Itoa(int(d.Month())) + "/" + strconv.Itoa(d.Day()) },
		"weekday":  func(d hospital.Date) string { return p.weekday(d) },
		"on":       func(t time.Time) string { return p.day(hospital.DateOf(t)) },
		"date":     func(t time.Time) string { return t.In(hospital.CST).Format("2006-01-02") },
		"clock":    func(t time.Time) string { return t.In(hospital.CST).Format("15:04") },
		"when":     func(t time.Time) string { return p.day(hospital.DateOf(t)) + " " + t.In(hospital.CST).Format("15:04") },
		"span":     span,
		"seconds":  func(t time.Time) int { return max(0, int(math.Ceil(t.Sub(p.now()).Seconds()))) },
		"minutes":  func(d time.Duration) int { return int(math.Ceil(d.Minutes())) },
		"session":  session,
		"counted":  func(n int) bool { return n >= 0 },
		"status":   Status.word,
		"tone":     Status.tone,
		"bill":     BillStatus.word,
		"billtone": BillStatus.tone,
		"busy":     Busy.word,
		"sale":     Sale.word,
		"room":     Place,
		"figure":   p.drawFigure,
		"icon":     icon,
		"field":    field,
		"choose":   choose,
		"secs":     func(d time.Duration) int { return int(math.Ceil(d.Seconds())) },
		"toneicon": func(t Tone) string {
			switch t {
			case ToneOK:
				return "ok"
			case ToneWarn, ToneDanger:
				return "warn"
			case TonePlain:
			}
			return "help"
		},
		"tabbed": tabbed,
		"list":   func(s ...string) []string { return s },
		"odd":    func(i int) bool { return i%2 == 1 },
		"sexes":  func() []Sex { return []Sex{Male, Female} },
		"as":     func(f Figure, sex Sex, age Age, side Side) Figure { return f.with(sex, age, side) },
	}
}

// tabbed pages have the bar of the four tabs; the others lead through a task.
func tabbed(file string) bool {
	switch file {
	case "home", "departments", "doctors", "department", "doctor", "appointments", "bills", "patients", "messages", "settings", "help",
		"state", "triage_emergency":
		return true
	}
	return false
}

func (f Figure) with(sex Sex, age Age, side Side) Figure {
	f = f.orDefault()
	if sex != "" {
		f.Sex = sex
	}
	if age != "" {
		f.Age = age
	}
	if side != "" {
		f.Side = side
	}
	return f
}

// day is 今天 11月25日 周三.
func (p *Pages) day(d hospital.Date) string {
	s := strconv.Itoa(int(d.Month())) + "月" + strconv.Itoa(d.Day()) + "日 周" + weekdays()[d.Weekday()]
	today := hospital.DateOf(p.now())
	if d.Year() != today.Year() {
		s = strconv.Itoa(d.Year()) + "年" + s
	}
	switch today.DaysUntil(d) {
	case 0:
		return "今天 " + s
	case 1:
		return "明天 " + s
	}
	return s
}

func weekdays() []string { return []string{"日", "一", "二", "三", "四", "五", "六"} }

// weekday is 今天, 明天 or 周三.
func (p *Pages) weekday(d hospital.Date) string {
	switch hospital.DateOf(p.now()).DaysUntil(d) {
	case 0:
		return "今天"
	case 1:
		return "明天"
	}
	return "周" + weekdays()[d.Weekday()]
}

func span(from, to time.Time) string {
	s := from.In(hospital.CST).Format("15:04")
	if to.IsZero() {
		return s
	}
	return s + "–" + to.In(hospital.CST).Format("15:04")
}

func session(s hospital.Session) string {
	switch s {
	case hospital.Morning:
		return "上午"
	case hospital.Afternoon:
		return "下午"
	case hospital.Evening:
		return "夜间"
	}
	return ""
}

// Place puts a room into words: 门诊楼 3 楼 305 诊室; "" for an unknown one.
func Place(r hospital.Room) string {
	s := r.Building
	for _, part := range []string{r.Floor, r.Name} {
		if s != "" && part != "" {
			s += " "
		}
		s += part
	}
	return s
}

func (s Status) word() string {
	switch s {
	case StatusHolding:
		return "挂号中"
	case StatusPayDue:
		return "待支付"
	case StatusConfirming:
		return "已支付，挂号中"
	case StatusBooked:
		return "挂号成功"
	case StatusArrived:
		return "已取号"
	case StatusFulfilled:
		return "已就诊"
	case StatusCancelling:
		return "取消中"
	case StatusCancelled:
		return "已取消"
	case StatusRefunding:
		return "已取消·退款中"
	case StatusRefunded:
		return "已退款"
	case StatusRefundManual:
		return "退款人工处理中"
	case StatusStopped:
		return "停诊"
	case StatusNoShow:
		return "失约"
	case StatusExpired:
		return "超时未支付"
	case StatusRefused:
		return "挂号未成功"
	case StatusManual:
		return "人工处理中"
	}
	return "处理中"
}

func (s Status) tone() Tone {
	switch s {
	case StatusBooked, StatusArrived:
		return ToneOK
	case StatusHolding, StatusPayDue, StatusConfirming, StatusCancelling, StatusRefunding, StatusManual, StatusRefundManual:
		return ToneWarn
	case StatusStopped, StatusNoShow, StatusRefused:
		return ToneDanger
	case StatusFulfilled, StatusCancelled, StatusRefunded, StatusExpired:
	}
	return TonePlain
}

func (s BillStatus) word() string {
	switch s {
	case BillDue:
		return "待缴费"
	case BillPaying:
		return "支付确认中"
	case BillPaid:
		return "已缴费"
	case BillAtWindow:
		return "已在窗口缴费"
	case BillRefunding:
		return "退费中"
	case BillRefunded:
		return "已退费"
	case BillVoid:
		return "已作废"
	case BillManual:
		return "人工处理中"
	}
	return "处理中"
}

func (s BillStatus) tone() Tone {
	switch s {
	case BillPaid, BillAtWindow:
		return ToneOK
	case BillDue, BillPaying, BillRefunding, BillManual:
		return ToneWarn
	case BillRefunded, BillVoid:
	}
	return TonePlain
}

func (b Busy) word() string {
	switch b {
	case BusyLow:
		return "较空"
	case BusyMedium:
		return "适中"
	case BusyHigh:
		return "较忙"
	case BusyFull:
		return "约满"
	}
	return ""
}

func (s Sale) word() string {
	switch s {
	case SaleOpen:
		return "有号"
	case SaleFull:
		return "约满"
	case SaleStopped:
		return "停诊"
	case SaleNotYet:
		return "未放号"
	case SaleOver:
		return "已过"
	case SaleNone:
	}
	return "无排班"
}

// input is one text field of a form.
type input struct {
	Name, Label, Type, Mode, Auto, Hint, Value, Error string
	Max                                               int
}

// field makes an input: its value and its error come from the form.
func field(f Fields, name, label, kind, mode, auto, hint string, longest int) input {
	return input{name, label, kind, mode, auto, hint, f.Values[name], f.Errors[name], longest}
}

// icon is one of our 24-unit stroke icons. They stand beside text.
func icon(name string) template.HTML {
	d := map[string]string{
		"home":   "M4 11l8-7 8 7v9h-5v-6h-6v6H4z",
		"book":   "M5 5h14v15H5zM5 10h14M9 3v4M15 3v4M9 15h6",
		"mail":   "M4 6h16v12H4zM4 7l8 6 8-6",
		"me":     "M12 12a4 4 0 100-8 4 4 0 000 8zM4 21c0-4 4-6 8-6s8 2 8 6",
		"body":   "M12 7a2.5 2.5 0 100-5 2.5 2.5 0 000 5zM6 10l6-1 6 1M12 9v6M12 15l-3 7M12 15l3 7",
		"list":   "M8 6h12M8 12h12M8 18h12M4 6h.01M4 12h.01M4 18h.01",
		"bill":   "M6 3h12v18l-3-2-3 2-3-2-3 2zM9 8h6M9 12h6",
		"people": "M9 11a3.5 3.5 0 100-7 3.5 3.5 0 000 7zM3 20c0-4 3-6 6-6s6 2 6 6M16 4.500a3.500 3.500 0 010 6.500M17 14c2.500.500 4 2.500 4 6",
		"doctor": "M6 3v5a4 4 0 008 0V3M10 12v4a4 4 0 008 0v-3M18 13a1.500 1.500 0 100-3 1.500 1.500 0 000 3z",
		"help":   "M12 21a9 9 0 100-18 9 9 0 000 18zM9.500 9.500a2.500 2.500 0 115 0c0 2-2.500 2-2.500 4M12 17h.01",
		"large":  "M3 19L9 5l6 14M5 14h8M16 19l3-7 3 7M17 17h4",
		"phone":  "M6 3h4l1 5-2.500 2a12 12 0 005.500 5.500L16 13l5 1v4a2 2 0 01-2 2A16 16 0 014 5a2 2 0 012-2z",
		"ok":     "M5 13l4.500 4.500L19 7",
		"warn":   "M12 4v11M12 19.500h.01",
		"no":     "M6 6l12 12M18 6L6 18",
		"wait":   "M12 6v6l4 3M12 21a9 9 0 100-18 9 9 0 000 18z",
		"go":     "M9 5l7 7-7 7",
		"place":  "M12 21s7-6.500 7-11.500a7 7 0 10-14 0C5 14.500 12 21 12 21zM12 12a2.500 2.500 0 100-5 2.500 2.500 0 000 5z",
	}[name]
	return template.HTML(`<svg class="i" viewBox="0 0 24 24" aria-hidden="true"><path d="` + d + `"/></svg>`) //nolint:gosec // constants only
}

// choice is one list of a form to choose from.
type choice struct {
	Name, Label, Value string
	Options            []FollowOption
}

// choose makes a list of the values and words that alternate in options.
func choose(f Fields, name, label string, options []string) choice {
	c := choice{Name: name, Label: label, Value: f.Values[name]}
	for i := 0; i+1 < len(options); i += 2 {
		c.Options = append(c.Options, FollowOption{options[i], options[i+1]})
	}
	return c
}
