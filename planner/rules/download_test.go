package rules_test

import (
	"testing"

	"github.com/specbuild/specbuild/planner/rules"
	"github.com/specbuild/specbuild/spec/diag"
)

func TestFetchHTTPS(t *testing.T) {
	t.Parallel()
	sha := "sha256 = \"" + sum + "\"\n  }"
	cases{
		also: around,
		fires: []string{
			run("curl -fsSO «http://example.com/x»"),
			run("curl -fsS -o /x «http://example.com/x»"),
			run("curl -fsS --output /x --url «http://example.com/x»"),
			run("wget -q «http://example.com/$VERSION.tgz»"),
			run("wget -q -O- «http://example.com:8080/x»"),
			run("git clone --depth 1 «http://example.com/x.git» /x"),
			run("git clone «git://example.com/x.git»"),
			run("npm ci --registry «http://example.com/npm»"),
			run("pip install --no-cache-dir -i «http://example.com/simple» x==1"),
			`run {
    command = ["curl", "-fO", «"http://example.com/x"»]
  }`,
			taken("http {\n    url = «\"http://example.com/x\"»\n    " + sha),
			taken("git {\n    url = «\"http://example.com/x.git\"»\n    ref = \"main\"\n  }"),
		},
		quiet: []string{
			run("curl -fO https://example.com/x; wget -q https://example.com/x; git clone git@example.com:x.git; git clone ssh://git@example.com/x"),
			run("curl -f http://localhost:8080/health; curl -f http://127.0.0.1/; curl -f 'http://[::1]:80/'; wget -q http://registry:5000/v2/"),
			run("curl -f -x http://proxy.example.com:3128 https://example.com/x; curl -f --proxy http://proxy.example.com https://example.com"),
			run("curl -f -H 'Referer: http://example.com' -e http://example.com/ -d url=http://example.com https://example.com/x"),
			run("wget -q --header http://example.com https://example.com/x; curl -f --some-new-option http://example.com https://example.com"),
			run("curl -f $URL; curl -f \"http://$HOST/x\"; curl -f \"$${BASE}://x\""),
			run("echo http://example.com/x; sed -i s,http://deb.debian.org,x, /etc/apt/sources.list; xmlstarlet -N x=http://www.w3.org/2000"),
			run("echo 'deb http://deb.debian.org/debian trixie main' > /etc/apt/sources.list"),
			run("# curl http://example.com/x"),
			run("git config --global url.https://github.com/.insteadOf http://github.com/"),
			`labels = { "org.opencontainers.image.url" = "http://example.com" }
  env = { PROXY = "http://proxy.example.com" }`,
			taken("http {\n    url = \"https://example.com/x\"\n    " + sha),
			taken("http {\n    url = \"http://127.0.0.1:8080/x\"\n    " + sha),
		},
	}.run(t, "fetch-https")
	for _, m := range []mended{
		{"fetch-https", run("curl -fO http://example.com/x"), run("curl -fO https://example.com/x")},
		{"fetch-https", run("curl -fO 'http://example.com/x?a=b'"), run("curl -fO 'https://example.com/x?a=b'")},
		{"fetch-https", run("curl -fO http://example.com:8080/x"), ""},
		{"fetch-https", run("curl -fO \"http://example.com/$V\""), ""},
		{"fetch-https", taken("http {\n    url = \"http://example.com/x\"\n    " + sha), taken("http {\n    url = \"https://example.com/x\"\n    " + sha)},
	} {
		t.Run("fix", m.run)
	}
}

func TestFetchHostAllowed(t *testing.T) {
	t.Parallel()
	cases{
		also:  around,
		grade: rules.Grade{Lists: map[string][]string{"allow": {"mirror.example.com", "*.corp.example", "github.com/acme/"}}},
		fires: []string{
			run("curl -fO «https://other.example.com/x»"),
			run("wget -q «https://corp.example/x»"),
			run("git clone «https://github.com/acme2/x»"),
			run("git clone «git@gitlab.com:acme/x.git»"),
			run("curl -fO «https://mirror.example.com.evil.example/x»"),
			taken("http {\n    url = «\"https://example.com/x\"»\n    sha256 = \"" + sum + "\"\n  }"),
			taken("git {\n    url = «\"https://github.com/other/x.git\"»\n    ref = \"main\"\n  }"),
		},
		quiet: []string{
			run("curl -fO https://mirror.example.com/x; wget -q https://a.corp.example/x; git clone https://github.com/acme/x; git clone git@github.com:acme/x.git"),
			run("curl -fO $URL; curl -f https://$HOST/x; curl -f http://localhost/x"),
			run("echo https://other.example.com; curl -f -x http://proxy.example.com https://mirror.example.com/x"),
			taken("http {\n    url = \"https://mirror.example.com:8443/x\"\n    sha256 = \"" + sum + "\"\n  }"),
		},
	}.run(t, "fetch-host-allowed")
	// Without a list there is nothing to judge by.
	for _, d := range (&judgement{}).judge(t, whole(run("curl -fO https://example.com/x"))) {
		if d.Code == "fetch-host-allowed" {
			t.Error(d)
		}
	}
}

func TestTLSVerifyOn(t *testing.T) {
	t.Parallel()
	cases{
		also: around,
		fires: []string{
			run("curl «-k» -fO https://example.com/x"),
			run("curl «-fsSLk» https://example.com/x"),
			run("curl -f «--insecure» $URL"),
			run("wget -q «--no-check-certificate» https://example.com/x"),
			run("pip install --no-cache-dir «--trusted-host» pypi.example.com x==1"),
			run("python3 -m pip install --no-cache-dir «--trusted-host=pypi.example.com» x==1"),
			run("pip config set «global.trusted-host» pypi.example.com"),
			run("«NODE_TLS_REJECT_UNAUTHORIZED=0» node x.js"),
			run("export «PYTHONHTTPSVERIFY=0»; id"),
			run("«GIT_SSL_NO_VERIFY=true» git clone https://example.com/x"),
			run("npm config set «strict-ssl» false"),
			run("yarn config set «strict-ssl» false"),
			run("npm ci «--strict-ssl=false»"),
			run("git config --global «http.sslVerify» false"),
			run("git -c «http.sslVerify=false» clone https://example.com/x"),
			run("yum -y «--setopt=sslverify=0» install x"),
			run("echo «sslverify=false» >> /etc/yum.conf"),
			run("apt-get -o «Acquire::https::Verify-Peer=false» update && id"),
			`run {
    command = ["curl", "-fO", «"-k"», "https://example.com/x"]
  }`,
			"env = { NODE_TLS_REJECT_UNAUTHORIZED = «\"0\"» }",
			"env = { PIP_TRUSTED_HOST = «\"pypi.example.com\"» }",
			"env = { NPM_CONFIG_STRICT_SSL = «\"false\"» }",
			`run {
    command = ["x"]
    env = { GIT_SSL_NO_VERIFY = «"1"» }
  }`,
		},
		quiet: []string{
			run("curl -fO https://example.com/-k; curl -f -o -k https://example.com; curl -f -H k https://example.com/x; tar -k x"),
			run("curl -kf https://localhost:8443/health; curl --insecure https://127.0.0.1/"),
			run("wget -q https://example.com/x; sort -k 2 /x; ls --insecure; grep -k --no-check-certificate /x"),
			run("NODE_TLS_REJECT_UNAUTHORIZED=1 node x; PYTHONHTTPSVERIFY=1 python x; GIT_SSL_NO_VERIFY=0 git pull; PYTHONHTTPSVERIFY=$X id"),
			run("npm config set strict-ssl true; git config --global http.sslVerify true; echo sslverify=1 >> /etc/yum.conf; npm config get strict-ssl false-alarm"),
			run("pip install --no-cache-dir --trusted-host localhost x==1; pip install --no-cache-dir --index-url https://pypi.example.com x==1"),
			run("curl -f $INSECURE https://example.com/x; echo curl -k https://example.com"),
			run("cat <<EOT\n      curl -k https://example.com\n      EOT"),
			"env = { NODE_TLS_REJECT_UNAUTHORIZED = \"1\", PIP_TRUSTED_HOST = \"\", NPM_CONFIG_STRICT_SSL = \"true\" }",
		},
	}.run(t, "tls-verify-on")
	for _, m := range []mended{
		{"tls-verify-on", run("curl -k -fO https://example.com/x"), run("curl -fO https://example.com/x")},
		{"tls-verify-on", run("curl -fsSLk https://example.com/x"), run("curl -fsSL https://example.com/x")},
		{"tls-verify-on", run("wget -q https://example.com/x --no-check-certificate"), run("wget -q https://example.com/x")},
		{"tls-verify-on", run("pip install --trusted-host pypi.example.com x==1"), run("pip install x==1")},
		{"tls-verify-on", run("pip install --trusted-host=pypi.example.com x==1"), run("pip install x==1")},
		{"tls-verify-on", `run {
    command = ["curl", "-fO", "-k", "https://example.com/x"]
  }`, `run {
    command = ["curl", "-fO", "https://example.com/x"]
  }`},
		{"tls-verify-on", run("sh -c 'curl -k https://example.com/x'"), ""},
	} {
		t.Run("fix", m.run)
	}
}

func TestNoPipeToShell(t *testing.T) {
	t.Parallel()
	cases{
		severity: diag.Warning, release: diag.Warning, also: around,
		fires: []string{
			run("curl -fsSL https://example.com/i.sh | «sh»"),
			run("curl -fsSL https://example.com/i.sh | «bash» -s -- --yes"),
			run("curl -fsSL https://example.com/i.sh | env A=b «bash» -"),
			run("curl -fsSL https://example.com/i.sh | tee /x | «bash» -eux"),
			run("wget -qO- https://example.com/i.py | «python3»"),
			run("wget -qO- https://example.com/i.py | «python3» -"),
			run("curl -fsSL https://example.com/i.sh | sudo -E «bash» -"),
			run("«sh» -c \"$(curl -fsSL https://example.com/i.sh)\""),
			run("«eval» \"$(curl -fsSL https://example.com/i.sh)\""),
			shelled(`["/bin/bash", "-euo", "pipefail", "-c"]`, `"«bash» <(curl -fsSL https://example.com/i.sh)"`),
			shelled(`["/bin/bash", "-euo", "pipefail", "-c"]`, `"«source» <(curl -fsSL https://example.com/i.sh)"`),
		},
		quiet: []string{
			run("curl -fsSL https://example.com/x.tgz | tar xz; curl -fsSL https://example.com/k | gpg --dearmor -o /k"),
			run("curl -fsSL https://example.com/x | python3 -m json.tool; curl -fsSL https://example.com/x | python3 -c 'import sys'"),
			run("curl -fsSL https://example.com/x | perl -ne 'print'; curl -fsSL https://example.com/x | sh -c 'cat > /x'"),
			run("curl -fsSL https://example.com/x | bash /filter.sh; cat /x | sh; echo id | sh"),
			run("curl -fsSLo /x https://example.com/x && sh /x"),
			run("sh /x | curl -f -T - https://example.com/x"),
			run("v=$(curl -fsSL https://example.com/v); echo \"$(curl -f https://example.com)\" | sh /x; bash /x \"$(curl -f https://example.com)\""),
			run("curl -fsSL https://example.com/x | $INTERPRETER; echo 'curl https://example.com | sh'"),
		},
	}.run(t, "no-pipe-to-shell")
}

func TestDownloaderFailsOnError(t *testing.T) {
	t.Parallel()
	cases{
		severity: diag.Info, release: diag.Info, also: around,
		fires: []string{
			run("«curl» -sSLO https://example.com/x"),
			run("«curl» https://example.com/x > /x"),
			run("«/usr/bin/curl» -o -f https://example.com/x"),
			run("«curl» -sSLO \"https://example.com/$V\""),
			run("«wget» https://example.com/x"),
			run("curl -fO https://example.com/x; «wget» -q https://example.com/y; curl -fO https://example.com/z"),
			run("wget -q https://example.com/y") + run("«curl» -fO https://example.com/x"),
			`run {
    command = [«"curl"», "-O", "https://example.com/x"]
  }`,
		},
		quiet: []string{
			run("curl -fsSLO https://example.com/x; curl --fail https://example.com; curl --fail-with-body -O https://example.com/x; curl -sSfL https://example.com"),
			run("curl $OPTS https://example.com/x; curl -K /etc/c https://example.com; curl --version; curl -sI https://example.com"),
			run("curl -s -o /x -w %%{http_code} https://example.com/x; curl -s http://localhost:80/; curl $URL"),
			run("if curl -s https://example.com/x; then id; fi; curl -s https://example.com/x || true"),
			run("echo curl https://example.com; apk add curl; command -v curl wget"),
		},
	}.run(t, "downloader-fails-on-error")
	cases{
		severity: diag.Info, release: diag.Info,
		quiet: []string{
			run("wget -q https://example.com/x; wget -nv https://example.com/x; wget --progress=dot:giga https://example.com/x; wget -qO- https://example.com"),
			run("wget -o /log https://example.com/x; wget --version; wget $OPTS https://example.com"),
			`stage "a" {
  from = scratch
  ` + run("wget -q https://example.com/x") + `}
stage "b" {
  from = stage.a
  ` + run("curl -fO https://example.com/x") + `}
image "web" {
  from = stage.b
  run_as = "1"
}
`,
		},
	}.run(t, "downloader-fails-on-error")
	for _, m := range []mended{
		{"downloader-fails-on-error", run("curl -sSLO https://example.com/x"), run("curl -f -sSLO https://example.com/x")},
		{"downloader-fails-on-error", `run {
    command = ["curl", "-O", "https://example.com/x"]
  }`, `run {
    command = ["curl", "-f", "-O", "https://example.com/x"]
  }`},
	} {
		t.Run("fix", m.run)
	}
}
