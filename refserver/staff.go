package refserver

import (
	"context"
	"net/http"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/his"
	"github.com/wxhospital/hospital/refserver/internal/account"
	"github.com/wxhospital/hospital/refserver/internal/staff"
)

// openStaff opens the staff's desk, and the gate that both sides share.
func (s *Server) openStaff(ctx context.Context) error {
	colleagues, err := staff.NewStore(ctx, staff.StoreConfig{DB: s.config.DB, Wall: s.config.Wall})
	if err != nil {
		return err
	}
	s.gate = newGate(s.bookings, colleagues, s.config.Now)
	s.staff, err = staff.New(staff.Config{
		Hospital: s.config.Names.Name, Store: colleagues, Gate: s.gate, Booking: s.desk, Bookings: s.bookings, Cashier: s.cashier, Jobs: s.jobs,
		Messages: undelivered{s.messages}, Schedules: s.config.HIS.Scheduling, Names: directoryNames{s.catalog}, Codes: deskCodes{s.accounts, s.config.HIS.Patients},
		Guide: s.guide, PlainHTTP: s.config.StaffPlainHTTP, Now: s.config.Now, Logger: s.config.Logger,
	})
	return err
}

// StaffHandler is the staff's desk, below /staff, and /metrics. Serve it on a
// listener of its own that patients do not reach.
func (s *Server) StaffHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /metrics", s.serveMetrics)
	mux.Handle("/", s.config.Metrics.measured("staff", s.staff.Handler()))
	return mux
}

// StaffFirstLink returns the path of the link by which the first account is
// made; see the staff's desk. Conflict accounts_exist when there is one.
func (s *Server) StaffFirstLink(ctx context.Context) (string, error) { return s.staff.FirstLink(ctx) }

// directoryNames are the names of the catalog; "" for one it does not know.
type directoryNames struct{ catalog *catalog }

// Department implements staff.Names.
func (n directoryNames) Department(ctx context.Context, id hospital.DepartmentID) string {
	d, err := n.catalog.department(ctx, id)
	if err != nil {
		return ""
	}
	return d.Name
}

// Doctor implements staff.Names.
func (n directoryNames) Doctor(ctx context.Context, id hospital.DoctorID) string {
	all, err := n.catalog.doctors(ctx)
	if err != nil {
		return ""
	}
	for _, d := range all {
		if d.ID == id {
			return d.Name
		}
	}
	return ""
}

// deskCodes are the codes of the service desk, for patients whom the HIS knows.
type deskCodes struct {
	accounts *account.Store
	patients his.Patients
}

// Make implements staff.Codes.
func (c deskCodes) Make(ctx context.Context, patient hospital.PatientID, audit hospital.AuditEntry) (string, time.Time, error) {
	if _, err := c.patients.FindPatient(ctx, his.PatientQuery{ID: patient}); err != nil {
		return "", time.Time{}, err
	}
	return c.accounts.DeskCode(ctx, patient, audit)
}
