package page

// Part is one region a patient can point at. Key is in the path of
// Links.TriagePart; whoever knows the symptoms maps it to them.
type Part struct {
	Key   string
	Label string
}

// Parts are the regions of the figure's side, from head to foot.
func Parts(s Side) []Part {
	if s == Back {
		return []Part{
			{"head-back", "头后部"},
			{"nape", "颈项部"},
			{"shoulder-back", "肩胛部"},
			{"upper-back", "背部"},
			{"lower-back", "腰部"},
			{"buttock", "臀·肛周"},
			{"arm", "上肢·肘"},
			{"hand", "手·腕"},
			{"thigh-back", "大腿后"},
			{"knee-back", "膝窝"},
			{"calf", "小腿肚"},
			{"foot", "足跟·踝"},
		}
	}
	return []Part{
		{"head", "头面部"},
		{"neck", "颈·咽喉"},
		{"shoulder", "肩部"},
		{"chest", "胸部"},
		{"upper-abdomen", "上腹部"},
		{"lower-abdomen", "下腹部"},
		{"pelvis", "会阴部"},
		{"arm", "上肢·肘"},
		{"hand", "手·腕"},
		{"thigh", "髋·大腿"},
		{"knee", "膝部"},
		{"shank", "小腿"},
		{"foot", "足·踝"},
	}
}

// General are the chips beside the figure, for what no region shows.
func General(f Figure) []Part {
	parts := []Part{{"general", "发热·乏力·消瘦"}, {"skin", "皮肤"}, {"mind", "睡眠·情绪"}}
	if f.Sex == Female && f.Age != Child {
		parts = append(parts, Part{"breast", "乳房"}, Part{"period", "月经·孕产"})
	}
	return append(parts, Part{"service", "体检·开药·复诊"})
}
