# Targets: `api` (the last, and so the default), `billing`, `migrate` and `chain`, which is for docker-compose.yml only.
# Node 24 here; the code runs on 20.19 and newer (scripts/nodes.mjs tests this version too).
FROM node:24.21.0-bookworm-slim AS node
WORKDIR /keyfare

FROM node AS build
ENV TURBO_TELEMETRY_DISABLED=1 DO_NOT_TRACK=1
COPY . .
RUN npm ci --no-audit --no-fund && npx --no-install turbo run build --filter=@keyfare/api --filter=@keyfare/billing --filter=@keyfare/console
# What the programs do not run is not in their image.
RUN rm -rf apps/*/dist/test && find apps/*/dist packages/*/dist -name '*.test.*' -delete

# Production dependencies. Without the workspaces of tests and tools npm leaves their dependencies out too, and still checks
# every version against the lock file. TypeScript is only for the compiler plugin of @nestjs/swagger. That one is the API's
# (npm lays it nowhere else, for its peer TypeScript is of another major version), and the gate, whose peer it is, finds it there.
FROM node AS dependencies
COPY package.json package-lock.json .npmrc ./
COPY apps/api/package.json apps/api/
COPY apps/billing/package.json apps/billing/
COPY packages/core/package.json packages/core/
COPY packages/db/package.json packages/db/
COPY packages/docs/package.json packages/docs/
COPY packages/evm/package.json packages/evm/
COPY packages/gate/package.json packages/gate/
RUN npm pkg set --json 'workspaces=["apps/api","apps/billing","packages/core","packages/db","packages/docs","packages/evm","packages/gate"]' \
  && npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
  && rm -rf node_modules/typescript node_modules/@typescript \
  && mkdir -p packages/gate/node_modules/@nestjs \
  && ln -s ../../../../apps/api/node_modules/@nestjs/swagger packages/gate/node_modules/@nestjs/swagger

# A local chain with test USDC: for docker-compose.yml, never for production.
FROM node AS chain
COPY --from=build /keyfare .
RUN mkdir /data && chown 1000:1000 /data
USER 1000:1000
EXPOSE 8545
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=5s --timeout=3s --start-period=60s CMD ["node", "docker/healthy.mjs", "chain", "8545"]
CMD ["node", "packages/devstack/dist/src/start/container-chain.js"]

# What both programs have in common. Nothing in it is written to, and everything belongs to root.
FROM node AS program
LABEL org.opencontainers.image.title="Keyfare" \
  org.opencontainers.image.licenses="Apache-2.0" \
  org.opencontainers.image.description="One door for an HTTP API: an API key or an x402 payment, a signed receipt for every call"
ENV NODE_ENV=production HOST=0.0.0.0
COPY --from=dependencies /keyfare .
COPY --from=build /keyfare/packages/core/dist packages/core/dist
COPY --from=build /keyfare/packages/db/dist packages/db/dist
COPY --from=build /keyfare/packages/docs/dist/site packages/docs/dist/site
COPY --from=build /keyfare/packages/evm/dist packages/evm/dist
COPY --from=build /keyfare/packages/gate/dist packages/gate/dist
COPY --from=build /keyfare/apps/api/dist apps/api/dist
COPY --from=build /keyfare/apps/billing/dist apps/billing/dist
COPY --from=build /keyfare/apps/console/dist/page apps/console/dist/page
COPY docker/healthy.mjs docker/migrate.mjs docker/
# The number, not the name: Kubernetes cannot tell that a name is not root's.
USER 1000:1000
STOPSIGNAL SIGTERM

# Brings the schemas of both programs up to date and ends.
FROM program AS migrate
CMD ["node", "docker/migrate.mjs"]

FROM program AS billing
ENV PORT=3001
EXPOSE 3001
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s CMD ["node", "docker/healthy.mjs", "http", "3001"]
CMD ["node", "--max-semi-space-size=64", "apps/billing/dist/src/main.js"]

FROM program AS api
ENV PORT=3000
EXPOSE 3000
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s CMD ["node", "docker/healthy.mjs", "http", "3000"]
# A call lives through fewer collections of the young generation: see docs/benches.md.
CMD ["node", "--max-semi-space-size=64", "apps/api/dist/src/main.js"]
