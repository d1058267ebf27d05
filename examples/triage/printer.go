package main

import (
	"bufio"
	"fmt"
	"io"
)

// printer writes lines and remembers the first failure, so that a full disk
// or a closed pipe is reported once, at the end.
type printer struct {
	to  *bufio.Writer
	err error
}

func newPrinter(out io.Writer) *printer { return &printer{to: bufio.NewWriter(out)} }

func (p *printer) say(format string, args ...any) {
	if p.err == nil {
		_, p.err = fmt.Fprintf(p.to, format+"\n", args...)
	}
}

func (p *printer) done() error {
	if p.err != nil {
		return p.err
	}
	return p.to.Flush()
}
