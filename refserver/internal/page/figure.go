package page

import (
	"fmt"
	"html/template"
	"slices"
	"strings"
)

// build is one body in viewBox units: heights from head to foot and half
// widths around the middle line.
//
//nolint:forbidigo // lengths of a drawing, not money
type build struct {
	headTop, headRX, headRY                     float64
	neckH, neckW                                float64
	shoulderW, shoulderDrop, armW, handR        float64
	chestH, chestW, waistW, upperH, lowerH      float64
	hipW, pelvisH                               float64
	thighH, kneeH, shankH, footH, kneeW, ankleW float64
	legX, elbowX, elbowDrop, wristX, wristDrop  float64
}

func buildOf(f Figure) build {
	switch {
	case f.Age == Child:
		return build{40, 34, 40, 12, 12, 52, 10, 21, 13, 54, 42, 40, 46, 46, 44, 32, 60, 46, 52, 28, 17, 12, 22, 72, 76, 82, 134}
	case f.Sex == Female:
		return build{18, 25, 33, 18, 12, 58, 13, 20, 12, 60, 42, 34, 46, 46, 50, 36, 92, 46, 86, 28, 17, 10, 25, 76, 90, 91, 164}
	}
	return build{16, 26, 34, 18, 14, 66, 12, 23, 13, 62, 46, 38, 46, 46, 46, 34, 92, 46, 88, 30, 17, 11, 24, 84, 92, 97, 168}
}

// pen draws in units left of the middle line; both draws the mirror image too.
type pen struct{ b strings.Builder }

const middle = 180

// path writes commands: op is a path letter, xy are half widths (positive is
// the figure's left side on the screen) and heights.
func (p *pen) path(side float64, cmds ...any) { //nolint:forbidigo // lengths of a drawing
	x := true
	for _, c := range cmds {
		switch c := c.(type) {
		case string:
			p.b.WriteString(c)
			x = true
		case float64: //nolint:forbidigo // lengths of a drawing
			if x {
				c = middle - side*c
			}
			fmt.Fprintf(&p.b, "%.0f ", c)
			x = !x
		}
	}
	p.b.WriteString("z")
}

func (p *pen) both(cmds ...any) {
	p.path(1, cmds...)
	p.path(-1, cmds...)
}

func shape(draw func(p *pen)) string {
	var p pen
	draw(&p)
	return p.b.String()
}

// region is one shape of the figure.
type region struct{ key, d string }

// regions draws from the back to the front: what comes later lies on top.
func (b build) regions(side Side) []region {
	head := b.headTop + 2*b.headRY
	neck := head + b.neckH
	chest := neck + 2 + b.chestH
	upper := chest + b.upperH
	lower := upper + b.lowerH
	thigh := lower + b.pelvisH + b.thighH - 4
	knee := thigh + b.kneeH
	shank := knee + b.shankH
	elbow, wrist := neck+b.elbowDrop, neck+b.wristDrop

	headPath := shape(func(p *pen) {
		y := b.headTop
		p.path(1, "M", 0.0, y, "C", b.headRX*.75, y, b.headRX, y+b.headRY*.55, b.headRX, y+b.headRY*.95,
			"C", b.headRX, y+b.headRY*1.5, b.headRX*.45, head, 0.0, head,
			"C", -b.headRX*.45, head, -b.headRX, y+b.headRY*1.5, -b.headRX, y+b.headRY*.95,
			"C", -b.headRX, y+b.headRY*.55, -b.headRX*.75, y, 0.0, y)
	})
	neckPath := shape(func(p *pen) {
		p.path(1, "M", b.neckW, head-6, "L", b.neckW+3, neck, "L", -b.neckW-3, neck, "L", -b.neckW, head-6)
	})
	shoulder := shape(func(p *pen) {
		w, y := b.shoulderW, neck
		p.path(1, "M", b.neckW+3, y, "C", b.neckW+10, y+b.shoulderDrop*.6, w-20, y+b.shoulderDrop*.4, w-8, y+b.shoulderDrop,
			"C", w+2, y+b.shoulderDrop+6, w+4, y+30, w+4, y+44, "L", w+4-b.armW, y+44, "L", b.chestW, y+44,
			"L", -b.chestW, y+44, "L", -w-4, y+44, "C", -w-4, y+30, -w-2, y+b.shoulderDrop+6, -w+8, y+b.shoulderDrop,
			"C", -w+20, y+b.shoulderDrop*.4, -b.neckW-10, y+b.shoulderDrop*.6, -b.neckW-3, y)
	})
	arm := shape(func(p *pen) {
		top, outer, half := neck+46, b.shoulderW+4, b.armW*.42
		p.both("M", outer, top, "C", outer+3, top+20, b.elbowX+half-1, elbow-16, b.elbowX+half+1, elbow,
			"C", b.elbowX+half+7, elbow+22, b.wristX+8, wrist-30, b.wristX+7, wrist,
			"L", b.wristX-7, wrist, "C", b.wristX-10, wrist-34, b.elbowX-half, elbow+26, b.elbowX-half, elbow,
			"C", b.elbowX-half-1, elbow-16, outer-b.armW, top+24, outer-b.armW, top)
	})
	hand := shape(func(p *pen) {
		y, x, r := wrist+2, b.wristX, b.handR
		p.both("M", x-6, y, "L", x+6, y, "C", x+r+3, y+12, x+r, y+34, x+4, y+43, "C", x-2, y+46, x-r+3, y+26, x-r+2, y+20,
			"C", x-r+3, y+10, x-7, y+6, x-6, y)
	})
	leg := func(p *pen) {
		p.both("M", b.hipW+1, lower+4, "C", b.hipW+4, lower+40, b.legX+b.kneeW+3, thigh-40, b.legX+b.kneeW, thigh,
			"L", b.legX-b.kneeW, thigh, "L", 2.0, lower+b.pelvisH+4, "L", 2.0, lower+6)
	}
	kneeBox := shape(func(p *pen) {
		p.both("M", b.legX+b.kneeW, thigh+2, "C", b.legX+b.kneeW+2, thigh+18, b.legX+b.kneeW, knee-16, b.legX+b.kneeW-1, knee,
			"L", b.legX-b.kneeW+1, knee, "C", b.legX-b.kneeW, knee-16, b.legX-b.kneeW-1, thigh+18, b.legX-b.kneeW, thigh+2)
	})
	shankPath := shape(func(p *pen) {
		p.both("M", b.legX+b.kneeW-1, knee+2, "C", b.legX+b.kneeW+5, knee+30, b.legX+b.ankleW+1, shank-34, b.legX+b.ankleW, shank,
			"L", b.legX-b.ankleW, shank, "C", b.legX-b.ankleW-1, shank-34, b.legX-b.kneeW-2, knee+28, b.legX-b.kneeW+1, knee+2)
	})
	foot := shape(func(p *pen) {
		y := shank + 2
		p.both("M", b.legX+b.ankleW, y, "C", b.legX+b.ankleW+1, y+10, b.legX+b.ankleW+11, y+b.footH-12, b.legX+b.ankleW+10, y+b.footH-4,
			"C", b.legX+b.ankleW+8, y+b.footH+2, b.legX-b.ankleW+2, y+b.footH+1, b.legX-b.ankleW-1, y+b.footH-3,
			"C", b.legX-b.ankleW-3, y+b.footH-12, b.legX-b.ankleW, y+8, b.legX-b.ankleW, y)
	})
	trunk := func(top, topW, bottom, bottomW float64) string { //nolint:forbidigo // lengths of a drawing
		return shape(func(p *pen) {
			m := (top + bottom) / 2
			p.path(1, "M", topW, top, "C", topW, m, bottomW, m, bottomW, bottom, "L", -bottomW, bottom,
				"C", -bottomW, m, -topW, m, -topW, top)
		})
	}
	breast := shape(func(p *pen) {
		p.path(1, "M", b.neckW+10, neck+4, "C", b.chestW-4, neck+8, b.chestW, neck+22, b.chestW, neck+42,
			"L", b.chestW-3, chest, "L", -b.chestW+3, chest, "L", -b.chestW, neck+42,
			"C", -b.chestW, neck+22, -b.chestW+4, neck+8, -b.neckW-10, neck+4)
	})
	limbs := func(thighKey, kneeKey, shankKey string) []region {
		return []region{{"arm", arm}, {"hand", hand}, {thighKey, shape(leg)}, {kneeKey, kneeBox}, {shankKey, shankPath}, {"foot", foot}}
	}
	if side == Back {
		waist := upper - 14
		return append(limbs("thigh-back", "knee", "calf"),
			region{"shoulder-back", shoulder}, region{"nape", neckPath}, region{"head-back", headPath},
			region{"upper-back", shape(func(p *pen) {
				p.path(1, "M", b.neckW+10, neck+4, "C", b.chestW-4, neck+8, b.chestW, neck+22, b.chestW, neck+42,
					"L", b.chestW-4, chest+10, "L", -b.chestW+4, chest+10, "L", -b.chestW, neck+42,
					"C", -b.chestW, neck+22, -b.chestW+4, neck+8, -b.neckW-10, neck+4)
			})},
			region{"lower-back", shape(func(p *pen) {
				p.path(1, "M", b.chestW-4, chest+12, "C", b.waistW, waist, b.waistW, waist+6, b.hipW-3, lower-8,
					"L", -b.hipW+3, lower-8, "C", -b.waistW, waist+6, -b.waistW, waist, -b.chestW+4, chest+12)
			})},
			region{"buttock", shape(func(p *pen) {
				p.path(1, "M", b.hipW-3, lower-6, "C", b.hipW+4, lower+20, b.hipW, lower+b.pelvisH+8, b.hipW-22, lower+b.pelvisH+8,
					"C", 10.0, lower+b.pelvisH+8, 2.0, lower+b.pelvisH+4, 0.0, lower+b.pelvisH,
					"C", -2.0, lower+b.pelvisH+4, -10.0, lower+b.pelvisH+8, -b.hipW+22, lower+b.pelvisH+8,
					"C", -b.hipW, lower+b.pelvisH+8, -b.hipW-4, lower+20, -b.hipW+3, lower-6)
			})})
	}
	return append(limbs("thigh", "knee", "shank"),
		region{"shoulder", shoulder}, region{"neck", neckPath}, region{"head", headPath}, region{"chest", breast},
		region{"upper-abdomen", trunk(chest+2, b.chestW-3, upper, b.waistW+2)},
		region{"lower-abdomen", trunk(upper+2, b.waistW+2, lower, b.hipW-2)},
		region{"pelvis", shape(func(p *pen) {
			p.path(1, "M", b.hipW-2, lower+2, "L", -b.hipW+2, lower+2,
				"C", -b.hipW+2, lower+18, -14.0, lower+b.pelvisH-6, 0.0, lower+b.pelvisH+4,
				"C", 14.0, lower+b.pelvisH-6, b.hipW-2, lower+18, b.hipW-2, lower+2)
		})})
}

// drawFigure is the body as links, one a region of the knowledge. The labels
// beside it are the primary targets, so the picture is hidden from assistive
// technology and the tab key. A shape that the knowledge does not name is drawn
// and leads nowhere.
func (p *Pages) drawFigure(f Figure, regions []Region) template.HTML {
	f = f.orDefault()
	var b strings.Builder
	b.WriteString(`<svg class="figure" viewBox="66 8 228 560" aria-hidden="true" focusable="false">`)
	for _, r := range buildOf(f).regions(f.Side) {
		if !slices.ContainsFunc(regions, func(x Region) bool { return x.Key == r.key }) {
			fmt.Fprintf(&b, `<path d="%s"/>`, r.d)
			continue
		}
		fmt.Fprintf(&b, `<a href="%s" tabindex="-1" data-part="%s"><path d="%s"/></a>`,
			template.HTMLEscapeString(p.links.TriagePart(r.key, f)), r.key, r.d)
	}
	b.WriteString(`</svg>`)
	return template.HTML(b.String()) //nolint:gosec // keys and numbers of this file, and an escaped path
}

// Shapes are the keys of the shapes that the figure has on a side.
func Shapes(f Figure) (keys []string) {
	f = f.orDefault()
	for _, r := range buildOf(f).regions(f.Side) {
		keys = append(keys, r.key)
	}
	return keys
}
