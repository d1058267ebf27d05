package sqldb_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/sqldb"
	"github.com/wxhospital/hospital/internal/sqltest"
)

func TestTheTrailIsReadByPatientActorActionAndDay(t *testing.T) {
	t.Parallel()
	sqltest.Each(t, func(t *sqltest.T) {
		db := t.Open(func(c *sqldb.Config) { c.SealKey = []byte("TESTING KEY seal") })
		who := func(id string) hospital.Actor {
			return hospital.Actor{Kind: hospital.ActorStaff, ID: id, Entry: "staff"}
		}
		entries := []hospital.AuditEntry{
			{At: morning, Actor: who("wang"), Purpose: "来电核实", Action: "patient.unlock", Object: "u1", Patient: "P1", Outcome: "ok", RuleVersion: "v1"},
			{At: morning.Add(time.Hour), Actor: who("li"), Action: "appointment.read", Object: "a1", Patient: "P1", Outcome: "ok"},
			{At: morning.Add(2 * time.Hour), Actor: who("wang"), Action: "appointment.cancel", Object: "a1", Patient: "P2", Outcome: "ok"},
			{At: morning.Add(26 * time.Hour), Actor: hospital.System("wang"), Action: "appointmentx", Object: "a2", Outcome: "ok"},
		}
		require.NoError(t, db.Write(t.Context(), func(tx *sqldb.Tx) error { return sqldb.AppendAudit(tx, entries[:3]...) }))
		_, err := db.Seal(t.Context())
		require.NoError(t, err)
		require.NoError(t, db.Write(t.Context(), func(tx *sqldb.Tx) error { return sqldb.AppendAudit(tx, entries[3]) }))

		objects := func(query sqldb.AuditQuery) []string {
			rows, err := db.Trail(t.Context(), query)
			require.NoError(t, err)
			found := []string{}
			for _, row := range rows {
				found = append(found, row.Entry.Action+" "+row.Entry.Object)
			}
			return found
		}
		const unlocked, read, cancelled, other = "patient.unlock u1", "appointment.read a1", "appointment.cancel a1", "appointmentx a2"
		for name, c := range map[string]struct {
			query sqldb.AuditQuery
			want  []string
		}{
			"everything, the newest first": {sqldb.AuditQuery{}, []string{other, cancelled, read, unlocked}},
			"one patient":                  {sqldb.AuditQuery{Pseudonym: db.Pseudonym("P1")}, []string{read, unlocked}},
			"an unknown patient":           {sqldb.AuditQuery{Pseudonym: db.Pseudonym("P9")}, []string{}},
			"one actor of either kind":     {sqldb.AuditQuery{ActorID: "wang"}, []string{other, cancelled, unlocked}},
			"one member of staff":          {sqldb.AuditQuery{ActorID: "wang", ActorKind: hospital.ActorStaff}, []string{cancelled, unlocked}},
			"one action":                   {sqldb.AuditQuery{Action: "patient.unlock"}, []string{unlocked}},
			"actions that begin alike":     {sqldb.AuditQuery{Action: "appointment.*"}, []string{cancelled, read}},
			"a percent sign is no pattern": {sqldb.AuditQuery{Action: "%*"}, []string{}},
			"from an instant on":           {sqldb.AuditQuery{From: morning.Add(2 * time.Hour)}, []string{other, cancelled}},
			"until an instant":             {sqldb.AuditQuery{Until: morning.Add(2 * time.Hour)}, []string{read, unlocked}},
			"no more than asked for":       {sqldb.AuditQuery{Limit: 1}, []string{other}},
			"all together":                 {sqldb.AuditQuery{Pseudonym: db.Pseudonym("P2"), ActorID: "wang", Action: "appointment.cancel", From: morning}, []string{cancelled}},
		} {
			require.Equal(t, c.want, objects(c.query), name)
		}

		rows, err := db.Trail(t.Context(), sqldb.AuditQuery{})
		require.NoError(t, err)
		require.Zero(t, rows[0].Seq, "the newest waits for the sealer")
		require.Equal(t, int64(1), rows[3].Seq)
		want := entries[0]
		want.Patient = ""
		require.True(t, want.At.Equal(rows[3].Entry.At))
		want.At = rows[3].Entry.At
		require.Equal(t, want, rows[3].Entry)
		require.Equal(t, db.Pseudonym("P1"), rows[3].Pseudonym)
		require.Equal(t, []string{read, unlocked}, objects(sqldb.AuditQuery{Before: rows[1].ID}), "the next page begins behind the last row")
	})
}
