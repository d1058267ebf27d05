package triage

// class is what a function word does to the words around it.
type class uint32

// The classes of the language file, by the field they are listed under.
const (
	classNegator      class = 1 << iota // 没有 无 未: denies what follows in the clause
	classTurn                           // 但 就是: ends a denial
	classResolved                       // 已经好了 已止住: what stands before is over
	classPast                           // 以前 曾经 年前: long ago
	classNow                            // 现在 突然 又: not only long ago
	classHypothetical                   // 如果 听说: has not happened, said before it in the sentence
	classKnowledge                      // 怎么预防 前兆: asks for knowledge
	classOffice                         // 挂号 收费 报销: asks for the office
	classKin                            // 我 孩子 刚才: somebody it is happening to
	classDead                           // 去世 过世
	classChronic                        // 好几年 多年: steady and known
	classMild                           // 轻微 一点点
	classTreated                        // 打完疫苗 已经缝合: in good hands
	classChild                          // 宝宝 孩子
	classNewborn                        // 新生儿 刚出生
	classElder                          // 老人 爷爷
	classMale                           // 男 老公 前列腺
	classFemale                         // 女 月经 怀孕
	classPregnant                       // 怀孕 孕妇
	classPostpartum                     // 产后 坐月子
	classMother                         // 我怀孕: the mother is meant, not the child
	classFear                           // 担心 差点: has not happened, said before it in the clause
	classHow                            // 怎么急救: knowledge, unless somebody is named
	classDenied                         // 都没有: denies what stands before
	classGrown                          // 绝经 前列腺增生: no child has it
	classNeutral                        // 不舒服 差不多: holds a 不 or 没 that denies nothing
)

// classFields are the fields of language.json, in the order of the classes.
func classFields() []string {
	return []string{
		"negators", "turns", "resolved", "past", "now", "hypothetical", "knowledge", "office", "kin", "dead", "chronic",
		"mild", "treated", "child", "newborn", "elder", "male", "female", "pregnant", "postpartum", "mother", "fear", "how", "denied", "grown", "neutral",
	}
}

// language holds the function words of one set.
type language struct{ words map[string]class }

func (s *Set) loadLanguage(l *layers) {
	fields := classFields()
	l.top(kindLanguage, fields...)
	s.language = &language{words: map[string]class{}}
	for i := range l.documents[kindLanguage] {
		d := &l.documents[kindLanguage][i]
		r := &reader{d.file, &l.problems}
		for bit, field := range fields {
			n := child(&d.root, field)
			if n == nil {
				continue
			}
			for j, word := range r.texts(n) {
				normal := s.normal.normal(word)
				if normal == "" {
					r.problem(&n.items[j], "%s: %q has no readable character", field, word)
					continue
				}
				s.language.words[normal] |= 1 << bit
			}
		}
	}
}
