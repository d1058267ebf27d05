package triage

import (
	"slices"
	"strings"
	"unicode"
)

// maxTextRunes bounds one complaint. The median is 61 characters; who writes
// more than this has said it long before, and the rest is not read.
const maxTextRunes = 2000

// traditional and simplified stand in pairs. Traditional characters are one in
// a thousand complaints, so the table holds only those of bodies and illness.
const (
	traditional = "頭髮臉頸頰齒齦膚脣喉嚨腫脹癢瘡瘍瘋痺癥癲癇癬濕發燒熱體溫壓黴膿腸膽腎臟腦腳膝關節脛髖頜頦鬆鬍點淚淋竇聽聾聲啞塞嗆嘔瀉潰瘺滲見視線紅腦癱麻無沒孕婦產經帶陰乳嬰兒寶孩診醫藥術後檢查裡裏圍內長幾個這樣說話覺為麼嗎請問師輕嚴難緊張鬱憂慮懼驚睡夢還與過歲週時間開關氣喘風濕傷裂斷骨質輸尿結塊顆繼續現從對應該歷復製劑針灸療養當爛燙擦摔車禍觸電溺漁農葯雙邊腹瀉攣縮顫"
	simplified  = "头发脸颈颊齿龈肤唇喉咙肿胀痒疮疡疯痹症癫痫癣湿发烧热体温压霉脓肠胆肾脏脑脚膝关节胫髋颌颏松胡点泪淋窦听聋声哑塞呛呕泻溃瘘渗见视线红脑瘫麻无没孕妇产经带阴乳婴儿宝孩诊医药术后检查里里围内长几个这样说话觉为么吗请问师轻严难紧张郁忧虑惧惊睡梦还与过岁周时间开关气喘风湿伤裂断骨质输尿结块颗继续现从对应该历复制剂针灸疗养当烂烫擦摔车祸触电溺渔农药双边腹泻挛缩颤"
)

// normaliser turns what a thumb typed into what the lexicon is written in.
type normaliser struct{ simple, like map[rune]rune }

func newNormaliser() normaliser {
	from, to := []rune(traditional), []rune(simplified)
	n := normaliser{simple: make(map[rune]rune, len(from)), like: map[rune]rune{}}
	sound, form := []rune(likeSound), []rune(likeForm)
	for i, r := range sound {
		n.like[r] = form[i]
	}
	for i, r := range from {
		if r != to[i] {
			n.simple[r] = to[i]
		}
	}
	return n
}

// runes returns text in half-width lower case and simplified characters,
// without spaces, control, private-use and joining characters and pictures.
// Punctuation stays in one form a meaning, because it bounds a clause. Many who
// type on a phone put a space where the comma belongs: one between two words of
// two characters or more bounds a clause as well; 胸 口 疼 is one word.
func (n normaliser) runes(text string) []rune {
	out := make([]rune, 0, min(len(text)/3+8, maxTextRunes))
	word, gap := 0, false // ideographs since the last other character, a space after them
	for _, r := range text {
		if len(out) >= maxTextRunes {
			break
		}
		if ideograph(r) {
			if s, ok := n.simple[r]; ok {
				r = s
			}
			if gap {
				word, gap = 0, false
			}
			out = append(out, r)
			word++
			if at := len(out) - 1 - word; word == shortestWord && at >= 0 && out[at] == ' ' {
				out[at] = '，'
			}
			continue
		}
		if unicode.IsSpace(r) && r != '\n' && r != '\r' {
			if word >= shortestWord && !gap {
				out, gap = append(out, ' '), true
			}
			continue
		}
		if r = plain(r); r != 0 {
			out = append(out, r)
			word, gap = 0, false
		}
	}
	out = slices.DeleteFunc(out, func(r rune) bool { return r == ' ' })
	return out[:min(len(out), maxTextRunes)]
}

// shortestWord is how many ideographs a space must have on both sides to stand
// for a comma.
const shortestWord = 2

func ideograph(r rune) bool { return r >= 0x4e00 && r <= 0x9fff }

// likeSound and likeForm stand in pairs: what the red flags take for the same.
// 疼 is 痛 and 的 is often written for 得; the others are slips of the input
// method, by sound or by form.
const (
	likeSound = "疼的蛰疯哽卤畜囗撅蹶息混她它嚥窜"
	likeForm  = "痛得蜇风梗囟搐口厥厥吸昏他他咽串"
)

// fold maps a rune to the one that the phrases of the red flags are kept in.
func (n normaliser) fold(r rune) rune {
	if to, ok := n.like[r]; ok {
		return to
	}
	return r
}

func (n normaliser) folded(text []rune) []rune {
	out := make([]rune, len(text))
	for i, r := range text {
		out[i] = n.fold(r)
	}
	return out
}

// plain maps a rune outside the ideographs, 0 leaves it out.
func plain(r rune) rune {
	switch {
	case r == '\n' || r == '\r':
		return '。'
	case r == 0x3000 || unicode.IsSpace(r):
		return 0
	case r >= 0xff01 && r <= 0xff5e:
		r -= 0xfee0
	}
	switch r {
	case ',', '﹐':
		return '，'
	case ';':
		return '；'
	case '!':
		return '！'
	case '?':
		return '？'
	case ':', '∶':
		return '：'
	case '｡':
		return '。'
	case '℃':
		return '度'
	case '、', '，', '。', '；', '！', '？', '：', '.', '/', '-', '+', '%', '～', '~':
		return r
	}
	if unicode.IsLetter(r) || unicode.IsDigit(r) {
		return unicode.ToLower(r)
	}
	if unicode.IsPunct(r) {
		return '，'
	}
	return 0
}

// normal is runes as a string: the form in which terms are stored.
func (n normaliser) normal(term string) string {
	if n.isNormal(term) {
		return term
	}
	return strings.Trim(string(n.runes(term)), "，。")
}

// isNormal reports whether term is made of simplified ideographs alone, as
// nearly all are.
func (n normaliser) isNormal(term string) bool {
	for _, r := range term {
		if !ideograph(r) {
			return false
		}
		if _, changes := n.simple[r]; changes {
			return false
		}
	}
	return term != "" && len(term) < maxTextRunes
}

// pause and stop report the ends of a clause and of a sentence.
func pause(r rune) bool { return r == '，' || r == '：' || stop(r) }
func stop(r rune) bool  { return r == '。' || r == '；' || r == '！' || r == '？' }
