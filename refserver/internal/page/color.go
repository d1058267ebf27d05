package page

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// rgb is a color, each part 0 to 1, in sRGB.
type rgb [3]float64 //nolint:forbidigo // light, not money

func parseColor(s string) (rgb, bool) {
	var c rgb
	if len(s) != 7 || s[0] != '#' {
		return c, false
	}
	for i := range c {
		n, err := strconv.ParseUint(s[1+2*i:3+2*i], 16, 8)
		if err != nil {
			return c, false
		}
		c[i] = float64(n) / 255 //nolint:forbidigo // light, not money
	}
	return c, true
}

func (c rgb) String() string {
	return fmt.Sprintf("#%02X%02X%02X", byte(math.Round(c[0]*255)), byte(math.Round(c[1]*255)), byte(math.Round(c[2]*255)))
}

// mix moves c towards other by share (0 to 1).
func (c rgb) mix(other rgb, share float64) rgb { //nolint:forbidigo // light, not money
	for i := range c {
		c[i] += (other[i] - c[i]) * share
	}
	return c
}

// luminance is the relative luminance of WCAG 2.2.
func (c rgb) luminance() float64 { //nolint:forbidigo // light, not money
	for i, v := range c {
		if v <= 0.04045 {
			c[i] = v / 12.92
		} else {
			c[i] = math.Pow((v+0.055)/1.055, 2.4)
		}
	}
	return 0.2126*c[0] + 0.7152*c[1] + 0.0722*c[2]
}

// contrast is the ratio of WCAG 2.2, 1 to 21.
func contrast(a, b rgb) float64 { //nolint:forbidigo // light, not money
	x, y := a.luminance(), b.luminance()
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// palette is what the brand color decides in both themes.
type palette struct {
	brand, tint, dark, darkTint, darkInk string
}

// ownPalette is ours; its contrasts were measured.
func ownPalette() palette {
	return palette{"#0B6E69", "#E6F4F2", "#4FC3BA", "#17343A", "#06201E"}
}

// readable is the contrast text needs (WCAG 2.2, 1.4.3, AA).
const readable = 4.5

// paletteOf makes the palette of a hospital's color. A color on which white
// text cannot be read is darkened until it can.
func paletteOf(brand string, warn func(string)) (palette, error) {
	if brand == "" || strings.EqualFold(brand, ownPalette().brand) {
		return ownPalette(), nil
	}
	given, ok := parseColor(brand)
	if !ok {
		return palette{}, invalid("bad_brand", "Hospital.Brand: want #RRGGBB", nil)
	}
	white, black, night := rgb{1, 1, 1}, rgb{}, rgb{0x1E / 255.0, 0x25 / 255.0, 0x2B / 255.0}
	light := given
	tint := given.mix(white, 0.9)
	for contrast(light, white) < readable || contrast(light, tint) < readable {
		light = light.mix(black, 0.04)
	}
	if light != given {
		warn("brand color " + given.String() + " is too light to read: darkened to " + light.String())
	}
	dark := given
	darkTint := night.mix(given, 0.12)
	for contrast(dark, night) < 6 || contrast(dark, darkTint) < readable {
		dark = dark.mix(white, 0.04)
	}
	return palette{light.String(), tint.String(), dark.String(), darkTint.String(), dark.mix(black, 0.9).String()}, nil
}

// into writes the palette into the stylesheet in place of ours.
func (p palette) into(css string) string {
	own := ownPalette()
	return strings.NewReplacer(own.brand, p.brand, own.tint, p.tint, own.dark, p.dark,
		own.darkTint, p.darkTint, own.darkInk, p.darkInk).Replace(css)
}
