package deb

import (
	"bytes"
	"crypto/sha1"
	"encoding/asn1"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"path"
	"strings"
)

const (
	certificatesDir = "usr/share/ca-certificates"
	certsDir        = "etc/ssl/certs/"
	bundlePath      = certsDir + "ca-certificates.crt"
)

// certificates does what update-ca-certificates does for the certificates of
// packages (fix-up 5): the bundle, byte for byte, a link by name and a link
// by the hash of the subject. Without the hashes Python, which looks up
// issuers in the directory, trusts nobody.
func (in *installation) certificates() error {
	if len(in.tree.filesBelow(certificatesDir, false)) == 0 {
		return nil
	}
	var bundle bytes.Buffer
	taken := map[string]int{}
	for _, p := range in.tree.filesBelow(certificatesDir, true) {
		if !strings.HasSuffix(p, ".crt") {
			continue
		}
		data, ok, err := in.tree.read(p)
		if err != nil || !ok {
			return fmt.Errorf("CA bundle: read /%s: %w", p, err)
		}
		bundle.Write(data)
		if !bytes.HasSuffix(data, []byte("\n")) {
			bundle.WriteByte('\n')
		}
		name := pemName(p)
		in.tree.addLink(certsDir+name, "/"+p)
		if hash, ok := subjectHash(data); ok {
			in.tree.addLink(fmt.Sprintf("%s%s.%d", certsDir, hash, taken[hash]), name)
			taken[hash]++
		}
	}
	in.tree.setFile(bundlePath, 0o644, bundle.String())
	return nil
}

// pemName is the name of update-ca-certificates for a certificate's link.
func pemName(p string) string {
	base := strings.TrimSuffix(path.Base(p), ".crt")
	return strings.NewReplacer(" ", "_", "(", "=", ")", "=", ",", "_").Replace(base) + ".pem"
}

// subjectHash is OpenSSL's X509_NAME_hash of a certificate's subject: the
// first four bytes, little endian, of the SHA-1 of the canonical name.
func subjectHash(data []byte) (string, bool) {
	block, _ := pem.Decode(data)
	if block == nil {
		return "", false
	}
	subject, ok := subjectOf(block.Bytes)
	if !ok {
		return "", false
	}
	canonical, ok := canonicalName(subject)
	if !ok {
		return "", false
	}
	sum := sha1.Sum(canonical)
	return fmt.Sprintf("%08x", binary.LittleEndian.Uint32(sum[:])), true
}

// subjectOf gives the content of the subject's SEQUENCE of a certificate
// (RFC 5280, 4.1). crypto/x509 refuses some old roots (negative serial
// numbers), so only the outline is parsed.
func subjectOf(der []byte) ([]byte, bool) {
	var certificate, body asn1.RawValue
	if _, err := asn1.Unmarshal(der, &certificate); err != nil {
		return nil, false
	}
	if _, err := asn1.Unmarshal(certificate.Bytes, &body); err != nil {
		return nil, false
	}
	rest := body.Bytes
	// [0] version, serial, algorithm, issuer, validity, subject.
	for field := 0; ; field++ {
		var v asn1.RawValue
		var err error
		if rest, err = asn1.Unmarshal(rest, &v); err != nil {
			return nil, false
		}
		if field == 0 && (v.Class != asn1.ClassContextSpecific || v.Tag != 0) {
			field++ // version 1 has none
		}
		if field == 5 {
			return v.Bytes, true
		}
	}
}

// canonicalName is OpenSSL's x509_name_canon: each attribute's text as
// UTF-8, trimmed, runs of white space as one space, ASCII in lower case; the
// sets one after another without the outer header.
func canonicalName(name []byte) ([]byte, bool) {
	type attribute struct {
		Type  asn1.ObjectIdentifier
		Value asn1.RawValue
	}
	var out []byte
	for len(name) > 0 {
		var set []attribute
		rest, err := asn1.UnmarshalWithParams(name, &set, "set")
		if err != nil {
			return nil, false
		}
		name = rest
		var body []byte
		for _, a := range set {
			if text, ok := attributeText(a.Value); ok {
				a.Value = asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte(text)}
			}
			der, err := asn1.Marshal(a)
			if err != nil {
				return nil, false
			}
			body = append(body, der...)
		}
		der, err := asn1.Marshal(asn1.RawValue{Tag: asn1.TagSet, IsCompound: true, Bytes: body})
		if err != nil {
			return nil, false
		}
		out = append(out, der...)
	}
	return out, true
}

// attributeText is the canonical text of a value; false for types that
// OpenSSL takes as they are.
func attributeText(v asn1.RawValue) (string, bool) {
	var text string
	switch v.Tag {
	case asn1.TagUTF8String, asn1.TagPrintableString, asn1.TagIA5String, 26 /* VisibleString */ :
		text = string(v.Bytes)
	case asn1.TagT61String:
		var b strings.Builder
		for _, c := range v.Bytes {
			b.WriteRune(rune(c)) // as Latin-1, as OpenSSL does
		}
		text = b.String()
	case asn1.TagBMPString:
		var b strings.Builder
		for i := 0; i+1 < len(v.Bytes); i += 2 {
			b.WriteRune(rune(v.Bytes[i])<<8 | rune(v.Bytes[i+1]))
		}
		text = b.String()
	default:
		return "", false
	}
	words := strings.FieldsFunc(text, func(r rune) bool { return r < 0x80 && strings.ContainsRune(" \t\n\v\f\r", r) })
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, strings.Join(words, " ")), true
}
