// SPDX-License-Identifier: Apache-2.0
// Prints containerd's default seccomp profile for the capabilities of its arguments, as JSON.
package main

import (
	"encoding/json"
	"os"

	"github.com/containerd/containerd/v2/contrib/seccomp"
	"github.com/opencontainers/runtime-spec/specs-go"
)

func main() {
	spec := &specs.Spec{Process: &specs.Process{Capabilities: &specs.LinuxCapabilities{Bounding: os.Args[1:]}}, Linux: &specs.Linux{}}
	json.NewEncoder(os.Stdout).Encode(seccomp.DefaultProfile(spec))
}
