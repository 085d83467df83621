package dim

import (
	"strconv"
	"strings"
)

type tokenKind uint8

const (
	tokenEnd tokenKind = iota
	tokenNumber
	tokenIdent
	tokenQuoted
	tokenOp  // one of + - * / // % ^ ** ( ) ,
	tokenBad // text holds what is wrong
)

type token struct {
	kind tokenKind
	pos  int    // byte offset
	text string // the source; of a quoted name the name
}

// describe names the token in a message.
func (t token) describe() string {
	switch t.kind {
	case tokenEnd:
		return "the end"
	case tokenQuoted:
		return "name " + shorten(strconv.Quote(t.text))
	case tokenBad:
		return t.text
	}
	return strconv.Quote(shorten(t.text))
}

// shorten keeps messages readable whatever the input is.
func shorten(s string) string {
	if len(s) > 40 {
		return s[:40] + "..."
	}
	return s
}

// scan returns the token of s that starts at or after pos, and the offset behind it.
func scan(s string, pos int) (token, int) {
	for pos < len(s) && strings.IndexByte(" \t\r\n", s[pos]) >= 0 {
		pos++
	}
	if pos == len(s) {
		return token{kind: tokenEnd, pos: pos}, pos
	}
	start := pos
	switch c := s[pos]; {
	case isDigit(c):
		for pos < len(s) && isDigit(s[pos]) {
			pos++
		}
		return token{tokenNumber, start, s[start:pos]}, pos
	case isLetter(c):
		for pos < len(s) && (isLetter(s[pos]) || isDigit(s[pos]) || s[pos] == '.') {
			pos++
		}
		return token{tokenIdent, start, s[start:pos]}, pos
	case c == '"':
		quoted, err := strconv.QuotedPrefix(s[pos:])
		if err != nil {
			return token{tokenBad, start, "a quoted name without end or with a bad escape"}, len(s)
		}
		name, err := strconv.Unquote(quoted)
		if err != nil || name == "" {
			return token{tokenBad, start, "an empty name"}, len(s)
		}
		return token{tokenQuoted, start, name}, pos + len(quoted)
	case c == '/' || c == '*':
		n := 1
		if pos+1 < len(s) && s[pos+1] == c {
			n = 2
		}
		return token{tokenOp, start, s[pos : pos+n]}, pos + n
	case strings.IndexByte("+-%^(),", c) >= 0:
		return token{tokenOp, start, s[pos : pos+1]}, pos + 1
	default:
		return token{tokenBad, start, "character " + strconv.QuoteRune([]rune(s[pos:min(len(s), pos+4)])[0])}, len(s)
	}
}
