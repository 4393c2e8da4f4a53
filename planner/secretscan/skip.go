package secretscan

import (
	"path"
	"slices"
	"strings"
)

// Skips reports whether a file of a context is not looked at, by its path
// with slashes. The list is gitleaks', as far as it is about what is
// generated, fetched or no text; tests and documentation are added, whose keys
// are made up or everybody's.
func Skips(file string) bool {
	name := strings.ToLower(path.Base(file))
	if slices.Contains(lockFiles, name) || generated(name) || test(name) {
		return true
	}
	if ext := path.Ext(name); ext != "" && slices.Contains(notText, ext[1:]) {
		return true
	}
	dir := strings.ToLower(path.Dir(file))
	for part := range strings.SplitSeq(dir, "/") {
		if slices.Contains(foreign, part) || strings.HasSuffix(part, ".dist-info") || strings.HasPrefix(part, "python3.") {
			return true
		}
	}
	return false
}

func generated(name string) bool {
	return strings.HasSuffix(name, ".lock") || strings.HasSuffix(name, ".sum") || strings.HasSuffix(name, ".map") || strings.Contains(name, ".min.")
}

func test(name string) bool {
	stem := strings.TrimSuffix(name, path.Ext(name))
	return strings.HasSuffix(stem, "_test") || strings.HasSuffix(stem, ".test") || strings.HasSuffix(stem, ".spec") || strings.HasPrefix(stem, "test_")
}

// What is compared with these is in small letters.
var (
	lockFiles = []string{
		"go.mod", "go.work", "package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "gradlew", "gradlew.bat", "gradle.lockfile",
		"mvnw", "mvnw.cmd", "verification-metadata.xml", "gitleaks.toml", ".gitleaks.toml", ".gitleaksignore", "specbuild.lock.hcl",
	}
	notText = []string{
		"bmp", "gif", "jpg", "jpeg", "png", "svg", "tif", "tiff", "ico", "webp", "avif", "eot", "otf", "ttf", "woff", "woff2", "pdf", "doc", "docx",
		"xls", "xlsx", "bin", "so", "dll", "exe", "pdb", "a", "o", "wasm", "class", "jar", "pyc", "gz", "xz", "zst", "bz2", "zip", "tar", "tgz", "whl",
		"deb", "rpm", "apk", "gem", "mp3", "mp4", "webm", "ogg", "gltf", "parquet", "sqlite", "db", "md", "rst", "adoc", "gpg", "asc", "crt", "cer", "csr", "pub",
	}
	foreign = []string{
		".git", "node_modules", "bower_components", "vendor", "site-packages", "dist-packages", "third_party", "__pycache__",
		"test", "tests", "__tests__", "testdata", "fixtures", "__fixtures__", "__snapshots__", "spec", "doc", "docs", "example", "examples",
	}
)
