package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"text/tabwriter"
	"time"
)

// A monorepo as platform teams have them: services that call a template, which
// calls what all templates share, which stands on one base image; two regions
// of each; a few files of its own in each service.
var shared = map[string]string{
	"specbuild.hcl": `workspace {
  name    = "shop"
  members = ["services/*", "images/*"]
}
locals {
  registry  = "registry.example.com/shop"
  platforms = ["linux/amd64", "linux/arm64"]
}
`,
	"images/base/image.hcl": `image "base" {
  from      = scratch
  platforms = workspace.local.platforms
  seal      = ["run_as"]
  run_as    = "10001:10001"
  user "app" {
    uid = 10001
  }
  file {
    path    = "/etc/motd"
    content = "the shared base\n"
  }
}
`,
	"templates/common/image.hcl": `variable "name" {
  type = string
}
module "base" {
  source = "//images/base"
}
stage "root" {
  from    = module.base.image.base
  workdir = "/srv/${var.name}"
  env     = { SERVICE = var.name }
}
`,
	"templates/service/image.hcl": `variable "name" {
  type = string
}
variable "src" {
  type = context
}
variable "regions" {
  type    = map(string)
  default = { eu = "fra", us = "iad" }
}
module "common" {
  source = "../common"
  name   = var.name
}
stage "files" {
  from = scratch
  copy {
    from   = var.src
    source = ["go.mod", "src"]
    to     = "/src/"
    parents = true
  }
}
image "service" {
  for_each   = var.regions
  from       = module.common.stage.root
  platforms  = workspace.local.platforms
  tags       = ["${workspace.local.registry}/${var.name}-${each.key}:1.0.0"]
  entrypoint = ["/usr/bin/${var.name}", "--region", each.value]
  env        = { REGION = each.value, ARCH = target.arch }
  labels     = { "org.opencontainers.image.title" = var.name }
  healthcheck {
    none = true
  }
  copy {
    from   = stage.files
    source = "/src"
    to     = "/src"
  }
  copy {
    from   = var.src
    source = "config/*.yaml"
    to     = "/etc/app/"
  }
}
`,
}

const service = `module "service" {
  source  = "//templates/service"
  targets = ["service"]
  name    = "%s"
  src     = context.default
}
`

func writeMonorepo(dir string, services int) error {
	files := map[string]string{}
	for name, text := range shared {
		files[name] = text
	}
	for i := range services {
		name := fmt.Sprintf("svc-%04d", i)
		at := "services/" + name + "/"
		files[at+"image.hcl"] = fmt.Sprintf(service, name)
		files[at+"go.mod"] = "module example.com/" + name + "\n"
		files[at+"src/main.go"] = "package main\n\nfunc main() {}\n\n// " + name + "\n"
		files[at+"src/handler.go"] = "package main\n\n// of " + name + "\n"
		files[at+"config/app.yaml"] = "name: " + name + "\n"
	}
	for name, text := range files {
		full := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(full, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// measureMonorepos prints what commands over everything cost in time and
// memory, for two sizes, and how they grow.
func measureMonorepos(ctx context.Context, b bench, n int, out io.Writer) error {
	sizes := []int{200, 1000} // 400 and 2,000 images for two platforms each
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "what\tservices\tmedian\tmin\tpeak memory\tgrowth")
	type done struct {
		took time.Duration
		peak int64
	}
	before := map[string]done{}
	for _, size := range sizes {
		folder := fmt.Sprintf("mono-%d", size)
		if err := writeMonorepo(filepath.Join(b.dir, folder), size); err != nil {
			return err
		}
		if _, _, err := b.peak(ctx, folder, "apply", "--locked=false", "./..."); err != nil {
			return err
		}
		for _, w := range []struct {
			what string
			args []string
		}{
			{"validate ./...", []string{"validate", "./..."}},
			{"plan ./..., nothing changed", []string{"plan", "--locked=false", "./..."}},
			{"apply ./..., nothing changed", []string{"apply", "--locked=false", "./..."}},
		} {
			var times []time.Duration
			var peak int64
			for range n {
				took, bytes, err := b.peak(ctx, folder, w.args...)
				if err != nil {
					return err
				}
				times, peak = append(times, took), max(peak, bytes)
			}
			slices.Sort(times)
			median := times[len(times)/2]
			growth := ""
			if small, ok := before[w.what]; ok {
				growth = fmt.Sprintf("%.1f× the time and %.1f× the memory for %d×", float64(median)/float64(small.took), float64(peak)/float64(small.peak), size/sizes[0])
			}
			before[w.what] = done{median, peak}
			fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%d MB\t%s\n", w.what, size, milliseconds(median), milliseconds(times[0]), peak>>20, growth)
		}
	}
	return table.Flush()
}

// peak is run with the most memory that the process had resident, in bytes.
func (b bench) peak(ctx context.Context, folder string, args ...string) (time.Duration, int64, error) {
	cmd := b.command(ctx, folder, "cache-"+folder, args...)
	start := time.Now()
	text, err := cmd.CombinedOutput()
	took := time.Since(start)
	if err != nil {
		return 0, 0, fmt.Errorf("specbuild %q: %w\n%s", args, err, text)
	}
	return took, maxResident(cmd.ProcessState), nil
}
