package hospital_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

const module = "github.com/wxhospital/hospital"

// domains are the packages that a hospital imports one at a time. They never
// know each other, and none knows the server.
var domains = []string{"wechat", "payment", "his", "lis", "pacs", "emr", "triage", "booking"}

// protocols speak a wire and know no domain, so every domain may use them.
var protocols = []string{"his/soap", "lis/hl7v2"}

// thirdParty lists what each part of the module may link outside tests. What is
// not listed here is a decision for docs/decisions.md first.
var thirdParty = map[string][]string{
	"":         {},
	"wechat":   {"github.com/tidwall/gjson", "rsc.io/qr"},
	"booking":  {"go.yaml.in/yaml/v3", "golang.org/x/sync/errgroup"},
	"payment":  {"golang.org/x/sync/errgroup"},
	"his":      {"golang.org/x/text/", "go.yaml.in/yaml/v3"},
	"triage":   {},
	"examples": {"go.yaml.in/yaml/v3"},
	"refserver": {
		"github.com/alexedwards/argon2id", "github.com/pquerna/otp", "github.com/mozillazg/go-pinyin", "golang.org/x/time/rate",
		"golang.org/x/sync/singleflight", "github.com/VictoriaMetrics/metrics",
	},
	"refserver/internal/browsertest": {"github.com/chromedp/"}, // which no server imports
	"internal": {
		"github.com/go-resty/resty/v2", "github.com/hashicorp/go-retryablehttp", "github.com/sony/gobreaker/v2",
		"modernc.org/sqlite", "github.com/jackc/pgx/v5", "github.com/pressly/goose/v3", "golang.org/x/text/",
	},
}

// TestImports keeps the direction of the packages: root ← domain packages ←
// refserver ← examples; a child imports its parent, never the reverse.
func TestImports(t *testing.T) {
	t.Parallel()
	findings, files := inspect(os.DirFS("."))
	require.Empty(t, findings)
	require.Greater(t, files, 50, "the walk found the module")
}

// TestImportsSeesAViolation plants one of each and expects it to be named.
func TestImportsSeesAViolation(t *testing.T) {
	t.Parallel()
	file := func(comment, pkg string, imports ...string) *fstest.MapFile {
		text := comment + "package " + pkg + "\n"
		for _, name := range imports {
			text += "import _ " + strconv.Quote(name) + "\n"
		}
		return &fstest.MapFile{Data: []byte(text)}
	}
	const doc = "// Package x is documented.\n"
	for name, planted := range map[string]struct {
		path string
		file *fstest.MapFile
		says string
	}{
		"the root does I/O through a library": {"a.go", file(doc, "hospital", "golang.org/x/text/width"), "a.go: links golang.org/x/text/width"},
		"the root imports a domain":           {"a.go", file(doc, "hospital", module+"/booking"), "the root imports nothing of the module"},
		"a domain imports its sibling":        {"booking/a.go", file(doc, "booking", module+"/his"), "booking must not know his"},
		"a store imports a sibling":           {"booking/bookingsql/a.go", file(doc, "bookingsql", module+"/payment"), "booking must not know payment"},
		"a domain knows the server":           {"lis/a.go", file(doc, "lis", module+"/refserver"), "nothing below the examples knows the server"},
		"a parent imports its child":          {"booking/a.go", file(doc, "booking", module+"/booking/bookingtest"), "a parent never imports its child"},
		"the server imports a simulator":      {"refserver/a.go", file(doc, "refserver", module+"/his/histest"), "the server imports no simulator"},
		"internal code knows a domain":        {"internal/sqldb/a.go", file(doc, "sqldb", module+"/booking"), "internal code knows no domain"},
		"testify in a production binary":      {"his/a.go", file(doc, "his", "github.com/stretchr/testify/require"), "links github.com/stretchr/testify/require"},
		"a library nobody decided on":         {"payment/a.go", file(doc, "payment", "github.com/pkg/errors"), "links github.com/pkg/errors"},
		"a package without a comment":         {"emr/a.go", file("", "emr"), "emr: has 0 package comments"},
		"a gate made outside the server": {
			"booking/a.go", &fstest.MapFile{Data: []byte(doc + "package booking\nimport \"" + module + "\"\nvar _ = hospital.NewGate(nil, nil)\n")},
			"makes a Gate",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			findings, _ := inspect(fstest.MapFS{planted.path: planted.file})
			require.Len(t, findings, 1)
			require.Contains(t, findings[0], planted.says)
		})
	}
}

// inspect reads every non-test Go file below root, in this process: what a
// child process reads is unknown to the test cache.
func inspect(root fs.FS) (findings []string, files int) {
	comments := map[string]int{}
	gates := map[string]bool{}
	report := func(format string, args ...any) { findings = append(findings, fmt.Sprintf(format, args...)) }
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			return skipDir(root, name)
		}
		if path.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		data, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, data, parser.ParseComments)
		if err != nil {
			return err
		}
		files++
		comments[path.Dir(name)] += min(1, len(file.Doc.Text()))
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if why := refuse(path.Dir(name), imported); why != "" {
				report("%s: %s", name, why)
			}
		}
		if makesGate(file) && !strings.HasPrefix(name, "refserver/") {
			report("%s: makes a Gate, which only one file of refserver may", name)
		} else if makesGate(file) {
			gates[name] = true
		}
		return nil
	})
	if err != nil {
		report("walk: %v", err)
	}
	for _, dir := range slices.Sorted(maps.Keys(comments)) {
		if comments[dir] != 1 {
			report("%s: has %d package comments, want one", dir, comments[dir])
		}
	}
	if len(gates) > 1 {
		report("refserver: %d files make a Gate, want one", len(gates))
	}
	return findings, files
}

// skipDir leaves out hidden folders, test data and nested modules.
func skipDir(root fs.FS, name string) error {
	base := path.Base(name)
	if name != "." && (strings.HasPrefix(base, ".") || base == "testdata" || base == "node_modules") {
		return fs.SkipDir
	}
	if _, err := fs.Stat(root, path.Join(name, "go.mod")); err == nil && name != "." {
		return fs.SkipDir
	}
	return nil
}

func makesGate(file *ast.File) bool {
	found := false
	ast.Inspect(file, func(node ast.Node) bool {
		if call, ok := node.(*ast.SelectorExpr); ok && call.Sel.Name == "NewGate" {
			found = true
		}
		return !found
	})
	return found
}

// refuse says why the package in dir may not import what it imports.
func refuse(dir, imported string) string {
	if dir == "." {
		dir = ""
	}
	top, _, _ := strings.Cut(dir, "/")
	inside, ours := strings.CutPrefix(imported+"/", module+"/")
	if !ours {
		first, _, _ := strings.Cut(imported, "/")
		allowed := slices.ContainsFunc(slices.Concat(thirdParty[top], thirdParty[dir]), func(prefix string) bool { return strings.HasPrefix(imported, prefix) })
		if strings.Contains(first, ".") && !allowed {
			return "links " + imported + ", which is not in its list"
		}
		return ""
	}
	inside = strings.TrimSuffix(inside, "/")
	target, _, _ := strings.Cut(inside, "/")
	simulator := strings.HasSuffix(inside, "test") && target != "internal"
	switch {
	case top == "examples":
		return ""
	case dir == "" && inside != "":
		return "the root imports nothing of the module"
	case target == "examples", target == "refserver" && top != "refserver":
		return "nothing below the examples knows the server"
	case top == "refserver" && simulator:
		return "the server imports no simulator"
	case top == "internal" && slices.Contains(domains, target) && !slices.Contains(protocols, inside):
		return "internal code knows no domain"
	case slices.Contains(domains, top) && strings.HasPrefix(inside, dir+"/") && !strings.HasPrefix(inside, dir+"/internal/") && !slices.Contains(protocols, inside):
		return "a parent never imports its child"
	case slices.Contains(domains, top) && slices.Contains(domains, target) && target != top && !slices.Contains(protocols, inside):
		return top + " must not know " + target
	}
	return ""
}
