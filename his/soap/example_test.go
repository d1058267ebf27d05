package soap_test

import (
	"fmt"

	"github.com/wxhospital/hospital/his/soap"
)

// The prolog inside the string lies, the drug's name has a bare ampersand and
// its dose a "<": all three are common.
func ExampleParseDocument() {
	root, err := soap.ParseDocument(`<?xml version="1.0" encoding="gb2312"?>
		<Response><ResultCode>0</ResultCode><Item>维生素B&C</Item><Item>叶酸 <0.4mg</Item></Response>`)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(root.Find("ResultCode").Text())
	for _, item := range root.All("Item") {
		fmt.Println(item.Text())
	}
	// Output:
	// 0
	// 维生素B&C
	// 叶酸 <0.4mg
}
