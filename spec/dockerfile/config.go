package dockerfile

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
)

// config is what an image says about itself, as the instructions of its chain
// of stages leave it. Only an image has it: what a stage says counts for the
// image that is built on it.
type config struct {
	entrypoint, cmd       []string // expressions; nil is unset, empty is []
	hasEntrypoint, hasCmd bool
	expose, volumes       []string
	labels                []pair
	stopSignal            text
	health                *block
	said                  map[string][]string             // comments by attribute
	written               map[string]instructions.Command // what set it last
}

func (c config) clone() config {
	c.expose, c.volumes, c.labels, c.said = slices.Clone(c.expose), slices.Clone(c.volumes), slices.Clone(c.labels), maps.Clone(c.said)
	c.written = maps.Clone(c.written)
	c.hasCmd = false // by ENTRYPOINT's rule: not set in this stage
	return c
}

// configure takes over an instruction that only describes the image.
func (st *stage) configure(cmd instructions.Command) {
	c := &st.config
	if c.said == nil {
		c.said, c.written = map[string][]string{}, map[string]instructions.Command{}
	}
	say := func(name string) {
		c.said[name] = append(append(c.said[name], st.rest...), st.im.comments(cmd.Comments())...)
		c.written[name] = cmd
		st.rest = nil
	}
	switch i := cmd.(type) {
	case *instructions.CmdCommand:
		c.cmd, c.hasCmd = st.argv(cmd, i.ShellDependantCmdLine), true
		say("cmd")
	case *instructions.EntrypointCommand:
		c.entrypoint, c.hasEntrypoint = st.argv(cmd, i.ShellDependantCmdLine), true
		if !c.hasCmd {
			c.cmd = nil
		}
		say("entrypoint")
	case *instructions.ExposeCommand:
		st.expose(i)
		say("expose")
	case *instructions.VolumeCommand:
		for _, v := range i.Volumes {
			if t, ok := st.word(cmd, v); ok {
				if e := clean(t).hcl(); !slices.Contains(c.volumes, e) {
					c.volumes = append(c.volumes, e)
				}
			}
		}
		say("volumes")
	case *instructions.LabelCommand:
		for n, kv := range i.Labels {
			var comments []string
			if n == 0 {
				comments = st.im.comments(i.Comments())
			}
			st.label(cmd, kv.Key, kv.Value, comments)
		}
	case *instructions.MaintainerCommand:
		st.im.note(firstLine(i.Location()), Changed, "MAINTAINER is the label org.opencontainers.image.authors.")
		c.setLabel(pair{"org.opencontainers.image.authors", quote(i.Maintainer), st.im.comments(i.Comments())})
	case *instructions.StopSignalCommand:
		if t, ok := st.word(cmd, i.Signal); ok {
			c.stopSignal = t
			if s, constant := t.constant(); constant {
				c.stopSignal = literal(signalName(s))
			}
		}
		say("stop_signal")
	case *instructions.HealthCheckCommand:
		st.healthcheck(i)
	}
}

// argv is exec form; what Docker would give to a shell names it.
func (st *stage) argv(cmd instructions.Command, line instructions.ShellDependantCmdLine) []string {
	if !line.PrependShell {
		if len(line.CmdLine) == 0 {
			return []string{}
		}
		return quoteAll(line.CmdLine)
	}
	st.im.note(firstLine(cmd.Location()), Changed, "%s was given to a shell, which is written out: signals reach the shell, not the program. Exec form is better, where nothing in it needs a shell.", strings.ToUpper(cmd.Name()))
	return quoteAll(append(slices.Clone(st.dockerShell()), strings.Join(line.CmdLine, " ")))
}

// dockerShell is what Docker gives shell form to.
func (p point) dockerShell() []string {
	if len(p.shell) > 0 {
		return p.shell
	}
	return []string{"/bin/sh", "-c"}
}

func (st *stage) label(cmd instructions.Command, name, value string, comments []string) {
	k, ok := st.word(cmd, name)
	v, ok2 := st.word(cmd, value)
	key, constant := k.constant()
	if !ok || !ok2 {
		return
	}
	if !constant || !isKey(strings.ReplaceAll(key, "=", "")) {
		st.rest = append(st.rest, st.im.todo(firstLine(cmd.Location()), "LABEL %s is left out: it is no name of a label", name))
		return
	}
	st.config.setLabel(pair{key, v.hcl(), comments})
}

func (c *config) setLabel(p pair) {
	if i := slices.IndexFunc(c.labels, func(o pair) bool { return o.key == p.key }); i >= 0 {
		c.labels[i] = p
		return
	}
	c.labels = append(c.labels, p)
}

// expose takes ports, and ranges of them apart.
func (st *stage) expose(i *instructions.ExposeCommand) {
	c := &st.config
	for _, p := range i.Ports {
		t, ok := st.word(i, p)
		if !ok {
			continue
		}
		s, constant := t.constant()
		if !constant {
			if !slices.Contains(c.expose, t.hcl()) {
				c.expose = append(c.expose, t.hcl())
			}
			continue
		}
		for _, word := range strings.Fields(s) {
			ports, ok := portsOf(word)
			if !ok {
				st.rest = append(st.rest, st.im.todo(firstLine(i.Location()), "EXPOSE %s is no port, or a range of too many", word))
			}
			for _, e := range ports {
				if !slices.Contains(c.expose, e) {
					c.expose = append(c.expose, e)
				}
			}
		}
	}
}

// portsOf are the ports of 8080, 53/udp or 8000-8010/tcp, as expressions.
func portsOf(word string) ([]string, bool) {
	const most = 64 // a range beyond that is a mistake, or wants another look
	numbers, protocol, _ := strings.Cut(word, "/")
	low, high, isRange := strings.Cut(numbers, "-")
	if !isRange {
		high = low
	}
	a, err := strconv.ParseUint(low, 10, 16)
	b, err2 := strconv.ParseUint(high, 10, 16)
	if err != nil || err2 != nil || a == 0 || b < a || b-a >= most {
		return nil, false
	}
	var out []string
	for n := a; n <= b; n++ {
		s := strconv.FormatUint(n, 10)
		if protocol = strings.ToLower(protocol); protocol != "" && protocol != "tcp" {
			s = quote(s + "/" + protocol)
		}
		out = append(out, s)
	}
	return out, true
}

// signalName is a signal as the language has it: SIGTERM, or a number.
func signalName(s string) string {
	if _, err := strconv.Atoi(s); err == nil {
		return s
	}
	return "SIG" + strings.TrimPrefix(strings.ToUpper(s), "SIG")
}

func (st *stage) healthcheck(i *instructions.HealthCheckCommand) {
	h := i.Health
	b := &block{name: "healthcheck", line: firstLine(i.Location()), comments: append(st.rest, st.im.comments(i.Comments())...)}
	b.source = i.String()
	st.rest = nil
	st.config.health = b
	if len(h.Test) == 0 || h.Test[0] == "NONE" {
		b.setNeeded("none", "true")
		return
	}
	command := h.Test[1:]
	if h.Test[0] == "CMD-SHELL" {
		command = append(slices.Clone(st.dockerShell()), strings.Join(command, " "))
	}
	b.setNeeded("command", list(quoteAll(command)))
	for _, d := range []struct {
		name string
		v    time.Duration
	}{{"interval", h.Interval}, {"timeout", h.Timeout}, {"start_period", h.StartPeriod}} {
		if d.v > 0 {
			b.set(d.name, quote(duration(d.v)))
		}
	}
	if h.Retries > 0 {
		b.set("retries", strconv.Itoa(h.Retries))
	}
	if h.StartInterval > 0 {
		st.im.note(b.line, Dropped, "HEALTHCHECK --start-interval: the interval is the same from the start.")
	}
}

// duration is 5m instead of Go's 5m0s.
func duration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// writeConfig ends an image's block with what it says about itself.
func (st *stage) writeConfig() {
	c, b := &st.config, st.block
	switch base := st.from.known.user; {
	case st.hasUser && len(st.user) > 0:
		if !st.runsAsRoot() || base != "0" {
			a := b.set("run_as", st.owner(b, st.user)).by(st.written["run_as"])
			a.comments = append(a.comments, st.said["run_as"]...)
		}
	case base != "" && base != "0":
		// What the base says itself, so that the spec is judged without it.
		b.set("run_as", quote(base))
	}
	put := func(name string, list2 []string, set bool) {
		if set {
			b.set(name, list(list2)).by(c.written[name]).comments = c.said[name]
		}
	}
	put("entrypoint", c.entrypoint, c.entrypoint != nil)
	put("cmd", c.cmd, c.cmd != nil)
	put("expose", c.expose, len(c.expose) > 0)
	put("volumes", c.volumes, len(c.volumes) > 0)
	if len(c.labels) > 0 {
		b.set("labels", object(c.labels))
	}
	if len(c.stopSignal) > 0 {
		b.set("stop_signal", c.stopSignal.hcl()).by(c.written["stop_signal"]).comments = c.said["stop_signal"]
	}
	if c.health != nil {
		b.items = append(b.items, c.health)
	}
}
