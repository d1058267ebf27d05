package wechattest

import (
	"regexp"
	"strconv"
	"strings"
)

// LibraryTemplate is an entry of the platform's libraries of templates, out of
// which an account takes its own.
type LibraryTemplate struct {
	// Number is the entry's: "47123" in 类目模板库, "TM00015" in the older library by
	// industry, the tid for subscription notices.
	Number string
	Title  string
	Kind   TemplateKind
	// Category is what an account must be registered for, for subscription
	// notices: one of Config.Categories.
	Category int64
	// Keywords are the fields to choose from.
	Keywords []LibraryKeyword
	// Content is the whole template in the older library, which leaves no choice,
	// and Industry the number of the industry it belongs to.
	Content  string
	Industry int
}

// LibraryKeyword is a field that an entry offers. Its key in a message is rule
// and id: "thing1".
type LibraryKeyword struct {
	ID                  int
	Name, Rule, Example string
}

// Category is a field of service that the account is registered for (类目).
type Category struct {
	ID   int64  `json:"id"`
	Name string `json:"name"`
}

var libraryNumber = regexp.MustCompile(`^[0-9A-Z]{1,32}$`)

// fits reports whether the entry can become a template.
func (l LibraryTemplate) fits() bool {
	if !libraryNumber.MatchString(l.Number) || (l.Content == "") == (len(l.Keywords) == 0) {
		return false
	}
	if _, err := strconv.ParseInt(l.Number, 10, 64); err != nil && l.Kind != TemplateMessage {
		return false
	}
	seen := map[int]bool{}
	for _, k := range l.Keywords {
		_, legacy := fieldKind(k.key())
		if k.ID <= 0 || seen[k.ID] || k.Name == "" || legacy {
			return false
		}
		seen[k.ID] = true
	}
	return l.Industry >= 0 && l.Industry <= len(industryNames())
}

func (k LibraryKeyword) key() string { return k.Rule + strconv.Itoa(k.ID) }

// content writes the lines of a template out of chosen fields, and what they
// look like filled in.
func content(chosen []LibraryKeyword) (lines, example string) {
	var shape, filled strings.Builder
	for _, k := range chosen {
		shape.WriteString(k.Name + ":{{" + k.key() + ".DATA}}\n")
		filled.WriteString(k.Name + ":" + k.Example + "\n")
	}
	return shape.String(), filled.String()
}

// entry finds an entry of one of the libraries.
func (t *turn) entry(number string, subscription bool) (LibraryTemplate, bool) {
	for _, l := range t.config.Library {
		if l.Number == number && (l.Kind != TemplateMessage) == subscription {
			return l, true
		}
	}
	return LibraryTemplate{}, false
}

// allTemplates are the account's templates: those of the Config that were not
// given back, and those that were taken since.
func (t *turn) allTemplates() []Template {
	var all []Template
	for _, m := range t.config.Templates {
		if !t.retired.rows[m.ID] {
			all = append(all, m)
		}
	}
	for _, key := range t.templates.keys() {
		all = append(all, t.templates.rows[key])
	}
	return all
}

// template finds one of the account's templates.
func (t *turn) template(id string, subscription bool) (Template, bool) {
	for _, m := range t.allTemplates() {
		if m.ID == id {
			return m, (m.Kind != TemplateMessage) == subscription
		}
	}
	return Template{}, false
}

// take gives the account a template, unless it has as many as it may.
func (t *turn) take(m Template, most int) (id string, room bool) {
	count := 0
	for _, other := range t.allTemplates() {
		if (other.Kind != TemplateMessage) == (m.Kind != TemplateMessage) {
			count++
		}
	}
	if count >= most {
		return "", false
	}
	m.ID = randomText(idLetters, templateIDLength)
	t.templates.put(t, order(t.next("templates")), m)
	return m.ID, true
}

// giveBack takes a template away.
func (t *turn) giveBack(id string) {
	for _, key := range t.templates.keys() {
		if t.templates.rows[key].ID == id {
			t.templates.drop(t, key)
			return
		}
	}
	t.retired.put(t, id, true)
}

const templateIDLength = 43

// order is a number as a key that sorts.
func order(n int64) string {
	text := decimal(n)
	return strings.Repeat("0", max(0, 12-len(text))) + text
}

// industryNames are the industries by their numbers, from 1.
// API: POST /cgi-bin/template/api_set_industry, 行业代码查询.
func industryNames() []string {
	return []string{
		"IT科技/互联网|电子商务", "IT科技/IT软件与服务", "IT科技/IT硬件与设备", "IT科技/电子技术", "IT科技/通信与运营商", "IT科技/网络游戏",
		"金融业/银行", "金融业/基金|理财|信托", "金融业/保险", "餐饮/餐饮", "酒店旅游/酒店", "酒店旅游/旅游",
		"运输与仓储/快递", "运输与仓储/物流", "运输与仓储/仓储", "教育/培训", "教育/院校",
		"政府与公共事业/学术科研", "政府与公共事业/交警", "政府与公共事业/博物馆", "政府与公共事业/公共事业|非盈利机构",
		"医药护理/医药医疗", "医药护理/护理美容", "医药护理/保健与卫生",
		"交通工具/汽车相关", "交通工具/摩托车相关", "交通工具/火车相关", "交通工具/飞机相关", "房地产/建筑", "房地产/物业", "消费品/消费品",
		"商业服务/法律", "商业服务/会展", "商业服务/中介服务", "商业服务/认证", "商业服务/审计",
		"文体娱乐/传媒", "文体娱乐/体育", "文体娱乐/娱乐休闲", "印刷/印刷", "其它/其它",
	}
}

// industryName is the pair of names of an industry.
func industryName(number int) (first, second string) {
	names := industryNames()
	if number < 1 || number > len(names) {
		return "", ""
	}
	first, second, _ = strings.Cut(names[number-1], "/")
	return first, second
}

// digits is a number that callers write bare or in quotes.
type digits string

// UnmarshalJSON takes both.
func (d *digits) UnmarshalJSON(raw []byte) error {
	text := strings.Trim(string(raw), `"`)
	if text == "null" {
		return nil
	}
	if text != "" {
		if _, err := strconv.ParseInt(text, 10, 64); err != nil {
			return err
		}
	}
	*d = digits(text)
	return nil
}

// number is what was written, 0 for nothing.
func (d digits) number() int64 {
	n, err := strconv.ParseInt(string(d), 10, 64)
	if err != nil {
		return 0 // only the empty text gets here
	}
	return n
}
