package secretscan_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/specbuild/specbuild/planner/secretscan"
)

const (
	lower  = "abcdefghijkmnpqrstuvwxyz"
	upper  = "ABCDEFGHJKLMNPQRSTUVWXYZ"
	digits = "23456789"
	hex    = "0123456789abcdef"
	alnum  = lower + upper + digits
)

// drawn is a value of n bytes, always the same. Values are made when a test
// runs, so that no scanner finds them in this file; the second and third byte
// are a letter and a digit, which nearly all random values have somewhere.
func drawn(n int, from string) string {
	r := rand.New(rand.NewPCG(uint64(n), uint64(len(from))))
	b := make([]byte, n)
	for i := range b {
		b[i] = from[r.IntN(len(from))]
	}
	return string(b)
}

// pem is a private key of some kind, of random bytes.
func pem(kind string) string {
	var b strings.Builder
	begin, end := "-----BEGIN "+kind+"PRIVATE KEY-----\n", "-----END "+kind+"PRIVATE KEY-----\n"
	b.WriteString(begin)
	for i := range 4 {
		b.WriteString(drawn(64-i, alnum+"+/") + "\n")
	}
	return b.String() + end
}

// credentials are values by the rule that knows them.
func credentials() map[string]string {
	return map[string]string{
		"1password-secret-key":               "A3-" + drawn(6, upper+digits) + "-" + drawn(11, upper+digits) + "-" + drawn(5, upper+digits) + "-" + drawn(5, digits+upper) + "-" + drawn(5, upper+digits),
		"adobe-client-secret":                "p8e-" + drawn(32, lower+digits),
		"age-secret-key":                     "AGE-SECRET-" + "KEY-1" + drawn(58, "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"),
		"anthropic-api-key":                  "sk-ant-" + "api03-" + drawn(93, alnum) + "AA",
		"artifactory-api-key":                "AKC" + "p" + drawn(69, alnum),
		"aws-access-token":                   "AKI" + "A" + drawn(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"),
		"azure-ad-client-secret":             drawn(3, alnum) + "8Q" + "~" + drawn(33, alnum),
		"clojars-api-token":                  "CLO" + "JARS_" + drawn(60, lower+digits),
		"curl-auth-user":                     "curl -u deploy:" + drawn(12, alnum) + " https://artifacts.example.com/x",
		"databricks-api-token":               "dap" + "i" + drawn(32, hex),
		"digitalocean-pat":                   "dop_" + "v1_" + drawn(64, hex),
		"doppler-api-token":                  "dp.p" + "t." + drawn(43, alnum),
		"dynatrace-api-token":                "dt0c" + "01." + drawn(24, upper+digits) + "." + drawn(64, upper+digits),
		"easypost-api-token":                 "EZA" + "K" + drawn(54, alnum),
		"flyio-access-token":                 "fo" + "1_" + drawn(43, alnum),
		"gcp-api-key":                        "AI" + "za" + drawn(35, alnum),
		"github-fine-grained-pat":            "github" + "_pat_" + drawn(82, alnum),
		"github-oauth":                       "gh" + "o_" + drawn(36, alnum),
		"github-pat":                         "gh" + "p_" + drawn(36, alnum),
		"github-app-token":                   "gh" + "s_" + drawn(36, alnum),
		"gitlab-deploy-token":                "gl" + "dt-" + drawn(20, alnum),
		"gitlab-pat":                         "gl" + "pat-" + drawn(20, alnum),
		"gitlab-runner-authentication-token": "gl" + "rt-" + drawn(20, alnum),
		"grafana-service-account-token":      "gl" + "sa_" + drawn(32, alnum) + "_" + drawn(8, hex),
		"harness-api-key":                    "pa" + "t." + drawn(22, alnum) + "." + drawn(24, alnum) + "." + drawn(20, alnum),
		"heroku-api-key-v2":                  "HRK" + "U-AA" + drawn(58, alnum),
		"huggingface-access-token":           "h" + "f_" + drawn(34, lower+upper),
		"jwt":                                "ey" + "JhbGciOiJSUzI1NiJ9." + "ey" + "JzdWIiOiJkZXBsb3ktYm90IiwiYXVkIjoiYXBpIn0." + drawn(43, alnum),
		"linear-api-key":                     "lin_" + "api_" + drawn(40, alnum),
		"new-relic-user-api-key":             "new-relic-key = NR" + "AK-" + drawn(27, lower+digits),
		"notion-api-token":                   "nt" + "n_" + drawn(11, digits) + drawn(35, alnum),
		"npm-access-token":                   "np" + "m_" + drawn(36, alnum),
		"openai-api-key":                     "sk" + "-" + drawn(20, alnum) + "T3Blb" + "kFJ" + drawn(20, upper+digits),
		"perplexity-api-key":                 "ppl" + "x-" + drawn(48, alnum),
		"planetscale-password":               "pscale_" + "pw_" + drawn(43, alnum),
		"postman-api-token":                  "PMA" + "K-" + drawn(24, hex) + "-" + drawn(34, hex),
		"private-key":                        pem("RSA "),
		"pulumi-api-token":                   "pu" + "l-" + drawn(40, hex),
		"pypi-upload-token":                  "pypi-" + "AgEIcHlwaS5vcmc" + drawn(70, alnum),
		"readme-api-token":                   "rd" + "me_" + drawn(70, lower+digits),
		"rubygems-api-token":                 "ruby" + "gems_" + drawn(48, hex),
		"sendgrid-api-token":                 "S" + "G." + drawn(66, alnum),
		"sentry-user-token":                  "sntr" + "yu_" + drawn(64, hex),
		"shopify-access-token":               "shp" + "at_" + drawn(32, hex),
		"slack-bot-token":                    "xo" + "xb-" + drawn(12, digits) + "-" + drawn(13, digits) + drawn(24, alnum),
		"slack-webhook-url":                  "https://hooks.slack" + ".com/services/T" + drawn(10, upper) + "/B" + drawn(10, upper) + "/" + drawn(24, alnum),
		"stripe-access-token":                "sk_" + "live_" + drawn(24, alnum),
		"telegram-bot-api-token":             "telegram_bot = " + drawn(10, digits) + ":A" + drawn(34, alnum),
		"twilio-api-key":                     "S" + "K" + drawn(32, hex),
		"vault-service-token":                "hv" + "s." + drawn(95, alnum),
		"snyk-api-token":                     "SNYK_TOKEN=" + drawn(8, hex) + "-" + drawn(4, hex) + "-" + drawn(4, digits) + "-" + drawn(4, hex) + "-" + drawn(12, hex),
		"datadog-access-token":               "DATADOG_API_TOKEN=" + drawn(40, lower+digits),
		"sonar-api-token":                    `sonar.login="sq` + `p_` + drawn(40, lower+digits) + `"`,
		"discord-api-token":                  "DISCORD_BOT_KEY: " + drawn(64, hex),
		"mailchimp-api-key":                  "MAILCHIMP_KEY=" + drawn(32, hex) + "-us20",
		secretscan.Generic:                   "api_key = '" + drawn(32, alnum) + "'",
	}
}

// TestFinds holds for a value of each form that it is found where people
// write one, with the place of what is secret in it.
func TestFinds(t *testing.T) {
	t.Parallel()
	var e secretscan.Engine
	n := 0
	for rule, value := range credentials() {
		if value == "" {
			continue
		}
		n++
		t.Run(rule, func(t *testing.T) {
			t.Parallel()
			for _, form := range []string{"%s", "X = \"%s\"\n", "export X='%s'; run", "  - %s\n", "# was: %s"} {
				text := strings.Repeat("nothing to see here\n", 9) + fmt.Sprintf(form, value) + "\n" + strings.Repeat("nor here\n", 9)
				hits := e.Scan("", text)
				if len(hits) != 1 || hits[0].Rule != rule || hits[0].Title == "" {
					t.Errorf("%+v in\n%s", hits, text)
					continue
				}
				if found := text[hits[0].Start:hits[0].End]; len(found) < 10 || !strings.Contains(value, strings.TrimSpace(found)) {
					t.Errorf("what is secret is %q, in %q", found, value)
				}
			}
		})
	}
	if n < 50 {
		t.Errorf("only %d forms", n)
	}
}
