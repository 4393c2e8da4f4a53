package eval

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

func base64EncodeFunc() function.Function {
	return textFunc([]string{"str"}, cty.String, func(a []string) (cty.Value, error) {
		return cty.StringVal(base64.StdEncoding.EncodeToString([]byte(a[0]))), nil
	})
}

// base64DecodeFunc gives a string, so what is decoded must be UTF-8.
func base64DecodeFunc() function.Function {
	return textFunc([]string{"str"}, cty.String, func(a []string) (cty.Value, error) {
		b, err := base64.StdEncoding.DecodeString(a[0])
		if err != nil {
			return cty.NilVal, function.NewArgErrorf(0, "not base64 in its standard alphabet with padding: %s", err)
		}
		if !utf8.Valid(b) {
			return cty.NilVal, function.NewArgErrorf(0, "what it decodes to is not UTF-8, so it cannot be a string")
		}
		return cty.StringVal(string(b)), nil
	})
}

func urlEncodeFunc() function.Function {
	return textFunc([]string{"str"}, cty.String, func(a []string) (cty.Value, error) {
		return cty.StringVal(url.QueryEscape(a[0])), nil
	})
}

func sha256Func() function.Function {
	return textFunc([]string{"str"}, cty.String, func(a []string) (cty.Value, error) {
		sum := sha256.Sum256([]byte(a[0]))
		return cty.StringVal(hex.EncodeToString(sum[:])), nil
	})
}

func sha512Func() function.Function {
	return textFunc([]string{"str"}, cty.String, func(a []string) (cty.Value, error) {
		sum := sha512.Sum512([]byte(a[0]))
		return cty.StringVal(hex.EncodeToString(sum[:])), nil
	})
}
