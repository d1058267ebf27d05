package bookingsql_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/wxhospital/hospital/booking/bookingsql"
)

// The audit trail of a hospital's own program: RunSealer chains what was
// written, and a head that is exported to another machine proves later that
// nothing up to it was changed.
func ExampleDB() {
	folder, err := os.MkdirTemp("", "hospital-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(folder) }()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	db, err := bookingsql.OpenDB(ctx, bookingsql.Config{
		DSN: filepath.Join(folder, "hospital.db"), PseudonymKey: []byte("TESTING KEY of the pseudonyms"), SealKey: []byte("TESTING KEY of the seals"),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	sealer := make(chan error, 1)
	go func() { sealer <- db.RunSealer(ctx) }() // beside Desk.Run and Cashier.Run

	head, err := db.Head(ctx) // daily
	if err != nil {
		fmt.Println(err)
		return
	}
	exported, err := json.Marshal(head) // to where the database's administrators cannot write
	if err != nil {
		fmt.Println(err)
		return
	}

	var earlier bookingsql.Head
	if err := json.Unmarshal(exported, &earlier); err != nil {
		fmt.Println(err)
		return
	}
	report, err := db.Verify(ctx, earlier)
	fmt.Println(report.OK(), err)
	stop()
	fmt.Println(<-sealer, db.Close())
	// Output:
	// true <nil>
	// <nil> <nil>
}
