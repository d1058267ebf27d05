package main

import (
	"context"
	"fmt"
	"os"
)

// The whole program, on a clock that stands still.
func Example() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 绑定　陈**
	// 预约　booked 11-24 08:00 第1号 12.05元
	// 支付　HIS registered 12.05元，订单 delivered 12.05元
	// 取消　HIS cancelled 0.00元，订单 refunded 12.05元
}
