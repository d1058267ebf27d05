package main

import (
	"fmt"
	"io"
	"strings"
)

const (
	screenColumns = 79 // what a line may take: a plain terminal has 80
	marginColumns = 6  // of the time of day
)

// screen is where the story is told.
type screen struct{ out io.Writer }

func (s *screen) line(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	_, _ = fmt.Fprintln(s.out, strings.TrimRight(text, " ")) // nobody reads any more: the work goes on
}

func (s *screen) rule() { s.line("%s", strings.Repeat("─", screenColumns)) }

// title opens a part of the story.
func (s *screen) title(text string) {
	s.line("")
	s.line("%s", text)
	s.rule()
}

// wide lists the characters that take two columns, as ranges: CJK, Kana,
// Hangul, full-width forms. Source: Unicode TR11, the classes W and F.
var wide = [...][2]rune{ //nolint:gochecknoglobals // an immutable table
	{0x1100, 0x115f},
	{0x2e80, 0x303e},
	{0x3041, 0xa4cf},
	{0xac00, 0xd7a3},
	{0xf900, 0xfaff},
	{0xfe30, 0xfe6f},
	{0xff00, 0xff60},
	{0xffe0, 0xffe6},
	{0x20000, 0x3fffd},
}

func columns(r rune) int {
	for _, span := range wide {
		if span[0] <= r && r <= span[1] {
			return 2
		}
	}
	return 1
}

// width is how many columns the text takes.
func width(text string) int {
	n := 0
	for _, r := range text {
		n += columns(r)
	}
	return n
}

// left fills the text up to n columns, or cuts it there with "…".
func left(text string, n int) string {
	if width(text) <= n {
		return text + strings.Repeat(" ", n-width(text))
	}
	taken := 0
	for i, r := range text {
		if taken+columns(r) > n-1 {
			return text[:i] + "…" + strings.Repeat(" ", n-1-taken)
		}
		taken += columns(r)
	}
	return text
}

// right is left for numbers.
func right(text string, n int) string {
	return strings.Repeat(" ", max(0, n-width(text))) + text
}

// wrap breaks the text into lines of n columns. A mark of punctuation never
// begins a line, it hangs over the end of the one before; an opening bracket
// never ends one.
func wrap(text string, n int) []string {
	var lines []string
	line := ""
	for _, r := range text {
		if width(line)+columns(r) > n && !strings.ContainsRune("，。、；：）！？”", r) {
			head := strings.TrimRight(line, "（“")
			lines, line = append(lines, head), line[len(head):]
		}
		line += string(r)
	}
	return append(lines, line)
}
