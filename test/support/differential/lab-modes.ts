// SPDX-License-Identifier: Apache-2.0
// By what the agent of the lab is to tell local pods (rows 34 to 38), as its flags and as the reference model is told; and
// faults to plant in its tc programs, while explain does right.

import type { DetectLocal } from "../model/world.ts";
import type { Mutation } from "../mutant.ts";
import type { Setting } from "./lab-world.ts";

export interface LabMode extends Omit<Setting, "first"> {
  readonly flags: readonly string[];
}

const CIDR4 = "10.9.0.0/16";
const CIDR6 = "fd00:9::/32";

function mode(detectLocal: DetectLocal, ...flags: readonly string[]): LabMode {
  return { detectLocal, masqueradeAll: false, flags: ["--detect-local-mode", detectLocal.mode, ...flags] };
}

const BY_CIDR4 = mode({ mode: "ClusterCIDR", cidrs: [CIDR4] }, "--cluster-cidr", CIDR4);
const BY_CIDR6 = mode({ mode: "ClusterCIDR", cidrs: [CIDR6] }, "--cluster-cidr", CIDR6);

export const DEVICE: LabMode = mode({ mode: "Device" });

/**
 * Those that agents have to be started for. Each tells other pods than the next: of this node or of the whole cluster,
 * routed or bridged; ClusterCIDR has no range for one of the families (row 35).
 */
export const LAB_MODES: Readonly<Record<string, LabMode>> = {
  "ClusterCIDR of IPv4 alone": BY_CIDR4,
  "ClusterCIDR of IPv6 alone": BY_CIDR6,
  NodeCIDR: mode({ mode: "NodeCIDR" }),
  "BridgeInterface cni0": mode({ mode: "BridgeInterface", interface: "cni0" }, "--pod-bridge-interface", "cni0"),
  "InterfaceNamePrefix v_": mode(
    { mode: "InterfaceNamePrefix", interface: "v_" },
    ...["--pod-interface-name-prefix", "v_"],
  ),
};

export function masqueradingAll(told: LabMode): LabMode {
  return { ...told, masqueradeAll: true, flags: [...told.flags, "--masquerade-all"] };
}

interface LabFault extends Mutation {
  readonly told: LabMode;
}

export const LAB_FAULTS: Readonly<Record<string, LabFault>> = {
  "row 38: pods are told by the device, whatever the mode": {
    told: BY_CIDR4,
    file: "client.bpf.h",
    from: "return kind_by_source(src);",
    to: "return from_outside(device) ? CLIENT_OUTSIDE : CLIENT_POD;",
  },
  "row 37: pods are not masqueraded, whatever the setting": {
    told: masqueradingAll(BY_CIDR6),
    file: "select.bpf.h",
    from: "if (masquerade_all)",
    to: "if (masquerade_all && who != CLIENT_POD)",
  },
};
