package journal_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wxhospital/hospital"
	"github.com/wxhospital/hospital/internal/journal"
)

const name = "x.journal"

// open reads all words of the folder's journal.
func open(t require.TestingT, dir string) (*journal.Journal, []string) {
	var words []string
	j, err := journal.Open(dir, name, "test", func(_ int64, text []byte) error {
		var word string
		err := json.Unmarshal(text, &word)
		words = append(words, word)
		return err
	})
	require.NoError(t, err)
	return j, words
}

func TestWhoeverOpensTheFolderAgainReadsWhatWasWritten(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "new")
	j, words := open(t, dir)
	require.Empty(t, words)
	for _, word := range []string{"挂号", "line\nbreak", ""} {
		require.NoError(t, j.Append(word))
	}
	require.EqualValues(t, 3, j.Seq())
	require.NoError(t, j.Sync(3))
	require.NoError(t, j.Close())
	require.NoError(t, j.Close(), "again changes nothing")
	require.Equal(t, "bad_journal", hospital.CodeOf(j.Append("late")))

	again, words := open(t, dir)
	require.Equal(t, []string{"挂号", "line\nbreak", ""}, words)
	require.EqualValues(t, 3, again.Seq())
	require.NoError(t, again.Close())
}

// TestATornLastLineIsCutOff tears the file at every byte: what was whole stays,
// and the next line stands behind it.
func TestATornLastLineIsCutOff(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		require.NoError(t, os.RemoveAll(dir))
		j, _ := open(t, dir)
		written := rapid.SliceOfN(rapid.String(), 1, 5).Draw(t, "words")
		for i := range written {
			text, err := json.Marshal(written[i])
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(text, &written[i])) // what JSON keeps of it
			require.NoError(t, j.Append(written[i]))
		}
		require.NoError(t, j.Close())
		data, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		cut := rapid.IntRange(0, len(data)).Draw(t, "cut")
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), data[:cut], 0o600))

		torn, words := open(t, dir)
		require.Equal(t, written[:len(words)], append([]string{}, words...))
		require.NoError(t, torn.Append("next"))
		require.NoError(t, torn.Close())
		last, after := open(t, dir)
		require.Equal(t, append(words, "next"), after)
		require.NoError(t, last.Close())
	})
}

func TestALineThatCannotBeReadIsNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte("1\n2\n3\n"), 0o600))
	_, err := journal.Open(dir, name, "test", func(line int64, _ []byte) error {
		if line == 2 {
			return errors.New("two")
		}
		return nil
	})
	require.Equal(t, hospital.Internal, hospital.KindOf(err))
	require.ErrorContains(t, err, "line 2 cannot be read")
}

func TestTheJournalOfNoFolderKeepsNothingAndCounts(t *testing.T) {
	t.Parallel()
	j, _ := open(t, "")
	require.NoError(t, j.Append("x"))
	require.EqualValues(t, 1, j.Seq())
	require.NoError(t, j.Sync(1))
	require.NoError(t, j.Close())
	require.Error(t, j.Append("y"))
}
