// SPDX-License-Identifier: Apache-2.0
// Prints what a probe of this process's node says, as JSON. Argument: a bpffs.

import { probeModes } from "../../../src/datapath/probe/modes.ts";

const answers = await probeModes({ bpffs: process.argv[2] ?? "/sys/fs/bpf", cgroupRoot: undefined });
process.stdout.write(JSON.stringify(answers));
