package serve

import (
	"context"
	"net/http"
	"time"

	"starling"
	"starling/internal/ledger"
)

// settling is how long a question for a receipt waits for an exchange that is
// still under way.
const settling = 5 * time.Second

// receipt answers GET /v1/receipts/{id}: the receipt as it was signed, and the
// proof. A key sees the receipts of its own team, and without a team its own.
func (s *Server) receipt(w http.ResponseWriter, r *http.Request, caller starling.Caller) {
	sealed, _, err := s.sealed(r.Context(), r.PathValue("id"), caller)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, sealed)
}

// own returns a receipt that the caller may see.
func (s *Server) own(ctx context.Context, id string, caller starling.Caller) (*starling.Receipt, error) {
	_, receipt, err := s.sealed(ctx, id, caller)
	return receipt, err
}

func (s *Server) sealed(ctx context.Context, id string, caller starling.Caller) (*ledger.Sealed, *starling.Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, settling)
	defer cancel()
	sealed, err := s.ledger.Receipt(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	receipt, err := sealed.Receipt()
	if err != nil {
		return nil, nil, err
	}
	if !s.ledger.Keyless() && !mayRead(caller, receipt) {
		return nil, nil, &starling.Error{Kind: starling.NotFound, Op: "receipt " + clip(id), Hint: "a key sees the receipts of its own team"}
	}
	return sealed, receipt, nil
}

func mayRead(c starling.Caller, r *starling.Receipt) bool {
	if c.Key == r.Key {
		return true
	}
	return c.Team != "" && c.Team == r.Team
}
