// A runtime for a Docker Engine on a machine that itself lacks capabilities (CAP_SYS_RESOURCE, say). It takes out of what is to be
// run (an OCI bundle's config.json, or the process file of an exec) what this process could not grant, then becomes runc.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/bits"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// The kernel's numbering of capabilities.
var capabilities = strings.Fields(`CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
	NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN
	SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG
	WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE`)

// The kernel's numbering of limits.
var limits = strings.Fields(`CPU FSIZE DATA STACK CORE RSS NPROC NOFILE MEMLOCK AS LOCKS SIGPENDING MSGQUEUE NICE RTPRIO RTTIME`)

type object = map[string]any

// granted gives the capabilities that this process may pass on.
func granted() (map[string]bool, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return nil, err
	}
	_, after, found := strings.Cut(string(status), "\nCapBnd:")
	if !found {
		return nil, fmt.Errorf("/proc/self/status has no CapBnd")
	}
	line, _, _ := strings.Cut(after, "\n")
	set, err := strconv.ParseUint(strings.TrimSpace(line), 16, 64)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{}
	for i, name := range capabilities[:min(len(capabilities), bits.Len64(set))] {
		names["CAP_"+name] = set&(1<<i) != 0
	}
	return names, nil
}

// lower makes a process something that this process can start.
func lower(process object, granted map[string]bool) error {
	if sets, ok := process["capabilities"].(object); ok {
		for name, set := range sets {
			if list, ok := set.([]any); ok {
				sets[name] = slices.DeleteFunc(list, func(c any) bool { s, _ := c.(string); return !granted[s] })
			}
		}
	}
	if granted["CAP_SYS_RESOURCE"] {
		return nil
	}
	if wanted, ok := process["oomScoreAdj"].(json.Number); ok {
		text, err := os.ReadFile("/proc/self/oom_score_adj")
		if err != nil {
			return err
		}
		own, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
		if err != nil {
			return err
		}
		if score, err := wanted.Int64(); err == nil && score < own {
			process["oomScoreAdj"] = own
		}
	}
	list, _ := process["rlimits"].([]any)
	for _, entry := range list {
		limit, _ := entry.(object)
		name, _ := limit["type"].(string)
		var own syscall.Rlimit
		number := slices.Index(limits, strings.TrimPrefix(name, "RLIMIT_"))
		if number < 0 || syscall.Getrlimit(number, &own) != nil {
			continue
		}
		for _, bound := range []string{"hard", "soft"} {
			if value, ok := limit[bound].(json.Number); ok {
				if wanted, err := strconv.ParseUint(value.String(), 10, 64); err == nil && wanted > own.Max {
					limit[bound] = own.Max
				}
			}
		}
	}
	return nil
}

// rewrite lowers the process in a file: the file itself, or its member `process`.
func rewrite(file string, isProcess bool) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // 64-bit limits are not to be rounded
	var spec object
	if err := decoder.Decode(&spec); err != nil {
		return err
	}
	process := spec
	if !isProcess {
		process, _ = spec["process"].(object)
	}
	granted, err := granted()
	if err != nil {
		return err
	}
	if err := lower(process, granted); err != nil {
		return err
	}
	if text, err = json.Marshal(spec); err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}

// parse finds the command among runc's arguments, and the values of --bundle and --process.
func parse(args []string) (command, bundle, process string) {
	valued := []string{"--root", "--log", "--log-format", "--criu", "--rootless"}
	for i := 0; i < len(args); i++ {
		name, value, joined := strings.Cut(args[i], "=")
		if !joined && i+1 < len(args) {
			value = args[i+1]
		}
		switch {
		case name == "--bundle" || name == "-b":
			bundle = value
		case name == "--process" || name == "-p":
			process = value
		case command == "" && slices.Contains(valued, name):
		case command == "" && !strings.HasPrefix(name, "-"):
			command = name
			continue
		default:
			continue
		}
		if !joined {
			i++
		}
	}
	return command, bundle, process
}

func main() {
	command, bundle, process := parse(os.Args[1:])
	var err error
	switch command {
	case "create", "run", "restore":
		err = rewrite(filepath.Join(bundle, "config.json"), false)
	case "exec":
		if process != "" {
			err = rewrite(process, true)
		}
	}
	runc := ""
	if err == nil {
		runc, err = exec.LookPath("runc")
	}
	if err == nil {
		err = syscall.Exec(runc, append([]string{"runc"}, os.Args[1:]...), os.Environ())
	}
	fmt.Fprintln(os.Stderr, "runtime:", err)
	os.Exit(1)
}
