package serve

import (
	"context"
	"net/http"
	"time"

	"starling"
)

// settling is how long a question for a receipt waits for an exchange that is
// still under way.
const settling = 5 * time.Second

// receipt answers GET /v1/receipts/{id}: the receipt as it was signed, and the
// proof. A key sees the receipts of its own team, and without a team its own.
func (s *Server) receipt(w http.ResponseWriter, r *http.Request, caller starling.Caller) {
	ctx, cancel := context.WithTimeout(r.Context(), settling)
	defer cancel()
	id := r.PathValue("id")
	sealed, err := s.ledger.Receipt(ctx, id)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	receipt, err := sealed.Receipt()
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	if !s.ledger.Keyless() && !mayRead(caller, receipt) {
		s.refuse(w, r, &starling.Error{Kind: starling.NotFound, Op: "receipt " + clip(id), Hint: "a key sees the receipts of its own team"})
		return
	}
	writeJSON(w, http.StatusOK, sealed)
}

func mayRead(c starling.Caller, r *starling.Receipt) bool {
	if c.Key == r.Key {
		return true
	}
	return c.Team != "" && c.Team == r.Team
}
