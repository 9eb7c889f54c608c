// Package student distils small classifiers. Where the answer to a request is
// one label of a known set, a [Student] that was trained on the answers of a
// better model gives it in microseconds, with a confidence that says when to
// ask the better one instead. It does not decide whether that confidence is
// enough: that takes a warrant, from cases that it has not seen.
//
// A text becomes n-grams (gram.go: words, word pairs, pieces of words), these a
// sparse vector (lexicon.go), and that a score for each label, by one linear
// model. Where an embedding model has read the examples, what it made of them is
// one more family of features (vector.go), if it helps. Start reading at [Train];
// [Student.Predict] is the other way in.
//
// The package does no I/O, keeps nothing of a text, and gives the same bits on
// every machine (math.go).
//
// # File format
//
// All numbers are little-endian; a float is 32-bit IEEE 754.
//
//	"STUDENT\x02"                 the format and its version
//	uint32                        dims: how many numbers a vector has; 0 for a student that wants none
//	uint32 × 3                    how many labels, rows and steps follow
//	float × 2                     sharpness: the inverse temperature; share of n-grams known of the familiar
//	labels ×  uint16, bytes       length and UTF-8 text, ascending
//	steps  ×  float × 3           confidence, coverage, agreement
//	rows   ×  uint32              hash of an n-gram, ascending
//	rows   ×  float               its inverse document frequency
//	dims   ×  float               mean of the vectors that were learned from, each of length 1
//	(rows + dims) × float         scale of its weights
//	(rows + dims) × labels × int8 its weights, in units of the scale
//	32 bytes                      SHA-256 of all that is before
//
// One that is at work ([Taught]) has in its file, besides, what it was taught:
//
//	"TAUGHT\x01\x00"              the format and its version
//	uint32, bytes                 length and JSON of its [Lesson]
//	bytes                         the student, as above
//	32 bytes                      SHA-256 of all that is before
//
// The lesson of a student that wants vectors names the model that made them, and
// what that made of [Probe]: the vectors of another one mean something else.
//
// Its digest, the first 8 bytes of the SHA-256 of the whole file in hex, names it
// where evidence speaks of it.
package student
