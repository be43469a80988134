// SPDX-License-Identifier: Apache-2.0
// Before the guest boots, in which a compiler would take minutes: what its tests need built.
import { buildOtherLayout } from "../support/other-layout.ts";

buildOtherLayout();
