// Package his is the contract between this module and a hospital's information
// system (HIS, 医院信息系统).
//
// A vendor implements the roles its product has – [Directory], [Scheduling],
// [Registrar] … – fills a [System] with them and proves it with the suite in
// his/histest. A nil role means "not offered". For each mutating call the
// vendor declares an [hospital.Assurance]; the layers above decide by it what
// may follow a lost answer.
//
// [Client] is the reference adapter: it speaks our reference Web Service (one
// SOAP operation a function, XML text in and out, as most Chinese HIS products
// do) and is what the simulated hospital of his/histest answers.
package his
