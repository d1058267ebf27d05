package histest

import (
	"github.com/wxhospital/hospital"
)

// person is one line of the patient list.
type person struct {
	name     hospital.Name
	sex      hospital.Sex
	born     string // "1968-03-12"; a child's is counted back from the opening day
	age      int    // of a child, in years
	payer    hospital.Payer
	guardian int  // line of the adult who answers for a child, from 1; 0 for an adult
	noID     bool // a child without identity number
}

// people are the patients the hospital knows on its opening day: invented
// names, identity numbers that add up, some names with characters beyond GBK.
func people(openingDay hospital.Date) []hospital.Patient {
	list := []person{
		{name: "陈素心", sex: hospital.Female, born: "1968-03-12", payer: hospital.SelfPay},
		{name: "李守田", sex: hospital.Male, born: "1955-11-02", payer: hospital.SelfPay},
		{name: "王建业", sex: hospital.Male, born: "1972-06-25", payer: hospital.Insured},
		{name: "张晓棠", sex: hospital.Female, born: "1990-01-08", payer: hospital.SelfPay},
		{name: "赵𠮷祥", sex: hospital.Male, born: "1948-09-30", payer: hospital.SelfPay},
		{name: "刘䶮", sex: hospital.Male, born: "1985-12-17", payer: hospital.SelfPay},
		{name: "杨月娥", sex: hospital.Female, born: "1941-04-05", payer: hospital.Insured},
		{name: "黄一帆", sex: hospital.Male, born: "1996-08-21", payer: hospital.SelfPay},
		{name: "周巧云", sex: hospital.Female, born: "1963-07-14", payer: hospital.Insured},
		{name: "吴家栋", sex: hospital.Male, born: "1979-10-10", payer: hospital.SelfPay},
		{name: "徐慧敏", sex: hospital.Female, born: "1988-02-29", payer: hospital.SelfPay},
		{name: "孙长河", sex: hospital.Male, born: "1950-05-19", payer: hospital.Insured},
		{name: "马依然", sex: hospital.Female, born: "1999-11-27", payer: hospital.SelfPay},
		{name: "朱德才", sex: hospital.Male, born: "1958-01-31", payer: hospital.SelfPay},
		{name: "胡丽华", sex: hospital.Female, born: "1975-06-06", payer: hospital.SelfPay},
		{name: "郭小川", sex: hospital.Male, born: "1982-03-23", payer: hospital.Insured},
		{name: "林浩", sex: hospital.Male, born: "1993-09-09", payer: hospital.SelfPay},
		{name: "高凤英", sex: hospital.Female, born: "1945-12-01", payer: hospital.Insured},
		{name: "欧阳子墨", sex: hospital.Male, born: "1987-07-07", payer: hospital.SelfPay},
		{name: "阿依古丽·买买提", sex: hospital.Female, born: "1991-05-30", payer: hospital.SelfPay},
		{name: "谢兰芳", sex: hospital.Female, born: "1966-10-18", payer: hospital.SelfPay},
		{name: "韩大勇", sex: hospital.Male, born: "1970-08-08", payer: hospital.Insured},
		{name: "唐婉", sex: hospital.Female, born: "1984-04-16", payer: hospital.SelfPay},
		{name: "曹国平", sex: hospital.Male, born: "1961-02-11", payer: hospital.SelfPay},
		{name: "邓秀珍", sex: hospital.Female, born: "1953-09-03", payer: hospital.Insured},
		{name: "许文博", sex: hospital.Male, born: "1994-06-13", payer: hospital.SelfPay},
		{name: "梁玉洁", sex: hospital.Female, born: "1981-11-11", payer: hospital.SelfPay},
		{name: "陈乐乐", sex: hospital.Male, age: 6, payer: hospital.SelfPay, guardian: 4},
		{name: "黄朵朵", sex: hospital.Female, age: 3, payer: hospital.SelfPay, guardian: 8, noID: true},
		{name: "吴天佑", sex: hospital.Male, age: 11, payer: hospital.Insured, guardian: 10},
		{name: "徐小满", sex: hospital.Female, age: 0, payer: hospital.SelfPay, guardian: 11, noID: true},
		{name: "林晨曦", sex: hospital.Female, age: 8, payer: hospital.SelfPay, guardian: 17},
		{name: "唐果", sex: hospital.Male, age: 5, payer: hospital.SelfPay, guardian: 23, noID: true},
		{name: "郭子谦", sex: hospital.Male, age: 13, payer: hospital.Insured, guardian: 16},
	}
	patients := make([]hospital.Patient, 0, len(list))
	for i, one := range list {
		no := int64(i + 1)
		p := hospital.Patient{
			ID: hospital.PatientID("P" + digits(no, 6)), Name: one.name, Sex: one.sex, Payer: one.payer,
			Phone: hospital.Phone("1390000" + digits(no, 4)), Cards: []hospital.CardNo{hospital.CardNo("JZ" + digits(80000+no, 8))},
		}
		if one.guardian == 0 {
			p.BirthDate, _ = hospital.ParseDate(one.born) // the dates above are all real; a test says so
		} else {
			p.BirthDate = openingDay.AddDays(-(one.age*366 + 40 + i))
			adult := patients[one.guardian-1]
			p.Guardian = &hospital.Guardian{Name: adult.Name, IDNumber: adult.IDNumber, Phone: adult.Phone}
			p.Phone = adult.Phone
		}
		if !one.noID {
			p.IDNumber = idNumber(p.BirthDate, p.Sex, i)
		}
		patients = append(patients, p)
	}
	return patients
}

// idNumber computes a resident identity number with a check character.
// Source: GB 11643, ISO 7064 MOD 11-2; the 17th digit is odd for a man.
func idNumber(born hospital.Date, sex hospital.Sex, line int) hospital.IDNumber {
	order := line * 2
	if sex == hospital.Male {
		order++
	}
	const region = "320204"
	body := region + born.At(0, 0).Format("20060102") + digits(int64(order), 3)
	sum := 0
	for _, c := range []byte(body) {
		sum = (sum + int(c-'0')) * 2 % 11
	}
	return hospital.IDNumber(body + string("10X98765432"[sum%11]))
}
