package histest

import (
	"context"
	"slices"

	"github.com/wxhospital/hospital"
)

// campuses are the two sites of the hospital.
func campuses() []hospital.Campus {
	return []hospital.Campus{
		{ID: "C1", Name: "本部院区", Address: "梁溪区中和路8号"},
		{ID: "C2", Name: "滨湖院区", Address: "滨湖区望山路66号"},
	}
}

// departments are the clinics that sell numbers. The codes follow the pattern
// of 诊疗科目: 50 is 中医科.
func departments() []hospital.Department {
	return []hospital.Department{
		{
			ID: "D101", Campus: "C1", Name: "骨伤科", Code: "50.06", Location: "门诊楼1楼东区",
			Introduction: "以手法复位、夹板固定和中药内外兼治见长，诊治骨折、脱位、颈肩腰腿痛和骨质疏松。",
		},
		{
			ID: "D102", Campus: "C1", Name: "脾胃病科", Code: "50.01.01", Location: "门诊楼2楼东区",
			Introduction: "诊治慢性胃炎、消化性溃疡、功能性消化不良、溃疡性结肠炎，开展胃肠镜检查和中药灌肠。",
		},
		{
			ID: "D103", Campus: "C1", Name: "肺病科", Code: "50.01.02", Location: "门诊楼2楼西区",
			Introduction: "诊治慢性咳嗽、哮喘、慢阻肺和肺结节，冬病夏治穴位贴敷是本科特色。",
		},
		{
			ID: "D104", Campus: "C1", Name: "脑病科", Code: "50.01.03", Location: "门诊楼3楼东区",
			Introduction: "诊治中风、眩晕、头痛、失眠和帕金森病，中西医结合卒中康复贯穿急性期到恢复期。",
		},
		{
			ID: "D105", Campus: "C1", Name: "心病科", Code: "50.01.04", Location: "门诊楼3楼西区",
			Introduction: "诊治冠心病、高血压、心律失常和心力衰竭，以益气活血法为长期调治之本。",
		},
		{
			ID: "D106", Campus: "C1", Name: "针灸科", Code: "50.10", Location: "门诊楼4楼东区",
			Introduction: "毫针、艾灸、拔罐、埋线并用，诊治面瘫、中风后遗症、颈椎病和各种疼痛。",
		},
		{
			ID: "D107", Campus: "C1", Name: "推拿科", Code: "50.09", Location: "门诊楼4楼西区",
			Introduction: "以传统手法诊治颈椎病、腰椎间盘突出、关节错缝和小儿肌性斜颈。",
		},
		{
			ID: "D108", Campus: "C1", Name: "妇科", Code: "50.04", Location: "门诊楼5楼东区",
			Introduction: "诊治月经不调、痛经、不孕、更年期综合征和产后诸症，注重周期调治。",
		},
		{
			ID: "D109", Campus: "C1", Name: "儿科", Code: "50.05", Location: "门诊楼1楼西区",
			Introduction: "诊治小儿咳喘、厌食、腹泻和反复感冒，小儿推拿和穴位贴敷少吃药、少打针。",
		},
		{
			ID: "D110", Campus: "C1", Name: "肾病科", Code: "50.01.05", Location: "门诊楼5楼西区",
			Introduction: "诊治慢性肾炎、肾病综合征、糖尿病肾病和慢性肾衰竭，中药保肾延缓透析。",
		},
		{
			ID: "D201", Campus: "C2", Name: "内分泌科", Code: "50.01.06", Location: "1号楼2楼",
			Introduction: "诊治糖尿病、甲状腺疾病、痛风和肥胖，设糖尿病足中药外治门诊。",
		},
		{
			ID: "D202", Campus: "C2", Name: "皮肤科", Code: "50.07", Location: "1号楼3楼",
			Introduction: "诊治湿疹、银屑病、痤疮、荨麻疹和带状疱疹，中药内服外洗并举。",
		},
		{
			ID: "D203", Campus: "C2", Name: "肛肠科", Code: "50.08", Location: "1号楼4楼",
			Introduction: "诊治痔、瘘、裂和便秘，以微创手术配合中药熏洗减轻术后疼痛。",
		},
		{
			ID: "D204", Campus: "C2", Name: "肿瘤科", Code: "50.11", Location: "2号楼2楼",
			Introduction: "扶正祛邪，与手术、放化疗配合，减轻副反应，改善晚期患者的生活质量。",
		},
		{
			ID: "D205", Campus: "C2", Name: "康复科", Code: "50.12", Location: "2号楼1楼",
			Introduction: "神经康复、骨关节康复和心肺康复，中医导引与现代康复训练结合。",
		},
		{
			ID: "D206", Campus: "C2", Name: "治未病科", Code: "50.13", Location: "2号楼3楼",
			Introduction: "体质辨识、膏方调养和慢病前期干预，三伏贴与冬令膏方每年开诊。",
		},
	}
}

// Campuses returns the two sites.
func (h *Hospital) Campuses(ctx context.Context) ([]hospital.Campus, error) {
	if err := reachable(ctx, "histest.Campuses"); err != nil {
		return nil, err
	}
	return slices.Clone(h.staff.campuses), nil
}

// Departments returns the departments of both sites.
func (h *Hospital) Departments(ctx context.Context) ([]hospital.Department, error) {
	if err := reachable(ctx, "histest.Departments"); err != nil {
		return nil, err
	}
	return slices.Clone(h.staff.departments), nil
}

// Doctors returns the doctors of one department; NotFound when it does not exist.
func (h *Hospital) Doctors(ctx context.Context, department hospital.DepartmentID) ([]hospital.Doctor, error) {
	const op = "histest.Doctors"
	if err := reachable(ctx, op); err != nil {
		return nil, err
	}
	if _, ok := h.staff.department(department); !ok {
		return nil, refuse(hospital.NotFound, op, "no_such_department", "")
	}
	var doctors []hospital.Doctor
	for _, d := range h.staff.doctors {
		if d.Department == department {
			doctors = append(doctors, d)
		}
	}
	return doctors, nil
}
