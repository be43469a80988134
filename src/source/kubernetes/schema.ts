// SPDX-License-Identifier: Apache-2.0
// The part of Kubernetes' protobuf schema that is read here: names and numbers of k8s.io/api and k8s.io/apimachinery
// v0.37.1 (generated.proto; test/cluster/schema.test.ts compares them). What is not here is skipped on the wire.

import { Schema } from "./protobuf-schema.ts";

export const KUBERNETES: Schema = new Schema({
  // k8s.io/apimachinery/pkg/runtime
  Unknown: { typeMeta: "1 TypeMeta", raw: "2 bytes" },
  TypeMeta: { apiVersion: "1 string", kind: "2 string" },
  RawExtension: { raw: "1 bytes" },
  // k8s.io/apimachinery/pkg/apis/meta/v1
  WatchEvent: { type: "1 string", object: "2 RawExtension" },
  Time: { seconds: "1 int64" },
  ListMeta: { resourceVersion: "2 string", continue: "3 string" },
  ObjectMeta: {
    name: "1 string",
    namespace: "3 string",
    uid: "5 string",
    resourceVersion: "6 string",
    creationTimestamp: "8 Time",
    deletionTimestamp: "9 Time",
    labels: "11 map",
    annotations: "12 map",
  },
  Status: { message: "3 string", reason: "4 string", details: "5 StatusDetails", code: "6 int32" },
  StatusDetails: { retryAfterSeconds: "5 int32" },
  // k8s.io/api/core/v1
  Service: { metadata: "1 ObjectMeta", spec: "2 ServiceSpec", status: "3 ServiceStatus" },
  ServiceSpec: {
    ports: "1 ServicePort[]",
    clusterIP: "3 string",
    type: "4 string",
    externalIPs: "5 string[]",
    sessionAffinity: "7 string",
    loadBalancerSourceRanges: "9 string[]",
    externalName: "10 string",
    externalTrafficPolicy: "11 string",
    healthCheckNodePort: "12 int32",
    sessionAffinityConfig: "14 SessionAffinityConfig",
    clusterIPs: "18 string[]",
    internalTrafficPolicy: "22 string",
  },
  ServicePort: { name: "1 string", protocol: "2 string", port: "3 int32", nodePort: "5 int32" },
  SessionAffinityConfig: { clientIP: "1 ClientIPConfig" },
  ClientIPConfig: { timeoutSeconds: "1 int32" },
  ServiceStatus: { loadBalancer: "1 LoadBalancerStatus" },
  LoadBalancerStatus: { ingress: "1 LoadBalancerIngress[]" },
  LoadBalancerIngress: { ip: "1 string", hostname: "2 string", ipMode: "3 string" },
  Node: { metadata: "1 ObjectMeta", spec: "2 NodeSpec", status: "3 NodeStatus" },
  NodeSpec: { podCIDR: "1 string", taints: "5 Taint[]", podCIDRs: "7 string[]" },
  Taint: { key: "1 string", value: "2 string", effect: "3 string" },
  NodeStatus: { addresses: "5 NodeAddress[]" },
  NodeAddress: { type: "1 string", address: "2 string" },
  Pod: { metadata: "1 ObjectMeta", spec: "2 PodSpec", status: "3 PodStatus" },
  PodSpec: { nodeName: "10 string", hostNetwork: "11 bool" },
  PodStatus: { podIPs: "12 PodIP[]" },
  PodIP: { ip: "1 string" },
  Namespace: { metadata: "1 ObjectMeta" },
  // k8s.io/api/discovery/v1
  EndpointSlice: {
    metadata: "1 ObjectMeta",
    endpoints: "2 Endpoint[]",
    ports: "3 EndpointPort[]",
    addressType: "4 string",
  },
  Endpoint: {
    addresses: "1 string[]",
    conditions: "2 EndpointConditions",
    hostname: "3 string",
    nodeName: "6 string",
    zone: "7 string",
    hints: "8 EndpointHints",
  },
  EndpointConditions: { ready: "1 bool", serving: "2 bool", terminating: "3 bool" },
  EndpointHints: { forZones: "1 ForZone[]", forNodes: "2 ForNode[]" },
  ForZone: { name: "1 string" },
  ForNode: { name: "1 string" },
  EndpointPort: { name: "1 string", protocol: "2 string", port: "3 int32" },
  // k8s.io/api/networking/v1
  ServiceCIDR: { metadata: "1 ObjectMeta", spec: "2 ServiceCIDRSpec" },
  ServiceCIDRSpec: { cidrs: "1 string[]" },
  // Lists of all kinds look alike; the items stay bytes until they are read one by one.
  List: { metadata: "1 ListMeta", items: "2 bytes[]" },
});
