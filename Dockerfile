# SPDX-License-Identifier: Apache-2.0
# The agent's image, for amd64 and arm64: Node.js, what the addon and the agent call from Debian, and of ours the bundle, the
# addon and the BPF objects. Nothing of the target's architecture runs while it is built: the addon is cross-compiled and
# Debian's files are unpacked, so no emulation is needed. `deploy/image.sh` builds it where there is no registry.
ARG BUILD_IMAGE=node:24-bookworm
ARG NODE_IMAGE=node:24-bookworm-slim

FROM ${NODE_IMAGE} AS node

FROM --platform=$BUILDPLATFORM ${BUILD_IMAGE} AS tools
ARG TARGETARCH
WORKDIR /portolan
COPY deploy/setup.sh deploy/
COPY deploy/image/build.sh deploy/image/
RUN bash deploy/image/build.sh packages "$TARGETARCH"

FROM tools AS build
ARG TARGETARCH
COPY . .
RUN bash deploy/image/build.sh portolan "$TARGETARCH" /image
COPY --from=node /usr/local/bin/node /usr/local/LICENSE /node/
RUN bash deploy/image/rootfs.sh "$TARGETARCH" /node /rootfs

FROM scratch
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="portolan" \
  org.opencontainers.image.description="The Service datapath of a Kubernetes node on eBPF: replaces kube-proxy" \
  org.opencontainers.image.licenses="Apache-2.0 AND (GPL-2.0-only OR BSD-2-Clause)" \
  org.opencontainers.image.version="${VERSION}" \
  org.opencontainers.image.revision="${REVISION}"
ENV PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin NODE_ENV=production
COPY --from=build /rootfs /
COPY --from=build /image /
ENTRYPOINT ["portolan"]
CMD ["agent", "--in-cluster"]
