package histest

import (
	"slices"

	"github.com/wxhospital/hospital"
)

// roster is who works where. It never changes.
type roster struct {
	campuses    []hospital.Campus
	departments []hospital.Department
	doctors     []hospital.Doctor
}

func newRoster() roster {
	return roster{campuses: campuses(), departments: departments(), doctors: doctors()}
}

func (r roster) department(id hospital.DepartmentID) (hospital.Department, bool) {
	i := slices.IndexFunc(r.departments, func(d hospital.Department) bool { return d.ID == id })
	if i < 0 {
		return hospital.Department{}, false
	}
	return r.departments[i], true
}

// The titles, highest first.
const (
	chief     = "主任医师"
	associate = "副主任医师"
	attending = "主治医师"
	resident  = "住院医师"
)

// feesFor is the price list: 挂号费 and 诊查费 by title.
func feesFor(title string) hospital.Fees {
	switch title {
	case chief:
		return hospital.Fees{Registration: 100, Consultation: 2900}
	case associate:
		return hospital.Fees{Registration: 100, Consultation: 1900}
	}
	return hospital.Fees{Registration: 100, Consultation: 1105}
}

// doctors are invented people; whoever shares a name with one does so by
// accident.
func doctors() []hospital.Doctor {
	list := []hospital.Doctor{
		{Department: "D101", Name: "沈砚舟", Title: chief, Specialty: "四肢骨折的手法复位，老年骨质疏松", Introduction: "从医三十六年，主张能闭合不切开，带教夹板固定技术二十余年。"},
		{Department: "D101", Name: "顾怀安", Title: associate, Specialty: "腰椎间盘突出，膝骨关节炎", Introduction: "擅长针刀与中药熏洗，门诊以腰腿痛患者居多。"},
		{Department: "D101", Name: "陆景明", Title: attending, Specialty: "运动损伤，踝关节扭伤", Introduction: "市田径队随队医生，重视伤后康复训练。"},
		{Department: "D102", Name: "钱若水", Title: chief, Specialty: "慢性萎缩性胃炎，胃癌前病变", Introduction: "四十年专注脾胃，提倡三分治七分养，用药轻灵。"},
		{Department: "D102", Name: "许知远", Title: associate, Specialty: "溃疡性结肠炎，肠易激综合征", Introduction: "中药保留灌肠治疗结肠炎，长期随访患者六百余例。"},
		{Department: "D102", Name: "方静宜", Title: attending, Specialty: "功能性消化不良，便秘", Introduction: "门诊耐心细致，善于饮食指导。"},
		{Department: "D103", Name: "周伯言", Title: chief, Specialty: "慢阻肺，间质性肺病", Introduction: "三伏贴项目发起人，主持冬病夏治门诊十八年。"},
		{Department: "D103", Name: "吕清和", Title: associate, Specialty: "慢性咳嗽，支气管哮喘", Introduction: "从风论治慢性咳嗽，儿童与老人皆看。"},
		{Department: "D103", Name: "石䶮", Title: attending, Specialty: "肺结节的中医调理", Introduction: "每周开设肺结节门诊，帮助患者读懂报告、减少焦虑。"},
		{Department: "D104", Name: "韩思齐", Title: chief, Specialty: "中风急性期与恢复期，眩晕", Introduction: "卒中中心负责人，推动中药、针刺与康复一体化。"},
		{Department: "D104", Name: "白芷兰", Title: associate, Specialty: "失眠，焦虑，偏头痛", Introduction: "睡眠门诊首诊医生，中药配合认知行为治疗。"},
		{Department: "D104", Name: "余承泽", Title: attending, Specialty: "帕金森病，面肌痉挛", Introduction: "负责帕金森病患者管理与居家训练指导。"},
		{Department: "D105", Name: "冯远山", Title: chief, Specialty: "冠心病，心力衰竭", Introduction: "以益气活血法调治心衰，主编科内用药手册。"},
		{Department: "D105", Name: "蒋晚晴", Title: associate, Specialty: "心律失常，高血压", Introduction: "擅长动态血压解读与中西药合用的减药方案。"},
		{Department: "D105", Name: "章以宁", Title: attending, Specialty: "双心疾病，心悸", Introduction: "关注心脏症状背后的情绪，问诊从容。"},
		{Department: "D106", Name: "石怀瑾", Title: chief, Specialty: "面瘫，中风后遗症", Introduction: "家传针法第四代，强调取穴少而得气足。"},
		{Department: "D106", Name: "温如玉", Title: associate, Specialty: "颈椎病，带状疱疹后神经痛", Introduction: "火针与刺络放血治疗神经痛，门诊量全科第一。"},
		{Department: "D106", Name: "罗以恒", Title: attending, Specialty: "穴位埋线，减重", Introduction: "减重门诊负责人，埋线与饮食记录并行。"},
		{Department: "D107", Name: "丁守拙", Title: chief, Specialty: "颈椎病，脊柱侧弯", Introduction: "手法轻巧，反对暴力扳法，著有推拿手法图谱。"},
		{Department: "D107", Name: "叶问渠", Title: associate, Specialty: "腰椎间盘突出，肩周炎", Introduction: "推拿与导引相结合，教患者自己练。"},
		{Department: "D107", Name: "贺新凉", Title: attending, Specialty: "小儿肌性斜颈，小儿推拿", Introduction: "手法温和，患儿大多不哭。"},
		{Department: "D108", Name: "苏若兰", Title: chief, Specialty: "不孕症，多囊卵巢综合征", Introduction: "周期疗法治疗不孕三十年，送子观音之称她总是婉拒。"},
		{Department: "D108", Name: "江映雪", Title: associate, Specialty: "痛经，子宫内膜异位症", Introduction: "内外合治痛经，重视经前调理。"},
		{Department: "D108", Name: "何采薇", Title: attending, Specialty: "产后调理，更年期综合征", Introduction: "开设产后门诊，关注母亲的睡眠与情绪。"},
		{Department: "D109", Name: "卢秉仁", Title: chief, Specialty: "小儿哮喘，反复呼吸道感染", Introduction: "儿科四十年，口袋里总有贴纸给孩子。"},
		{Department: "D109", Name: "秦安歌", Title: associate, Specialty: "小儿厌食，腹泻，遗尿", Introduction: "推拿、贴敷、汤剂并用，能不输液就不输液。"},
		{Department: "D109", Name: "夏知夏", Title: attending, Specialty: "小儿抽动症，生长发育", Introduction: "与学校心理老师合作管理抽动症患儿。"},
		{Department: "D110", Name: "严守正", Title: chief, Specialty: "慢性肾炎，IgA肾病", Introduction: "中药保肾三十年，坚持每位患者建档随访。"},
		{Department: "D110", Name: "杜若飞", Title: associate, Specialty: "糖尿病肾病，尿路感染", Introduction: "低蛋白饮食处方与中药灌肠并行。"},
		{Department: "D201", Name: "宋怀瑜", Title: chief, Specialty: "糖尿病及其并发症", Introduction: "糖尿病足多学科团队召集人，保住过许多条腿。"},
		{Department: "D201", Name: "田小满", Title: associate, Specialty: "甲状腺结节，甲亢", Introduction: "擅长读片与随访方案，少做不必要的手术。"},
		{Department: "D202", Name: "邵青崖", Title: chief, Specialty: "银屑病，湿疹", Introduction: "从血论治银屑病，主持市级课题两项。"},
		{Department: "D202", Name: "李𠮷安", Title: associate, Specialty: "痤疮，玫瑰痤疮", Introduction: "面部皮肤问题门诊，中药面膜自拟方。"},
		{Department: "D203", Name: "任远志", Title: chief, Specialty: "复杂性肛瘘，混合痔", Introduction: "微创术式与中药熏洗，术后当天可下地。"},
		{Department: "D203", Name: "戴景行", Title: attending, Specialty: "便秘，肛裂", Introduction: "便秘生物反馈训练负责人。"},
		{Department: "D204", Name: "袁济川", Title: chief, Specialty: "肺癌、胃癌的中医扶正治疗", Introduction: "带瘤生存门诊开诊十五年，与患者无话不谈。"},
		{Department: "D204", Name: "谭一诺", Title: associate, Specialty: "化疗副反应的中药防治", Introduction: "负责化疗期间的止吐升白方案。"},
		{Department: "D205", Name: "潘行健", Title: chief, Specialty: "中风偏瘫康复，脊髓损伤", Introduction: "把八段锦改编成坐位操，病房里人人会做。"},
		{Department: "D205", Name: "孔令仪", Title: attending, Specialty: "骨关节术后康复", Introduction: "术后第一天介入，训练计划写成图画。"},
		{Department: "D206", Name: "施本初", Title: chief, Specialty: "膏方调养，亚健康", Introduction: "一人一方，每年冬令开膏方八百余料。"},
		{Department: "D206", Name: "高以清", Title: associate, Specialty: "体质辨识，慢病前期干预", Introduction: "为社区居民讲课百余场。"},
		{Department: "D206", Name: "毛晓禾", Title: resident, Specialty: "穴位贴敷，耳穴压豆", Introduction: "负责三伏贴现场，也负责哄怕疼的人。"},
	}
	for i := range list {
		list[i].ID = hospital.DoctorID("Y" + digits(int64(1001+i), 4))
		list[i].Expert = list[i].Title == chief || list[i].Title == associate
	}
	return list
}
