// Command triage measures and inspects triage knowledge.
//
//	triage eval -cases FILE.jsonl [-field text|chief] [-redflags] [-out preds.jsonl]
//	triage lint
//	triage explain [-sex M|F] [-age YEARS] TEXT
//	triage cover FILE.jsonl
//
// Every command takes -overlay DIR, a hospital's own knowledge files. What it
// prints is a recommendation of a department, never a diagnosis.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/wxhospital/hospital/triage"
)

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "triage:", err)
		os.Exit(1)
	}
}

const usage = "want one of: eval, lint, explain, cover"

func run(args []string, out io.Writer) error {
	if len(args) == 0 {
		return errors.New(usage)
	}
	switch args[0] {
	case "eval":
		return eval(args[1:], out)
	case "lint":
		return lint(args[1:], out)
	case "explain":
		return explain(args[1:], out)
	case "cover":
		return cover(args[1:], out)
	}
	return errors.New(usage)
}

// flags returns the flags every command has.
func flags(name string, out io.Writer) (set *flag.FlagSet, overlay *string) {
	set = flag.NewFlagSet(name, flag.ContinueOnError)
	set.SetOutput(out)
	return set, set.String("overlay", "", "folder of the hospital's own knowledge files")
}

// open loads the knowledge.
func open(overlay string) (*triage.Set, error) {
	var files fs.FS
	if overlay != "" {
		files = os.DirFS(overlay)
	}
	return triage.Load(files)
}
