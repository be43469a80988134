// SPDX-License-Identifier: Apache-2.0
// The model on disk, from which a rebooted node serves while no API server answers. A line that names the format, then
// protobuf messages of this schema, each behind its length as a varint, then the SHA-256 of all before.

import { createHash } from "node:crypto";
import { open, readFile, rename } from "node:fs/promises";
import { setImmediate as nextTurn } from "node:timers/promises";
import protobuf from "protobufjs/light.js";
import type { ModelObject } from "../../model/changes.ts";
import type { Endpoint, EndpointSlice, Hints, SlicePort } from "../../model/endpoint-slice.ts";
import type { Cidr } from "../../model/ip.ts";
import type { Node } from "../../model/node.ts";
import type { Namespace, Pod } from "../../model/pod.ts";
import type { Service, ServicePort, SourceRanges } from "../../model/service.ts";
import type { ServiceCidr } from "../../model/service-cidr.ts";
import type { Intern } from "../endpoint-slice.ts";
import { Schema } from "./protobuf-schema.ts";

const HEAD = Buffer.from("portolan checkpoint 1\n");
const HASH_BYTES = 32;
/** Written at once, between two turns of the event loop: a change that comes meanwhile waits no longer. */
const PART_BYTES = 128 << 10;

/** Every field of T but its kind, so that none can be forgotten here. */
type FieldsOf<T> = Readonly<Record<Exclude<keyof T, "kind">, string>>;

const CIDR: FieldsOf<Cidr> = { address: "1 string", prefixLength: "2 int32" };
const SERVICE_PORT: FieldsOf<ServicePort> = {
  name: "1 string",
  protocol: "2 word",
  port: "3 int32",
  nodePort: "4 int32",
};
const SOURCE_RANGES: FieldsOf<SourceRanges> = {
  allowed: "1 Cidr[]",
  denied: "2 Cidr[]",
  strict: "3 bool",
  kinds: "4 word[]",
};
const SERVICE: FieldsOf<Service> = {
  namespace: "1 word",
  name: "2 string",
  type: "3 word",
  createdMs: "4 double",
  foreignProxy: "5 bool",
  clusterIps: "6 string[]",
  externalIps: "7 string[]",
  loadBalancerIps: "8 string[]",
  proxiedIps: "9 string[]",
  internalTrafficPolicy: "10 word",
  externalTrafficPolicy: "11 word",
  healthCheckNodePort: "12 int32",
  affinitySeconds: "13 int32",
  ports: "14 ServicePort[]",
  sourceRanges: "15 SourceRanges",
  endsConnections: "16 bool",
  scheduler: "17 string",
  headless: "18 bool",
  externalName: "19 string",
};
const SLICE_PORT: FieldsOf<SlicePort> = { name: "1 string", protocol: "2 word", port: "3 int32" };
const HINTS: FieldsOf<Hints> = { forNodes: "1 word[]", forZones: "2 word[]" };
const ENDPOINT: FieldsOf<Endpoint> = {
  address: "1 string",
  nodeName: "2 word",
  zone: "3 word",
  hints: "4 Hints",
  ready: "5 bool",
  serving: "6 bool",
  terminating: "7 bool",
  hostname: "8 string",
};
/** How long a change took is nothing to remember. */
const ENDPOINT_SLICE: FieldsOf<Omit<EndpointSlice, "changeTriggeredMs">> = {
  namespace: "1 word",
  name: "2 string",
  serviceName: "3 string",
  headless: "4 bool",
  family: "5 int32",
  ports: "6 SlicePort[]",
  endpoints: "7 Endpoint[]",
};
const NODE: FieldsOf<Node> = {
  name: "1 string",
  addresses: "2 string[]",
  podCidrs: "3 Cidr[]",
  zone: "4 word",
  leaving: "5 bool",
};
const SERVICE_CIDR: FieldsOf<ServiceCidr> = { name: "1 string", cidrs: "2 Cidr[]" };
const POD: FieldsOf<Pod> = {
  namespace: "1 word",
  name: "2 string",
  uid: "3 string",
  nodeName: "4 word",
  hostNetwork: "5 bool",
  addresses: "6 string[]",
  socketBalancing: "7 bool",
};
const NAMESPACE: FieldsOf<Namespace> = { name: "1 string", socketBalancing: "2 bool" };

const SCHEMA = new Schema({
  Cidr: CIDR,
  ServicePort: SERVICE_PORT,
  SourceRanges: SOURCE_RANGES,
  Service: SERVICE,
  SlicePort: SLICE_PORT,
  Hints: HINTS,
  Endpoint: ENDPOINT,
  EndpointSlice: ENDPOINT_SLICE,
  Node: NODE,
  ServiceCIDR: SERVICE_CIDR,
  Pod: POD,
  Namespace: NAMESPACE,
  About: { nodeName: "1 string", writtenMs: "2 double" },
  /** One of them is set. */
  Entry: {
    About: "1 About",
    Service: "2 Service",
    EndpointSlice: "3 EndpointSlice",
    Node: "4 Node",
    ServiceCIDR: "5 ServiceCIDR",
    Pod: "6 Pod",
    Namespace: "7 Namespace",
  },
});

type Entry = Readonly<Record<string, object | undefined>>;

export interface Checkpoint {
  readonly nodeName: string;
  /** Unix time in ms. */
  readonly writtenMs: number;
  readonly objects: readonly ModelObject[];
}

/** In the place of the file there is, at any time, a whole one or none. Rejects with the file system's error. */
export async function writeCheckpoint(
  file: string,
  nodeName: string,
  writtenMs: number,
  objects: Iterable<ModelObject>,
): Promise<void> {
  const hash = createHash("sha256");
  const handle = await open(`${file}.new`, "w", 0o600);
  try {
    let writer = protobuf.Writer.create();
    const flush = async (): Promise<void> => {
      const part = writer.finish();
      writer = protobuf.Writer.create();
      hash.update(part);
      await handle.writeFile(part);
      await nextTurn();
    };
    hash.update(HEAD);
    await handle.writeFile(HEAD);
    writer.bytes(SCHEMA.message<Entry>("Entry").encode({ About: { nodeName, writtenMs } }).finish());
    for (const object of objects) {
      writer.bytes(
        SCHEMA.message<Entry>("Entry")
          .encode({ [object.kind]: object })
          .finish(),
      );
      if (writer.len >= PART_BYTES) await flush();
    }
    await flush();
    await handle.writeFile(hash.digest());
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${file}.new`, file);
}

/** undefined: there is none. Rejects with an Error that says why it cannot be used. */
export async function readCheckpoint(file: string, intern: Intern): Promise<Checkpoint | undefined> {
  const bytes = await readFile(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  if (!bytes) return undefined;
  if (!HEAD.equals(bytes.subarray(0, HEAD.length))) throw new Error("it is no checkpoint of this version");
  const end = bytes.length - HASH_BYTES;
  const whole =
    end >= HEAD.length && createHash("sha256").update(bytes.subarray(0, end)).digest().equals(bytes.subarray(end));
  if (!whole) throw new Error("its checksum does not fit: it was cut off or changed");
  let about = { nodeName: "", writtenMs: 0 };
  const objects: ModelObject[] = [];
  const reader = protobuf.Reader.create(bytes.subarray(HEAD.length, end));
  while (reader.pos < reader.len) {
    const entry = SCHEMA.message<Entry>("Entry").decode(reader.bytes());
    for (const [kind, value] of Object.entries(entry)) {
      const object = plain(kind, value ?? {}, intern);
      if (kind === "About") about = object as typeof about;
      else objects.push({ kind, ...object } as unknown as ModelObject);
    }
  }
  return { ...about, objects };
}

/** With all fields that the model's object has, those that are not there undefined. */
function plain(type: string, message: object, intern: Intern): object {
  const values = message as Readonly<Record<string, unknown>>;
  const object: Record<string, unknown> = {};
  for (const field of SCHEMA.fields(type)) {
    const value = Object.hasOwn(values, field.name) ? values[field.name] : undefined;
    const read = (one: unknown) => {
      if (typeof one === "object" && one !== null) return plain(field.type, one, intern);
      return field.type === "word" && typeof one === "string" ? intern(one) : one;
    };
    object[field.name] = field.repeated ? ((value ?? []) as readonly unknown[]).map(read) : read(value);
  }
  return object;
}
