# One image for the API, billing and the local chain; the command chooses. Node 24: the floor of the code is 20.19.
FROM node:24-bookworm-slim AS build
WORKDIR /keyfare
ENV TURBO_TELEMETRY_DISABLED=1
COPY . .
RUN npm ci --no-audit --no-fund && npm run build

FROM node:24-bookworm-slim
WORKDIR /keyfare
ENV NODE_ENV=production
COPY --from=build --chown=root:root /keyfare /keyfare
RUN mkdir /data && chown node:node /data
USER node
EXPOSE 3000 3001 8545
# A call lives through fewer collections of the young generation: see docs/benches.md.
CMD ["node", "--max-semi-space-size=64", "apps/api/dist/src/main.js"]
