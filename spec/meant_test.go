package spec

import "testing"

func TestExecForm(t *testing.T) {
	t.Parallel()
	for line, want := range map[string]string{
		"nginx":                     `["nginx"]`,
		" nginx  -g 'daemon off;'":  `["nginx", "-g", "daemon off;"]`,
		`java -jar "my app.jar" ''`: `["java", "-jar", "my app.jar", ""]`,
		`a -n="b c"d`:               `["a", "-n=b cd"]`,
		// Only a shell could say.
		"": "", "a && b": "", "a > b": "", "echo $HOME": "", `echo "$HOME"`: "", "ls *": "", "a 'b": "", "a; b": "", "a\nb": "", `a \ b`: "",
	} {
		got, ok := execForm(line)
		if ok != (want != "") || ok && got != want {
			t.Errorf("%q is %s, %t, not %s", line, got, ok, want)
		}
	}
}
