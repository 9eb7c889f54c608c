package grammar

// string is strings of the items' form and length. Of two forms the first is held.
func (c *compiler) string(items []item) *expr {
	least, most := 0, endless
	var held *form
	for _, i := range items {
		for _, keyword := range []string{"pattern", "format"} {
			text, ok := i.s.text(keyword)
			if !ok {
				continue
			}
			if keyword == "format" {
				text = formats[text]
			}
			f := formOf(text, c.script)
			if f == nil || held != nil {
				c.let(i.s, keyword)
				continue
			}
			held = f
		}
	}
	for _, i := range items {
		least = c.bound(i.s, "minLength", least, higher)
		most = c.bound(i.s, "maxLength", most, lower)
	}
	if held == nil {
		held = &form{e: rep(c.script.char, least, most), min: least, max: most}
		if least == 0 && most == endless {
			return c.script.text
		}
	}
	if !held.cut(least, most) {
		for _, i := range items {
			c.let(i.s, "minLength", "maxLength")
		}
	}
	return seq(lit(c.script.quote), held.e, lit(c.script.quote))
}

// formats are regular expressions for what JSON Schema's vocabulary of formats means, in
// so far as a model should write it. A day of a month is one that the month has; a time
// has no leap second.
//
// Source: RFC 3339, section 5.6; RFC 4122, section 3; RFC 2673, section 3.2.
var formats = map[string]string{
	"date":      "^" + date + "$",
	"time":      "^" + clock + "$",
	"date-time": "^" + date + "T" + clock + "$",
	"uuid":      "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
	"ipv4":      `^` + octet + `(\.` + octet + `){3}$`,
	"email":     `^[A-Za-z0-9_+-]{1,16}(\.[A-Za-z0-9_+-]{1,16}){0,2}@([a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?\.){1,3}[a-z]{2,10}$`,
}

const (
	date = `(` + year + `-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|1[0-9]|2[0-8]))|` + leap + `-02-29)`
	year = `[0-9]{4}`
	leap = `([0-9]{2}(0[48]|[2468][048]|[13579][26])|(0[048]|[2468][048]|[13579][26])00)`

	clock = `([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{1,9})?(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])`
	octet = `(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9][0-9]|[0-9])`
)
