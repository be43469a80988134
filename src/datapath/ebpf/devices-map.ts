// SPDX-License-Identifier: Apache-2.0
// A device as the map `devices` holds it.

import type { BpfMap } from "../../libbpf/types.ts";
import { type Ip, ipToBytes } from "../../model/ip.ts";
import type { Device, DeviceRole } from "../devices/classify.ts";
import * as abi from "./abi.gen.ts";
import { decode, encode, HOST_LITTLE_ENDIAN } from "./codec.ts";

const ROLE_FLAGS: Readonly<Record<keyof DeviceRole, number>> = {
  uplink: abi.DeviceFlags.DEVICE_UPLINK,
  pod: abi.DeviceFlags.DEVICE_POD,
  bridge: abi.DeviceFlags.DEVICE_BRIDGE,
  bridgePort: abi.DeviceFlags.DEVICE_BRIDGE_PORT,
  l3: abi.DeviceFlags.DEVICE_L3,
  overlay: abi.DeviceFlags.DEVICE_OVERLAY,
  local: abi.DeviceFlags.DEVICE_LOCAL,
};

/** struct device */
export function encodeDevice(device: Device): Uint8Array {
  return encode(abi.device, {
    flags: roleFlags(device.role),
    bridge: device.bridgeIfindex,
    snat4: addressBytes(device.snat4),
    snat6: addressBytes(device.snat6),
    mac: macBytes(device.mac),
  });
}

/** The same, but clients behind it are local pods by its name if they were before. */
export function withLocal(device: Uint8Array, before: Uint8Array): Uint8Array {
  const [now, then] = [decode(abi.device, device), decode(abi.device, before)];
  const flags = now.flags | (then.flags & abi.DeviceFlags.DEVICE_LOCAL);
  return flags === now.flags ? device : encode(abi.device, { ...now, flags });
}

export function deviceKey(ifindex: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, ifindex, HOST_LITTLE_ENDIAN);
  return new Uint8Array(view.buffer);
}

/** Ifindexes that the map knows. */
export function knownDevices(map: BpfMap): readonly number[] {
  return [...map.entries()].map(([key]) => ifindexOf(key));
}

/** What the map says of each device, by ifindex. */
export function knownRoles(map: BpfMap): ReadonlyMap<number, DeviceRole> {
  return new Map([...map.entries()].map(([key, value]) => [ifindexOf(key), roleOf(decode(abi.device, value).flags)]));
}

function ifindexOf(key: Uint8Array): number {
  return new DataView(key.buffer, key.byteOffset).getUint32(0, HOST_LITTLE_ENDIAN);
}

function roleOf(flags: number): DeviceRole {
  const has = (role: keyof DeviceRole): boolean => (flags & ROLE_FLAGS[role]) !== 0;
  return {
    uplink: has("uplink"),
    pod: has("pod"),
    bridge: has("bridge"),
    bridgePort: has("bridgePort"),
    l3: has("l3"),
    overlay: has("overlay"),
    local: has("local"),
  };
}

function roleFlags(role: DeviceRole): number {
  let flags = 0;
  for (const [name, flag] of Object.entries(ROLE_FLAGS)) if (role[name as keyof DeviceRole]) flags |= flag;
  return flags;
}

function addressBytes(address: Ip | undefined): Uint8Array {
  return address === undefined ? new Uint8Array(16) : ipToBytes(address);
}

/** Devices without an Ethernet header have none, or one of another length. */
function macBytes(mac: Uint8Array): Uint8Array {
  return mac.length === 6 ? mac : new Uint8Array(6);
}
