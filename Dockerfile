# SPDX-License-Identifier: Apache-2.0
# The agent's image: built with the tools that deploy/setup.sh installs, run with Node.js, libbpf and nothing else of ours
# but the bundle, the addon and the BPF objects.
FROM node:24-bookworm AS build
WORKDIR /portolan
COPY . .
RUN npm run build

FROM node:24-bookworm-slim
RUN apt-get update \
  && apt-get install -y --no-install-recommends libbpf1 \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /portolan
COPY --from=build /portolan/package.json /portolan/LICENSE /portolan/NOTICE ./
COPY --from=build /portolan/bpf/LICENSE.* bpf/
COPY --from=build /portolan/dist dist
COPY --from=build /portolan/build/Release/portolan.node build/Release/
COPY --from=build /portolan/build/bpf build/bpf
ENTRYPOINT ["node", "/portolan/dist/portolan.js"]
CMD ["agent", "--manifests", "/etc/portolan"]
