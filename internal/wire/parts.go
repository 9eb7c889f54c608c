package wire

// A partCounter counts the parts of messages whose tokens are not bounded by
// their bytes: images, sound, files. It goes through the array once, because a
// conversation can be long and every request passes here.
type partCounter struct {
	cursor
	lang      dialect
	unbounded int
}

// messages returns how many messages there are.
func (c *partCounter) messages() (n int) {
	if !c.enter('[') {
		return 0
	}
	for ; c.more(); n++ {
		if !c.enter('{') {
			continue
		}
		for c.more() {
			if string(c.key()) == "content" {
				c.parts(true)
			} else {
				c.skip()
			}
		}
	}
	return n
}

// parts goes through a content array. The parts of a tool's result are one level
// further down.
func (c *partCounter) parts(nested bool) {
	if !c.enter('[') {
		return
	}
	for c.more() {
		c.part(nested)
	}
}

func (c *partCounter) part(nested bool) {
	if !c.enter('{') {
		return
	}
	var kind []byte
	for c.more() {
		switch key := string(c.key()); {
		case key == "type":
			kind = c.skip()
		case nested && key == "content":
			c.parts(false)
		default:
			c.skip()
		}
	}
	if kindOf(kind) == '"' && !c.lang.bounded(kind[1:len(kind)-1]) {
		c.unbounded++
	}
}

// A cursor goes through valid JSON without looking at anything twice. It stands
// at a value, which enter or skip must consume.
type cursor struct {
	b []byte
	i int
}

// enter steps into a container of the given kind. It skips any other value and
// reports false.
func (c *cursor) enter(kind byte) bool {
	if c.b[c.i] != kind {
		c.skip()
		return false
	}
	c.i++
	return true
}

// more steps to the next member or element of the container it is in. At the
// last one's end it steps out and reports false.
func (c *cursor) more() bool {
	c.i = separator(c.b, c.i)
	if c.b[c.i] == '}' || c.b[c.i] == ']' {
		c.i++
		return false
	}
	return true
}

// key reads a member's key and steps to its value.
func (c *cursor) key() []byte {
	from := c.i + 1
	end := quoteEnd(c.b, from)
	c.i = separator(c.b, end)
	return plainKey(c.b[from : end-1])
}

// skip steps over a value and returns it.
func (c *cursor) skip() []byte {
	from := c.i
	c.i = valueEnd(c.b, from)
	return c.b[from:c.i]
}
