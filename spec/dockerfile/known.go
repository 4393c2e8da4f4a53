package dockerfile

import (
	"path"
	"slices"
	"strings"
)

// image is what is known of a public image beside its name: what a Dockerfile
// leaves to it and a spec must say. The facts are of the images' own
// Dockerfiles and have been the same for years; where nothing is known the
// import asks.
type image struct {
	user    string // its number; "0" is root, empty is not known
	workdir string // its own; / where it says none
	env     [][2]string
	users   map[string]string // names to "uid:gid"
}

// inheritedPath stands for the PATH of what a stage is built on.
func inheritedPath() part {
	return part{expr: "PATH", now: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
}

// knownImage looks an image up by its name.
func knownImage(name string) image {
	repo, tag := splitImage(name)
	if !strings.Contains(repo, "/") {
		repo = "docker.io/library/" + repo
	}
	alpine := strings.Contains(tag, "alpine") || repo == "docker.io/library/alpine"
	for _, mirror := range []string{"public.ecr.aws/docker/library/", "mirror.gcr.io/library/"} {
		if rest, ok := strings.CutPrefix(repo, mirror); ok {
			repo = "docker.io/library/" + rest
		}
	}
	official, ok := strings.CutPrefix(repo, "docker.io/library/")
	im := image{}
	if ok {
		im.user, im.workdir = "0", "/"
	}
	im.users = map[string]string{"root": "0:0", "nobody": "65534:65534"}
	if ok && !alpine {
		im.users["www-data"] = "33:33"
	}
	switch official {
	case "elasticsearch", "kibana", "logstash", "sonarqube":
		im.user = "1000"
	case "solr":
		im.user = "8983"
	case "varnish", "jetty":
		im.user = ""
	case "node":
		im.users["node"] = "1000:1000"
	case "golang":
		im.workdir, im.env = "/go", [][2]string{{"GOPATH", "/go"}}
	case "rust":
		im.env = [][2]string{{"RUSTUP_HOME", "/usr/local/rustup"}, {"CARGO_HOME", "/usr/local/cargo"}}
	case "nginx":
		im.users["nginx"] = "101:101"
	case "php":
		im.workdir, im.env = "/var/www/html", [][2]string{{"PHP_INI_DIR", "/usr/local/etc/php"}}
		if alpine {
			im.users["www-data"] = "82:82"
		}
	case "tomcat":
		im.workdir, im.env = "/usr/local/tomcat", [][2]string{{"CATALINA_HOME", "/usr/local/tomcat"}}
	case "httpd":
		im.workdir, im.env = "/usr/local/apache2", [][2]string{{"HTTPD_PREFIX", "/usr/local/apache2"}}
	case "postgres":
		im.users["postgres"] = "999:999"
		if alpine {
			im.users["postgres"] = "70:70"
		}
	case "redis", "valkey":
		im.workdir = "/data"
		if im.users[official] = "999:1000"; !alpine {
			im.users[official] = "999:999"
		}
	case "gradle":
		im.users["gradle"], im.workdir = "1000:1000", "/home/gradle"
	}
	im.elsewhere(repo, tag)
	return im
}

// elsewhere is what is known of images that are not Docker's official ones.
func (im *image) elsewhere(repo, tag string) {
	systems := []string{"registry.fedoraproject.org/fedora", "quay.io/fedora/fedora", "quay.io/centos/centos", "docker.io/nvidia/cuda", "ghcr.io/astral-sh/uv", "docker.io/tonistiigi/xx"}
	if strings.HasPrefix(repo, "gcr.io/distroless/") {
		im.users["nonroot"] = "65532:65532"
		im.workdir = "/"
		im.user = "0"
		if strings.Contains(tag, "nonroot") {
			im.user, im.workdir = "65532", "/home/nonroot"
		}
	}
	switch {
	case strings.HasPrefix(repo, "cgr.dev/chainguard/"):
		im.users["nonroot"] = "65532:65532"
	case path.Base(repo) == "nginx-unprivileged":
		im.users["nginx"], im.user = "101:101", "101"
	case repo == "docker.io/oven/bun":
		im.users["bun"], im.user = "1000:1000", "0"
	case repo == "docker.io/denoland/deno":
		im.users["deno"], im.user = "1993:1993", "0"
	case repo == "docker.io/grafana/grafana":
		im.users["grafana"], im.user = "472:0", "472"
	case strings.HasPrefix(repo, "docker.elastic.co/"):
		im.users["elasticsearch"], im.users["kibana"], im.users["logstash"] = "1000:0", "1000:0", "1000:0"
		im.user = "1000"
	case strings.HasPrefix(repo, "quay.io/jupyter/"), strings.HasPrefix(repo, "docker.io/jupyter/"):
		im.users["jovyan"], im.user = "1000:100", "1000"
	case strings.HasPrefix(repo, "docker.io/bitnami/"):
		im.user = "1001"
	case slices.Contains(systems, repo), strings.HasPrefix(repo, "registry.access.redhat.com/ubi") && strings.HasPrefix(path.Base(repo), "ubi"):
		im.user, im.workdir = "0", "/"
	}
	if strings.HasPrefix(repo, "mcr.microsoft.com/dotnet/") {
		im.users["app"], im.user, im.workdir = "1654:1654", "0", "/"
		if strings.Contains(tag, "chiseled") {
			im.user = "1654"
		}
		im.env = [][2]string{{"APP_UID", "1654"}}
	}
}
