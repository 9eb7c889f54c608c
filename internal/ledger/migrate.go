package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"slices"

	"starling"
)

// migrate brings the schema up to date. Migrations are SQL files that are
// applied in the order of their names, once each, all in one transaction.
func (s *store) migrate(ctx context.Context) error {
	files, err := fs.Glob(s.engine.schema(), "*.sql")
	if err != nil {
		return err
	}
	slices.Sort(files)
	err = s.inTx(ctx, nil, func(tx *sql.Tx) error {
		if err := s.engine.lockSchema(ctx, tx); err != nil {
			return err
		}
		version, err := schemaVersion(ctx, tx)
		if err != nil {
			return err
		}
		if version > len(files) {
			return &starling.Error{Kind: starling.Invalid, Op: fmt.Sprintf("ledger: the store has version %d and this program knows %d", version, len(files)),
				Hint: "use the newer starling that wrote it"}
		}
		return s.apply(ctx, tx, files, version)
	})
	if err != nil {
		return s.engine.explain("open the store", err)
	}
	return nil
}

func schemaVersion(ctx context.Context, tx *sql.Tx) (version int, err error) {
	if _, err = tx.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value BIGINT NOT NULL)"); err != nil {
		return 0, err
	}
	err = tx.QueryRowContext(ctx, "SELECT coalesce(max(value), 0) FROM meta WHERE name = 'schema'").Scan(&version)
	return version, err
}

func (s *store) apply(ctx context.Context, tx *sql.Tx, files []string, version int) error {
	if version == len(files) {
		return nil
	}
	for _, name := range files[version:] {
		text, err := fs.ReadFile(s.engine.schema(), name)
		if err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, string(text)); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO meta (name, value) VALUES ('schema', $1) ON CONFLICT (name) DO UPDATE SET value = excluded.value", len(files))
	return err
}
