// Package family knows how models of one family want to be spoken to.
package family

import _ "github.com/ardanlabs/jinja"
