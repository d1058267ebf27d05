package account

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"io/fs"
	"time"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/sqldb"
)

// Store is the accounts on SQL. Make it with [New]; any number of processes may
// share a database.
type Store struct {
	db      *sqldb.DB
	wall    func() time.Time
	indexes []byte // of what is looked up
	codes   []byte
	seal    cipher.AEAD
}

//go:embed migrations
var migrations embed.FS

// New brings the tables up to date. Wall is the clock of sessions and codes.
func New(ctx context.Context, db *sqldb.DB, wall func() time.Time) (*Store, error) {
	bad := func(detail string, err error) (*Store, error) {
		return nil, &hospital.Error{Kind: hospital.Invalid, Op: "account.New", Code: "bad_config", Detail: detail, Err: err}
	}
	if db == nil || wall == nil {
		return bad("database and clock are required", nil)
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return bad("migrations", err)
	}
	if err := db.Migrate(ctx, "account", files); err != nil {
		return nil, err
	}
	s := &Store{db: db, wall: wall}
	var secret []byte
	for label, to := range map[string]*[]byte{"account/index": &s.indexes, "account/code": &s.codes, "account/seal": &secret} {
		if *to, err = db.DeriveKey(label); err != nil {
			return nil, err
		}
	}
	block, err := aes.NewCipher(secret)
	if err != nil {
		return bad("key", err)
	}
	if s.seal, err = cipher.NewGCM(block); err != nil {
		return bad("key", err)
	}
	return s, nil
}

// index is what stands for a value that is looked up and must not be read.
func (s *Store) index(kind, value string) string {
	mac := hmac.New(sha256.New, s.indexes)
	mac.Write([]byte(kind + "\x00" + value))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// Handle is what stands for a patient in an address: the same for the same
// patient, and nothing to a stranger.
func (s *Store) Handle(patient hospital.PatientID) string {
	return s.index("handle", string(patient))[:16]
}

// sealed hides a text; place is the row it belongs to, so that it cannot be
// moved to another.
func (s *Store) sealed(place string, text []byte) string {
	nonce := make([]byte, s.seal.NonceSize())
	if _, err := rand.Read(nonce); err != nil {
		panic("account: crypto/rand never fails: " + err.Error())
	}
	return base64.RawStdEncoding.EncodeToString(s.seal.Seal(nonce, nonce, text, []byte(place)))
}

func (s *Store) opened(place, text string) ([]byte, error) {
	raw, err := base64.RawStdEncoding.DecodeString(text)
	if err == nil && len(raw) > s.seal.NonceSize() {
		var plain []byte
		if plain, err = s.seal.Open(nil, raw[:s.seal.NonceSize()], raw[s.seal.NonceSize():], []byte(place)); err == nil {
			return plain, nil
		}
	}
	return nil, &hospital.Error{Kind: hospital.Internal, Op: "account", Code: "not_opened", Detail: "a sealed field cannot be read", Err: err}
}

// hashed is how a secret of the browser's is kept.
func hashed(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}
