// SPDX-License-Identifier: Apache-2.0
// placeholder
export type Protocol = "TCP" | "UDP" | "SCTP";
