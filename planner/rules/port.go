package rules

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/specbuild/specbuild/spec/diag"
)

func portRules() []Rule {
	return []Rule{
		{
			ID: "entrypoint-exec-form", By: ByLanguage, Title: "`entrypoint` and `cmd` are lists, never a line for a shell",
			Why:     "A shell in between swallows signals and arguments, and has to be in the image.",
			Bad:     `entrypoint = "/usr/bin/web --port 8080"`,
			Good:    `entrypoint = ["/usr/bin/web", "--port", "8080"]`,
			Mend:    "Write a list, which `validate --fix` does for a line that needs no shell; where a shell is meant, [\"/bin/sh\", \"-c\", \"…\"]. `specbuild import` writes the list of a Dockerfile's line, with its shell.",
			Sources: []string{"DL3025", "BuildKit JSONArgsRecommended", "KICS not_using_json_in_cmd_and_entrypoint_arguments", "Semgrep prefer-json-notation"},
		},
		{
			ID: "entrypoint-single", By: ByLanguage, Title: "An image has one entrypoint, one cmd, one healthcheck and one user",
			Why: "In a Dockerfile the last one wins in silence; here a second one is an error.",
			Bad: `cmd = ["serve"]
cmd = ["work"]`,
			Good:    `cmd = ["serve"]`,
			Mend:    "Keep one. `specbuild import` mends it in a Dockerfile: it keeps the last of each, as Docker does. Which of two in a spec was meant only its author knows.",
			Sources: []string{"DL3012", "DL4003", "DL4004", "BuildKit MultipleInstructionsDisallowed", "DS-0007", "DS-0016", "DS-0023"},
		},
		{
			ID: "healthcheck-decided", Severity: diag.Info, Release: diag.Info, By: ByJudge, Title: "An image with ports has a healthcheck, or says that it has none",
			Why: "An engine that is not told how to ask takes a process that hangs for well. Where the platform asks by itself, as Kubernetes does, say so.",
			Bad: "expose = [8080]",
			Good: `expose = [8080]
healthcheck {
  command = ["/usr/bin/web", "-check"]
}`,
			Mend:    "Add a `healthcheck` with a command, or healthcheck { none = true }.",
			Sources: []string{"DL3057", "CKV_DOCKER_2", "DS-0026", "CIS-4.6", "CIS-DI-0006", "KICS healthcheck_instruction_missing"},
			check:   healthcheck,
		},
		{
			ID: "port-valid", By: ByLanguage, Title: "Ports are 1 to 65535, tcp, udp or sctp, without a port of the host",
			Why: "Anything else is refused by container engines, later and less clearly.",
			Bad: `expose = ["80:8080"]`,
			Good: `expose = [8080]
healthcheck {
  none = true
}`,
			Mend:    `Write the port of the container alone: 8080 or "53/udp".`,
			Sources: []string{"DL3011", "BuildKit ExposeInvalidFormat", "BuildKit ExposeProtoCasing", "DS-0008", "KICS unix_ports_out_of_range"},
		},
		{
			ID: "port-no-ssh", By: ByJudge, Title: "Port 22 is not exposed",
			Why: "A container is entered through its engine (docker exec, kubectl exec), whose access is managed; an SSH server in it has keys and users of its own.",
			Bad: `expose = [22]
healthcheck {
  none = true
}`,
			Good: `expose = [8022]
healthcheck {
  none = true
}`,
			Mend:    "Leave the server and the port out.",
			Sources: []string{"CKV_DOCKER_1", "DS-0004", "KICS exposing_port_22", "Kyverno validate-expose-port-22"},
			check:   sshPort,
		},
		{
			ID: "port-unprivileged", Severity: diag.Info, Release: diag.Info, By: ByJudge, Title: "An image that does not run as root listens on ports from 1024 up",
			Why: "Lower ones need a capability or a setting of the kernel that not every platform gives to ordinary users.",
			Bad: `expose = [80]
healthcheck {
  none = true
}`,
			Good: `expose = [8080]
healthcheck {
  none = true
}`,
			Mend:  "Listen on a higher port, and map it outside.",
			check: lowPort,
		},
	}
}

// healthcheck takes an image for a service if it exposes a port. What an
// unknown base would say is not asked for.
func healthcheck(d *docket) {
	for _, inst := range d.images() {
		_, _, read, based := d.base(inst)
		if ports, at := d.exposed(inst); len(ports) > 0 && !inst.Healthy && (read || !based) {
			d.found(inst.Body.Addr, at, "No healthcheck is decided on",
				"%s exposes %s, and nothing tells whether it is well. Add a `healthcheck` with a command, or healthcheck { none = true } where the platform asks by itself.",
				inst.Body.Addr.Local(), few(ports))
		}
	}
}

// exposed is what an image exposes with whom it inherits it from, as
// "22/tcp", and the place that says so.
func (d *docket) exposed(inst *Instance) ([]string, diag.Range) {
	for _, up := range d.chain(inst) {
		if up.Body.Image == nil || !up.Body.Image.Expose.Set {
			continue
		}
		var out []string
		for _, p := range up.Body.Image.Expose.V {
			protocol := p.Protocol
			if protocol == "" {
				protocol = "tcp"
			}
			out = append(out, fmt.Sprintf("%d/%s", p.Number, protocol))
		}
		at := up.Body.Image.Expose.Range
		if up != inst {
			at = inst.Body.From.Range
		}
		return out, at
	}
	_, info, _, _ := d.base(inst)
	return info.Ports, or(inst.Body.From.Range, inst.Body.Range)
}

// sshPort looks at inherited ports too: an image of a base with a server in it
// is one with a server in it.
func sshPort(d *docket) {
	for _, inst := range d.images() {
		ports, at := d.exposed(inst)
		for _, p := range ports {
			if p == "22/tcp" || p == "22" {
				d.found(inst.Body.Addr, at, "The SSH port is exposed",
					"%s exposes port 22. Enter containers through their engine instead, and leave the port out of `expose` (`expose = []` drops inherited ones).", inst.Body.Addr.Local())
			}
		}
	}
}

// lowPort leaves root alone, whose mistake is another, and port 22, which has
// a rule of its own.
func lowPort(d *docket) {
	for _, inst := range d.images() {
		uid, known := d.uid(inst)
		if !known || uid == 0 {
			continue
		}
		var low []string
		ports, at := d.exposed(inst)
		for _, p := range ports {
			number, _, _ := strings.Cut(p, "/")
			if n, err := strconv.Atoi(number); err == nil && n < 1024 && n != 22 {
				low = append(low, p)
			}
		}
		if len(low) > 0 {
			d.found(inst.Body.Addr, at, "A port that needs a privilege",
				"%s runs as user %d and exposes %s: where the kernel keeps ports below 1024 for root, it cannot listen there. Listen on a higher one, such as 8080, and map it outside.",
				inst.Body.Addr.Local(), uid, few(low))
		}
	}
}
