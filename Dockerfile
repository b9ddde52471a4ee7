# Owns the image of the server: Node, Tenantry, Litestream, and nobody but an ordinary user.
# docs/deploy-fly.md uses it; any other place that runs images and gives them a disk will do.

FROM node:24-bookworm-slim AS build
WORKDIR /app
# Dependencies first: they change less often than the sources. Nothing is compiled: better-sqlite3 brings its binaries.
COPY package.json package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund
COPY tsconfig.json tsconfig.build.json ./
COPY src ./src
RUN npm run -s build
# Then only what runs, and what some settings need besides, as the lock file has it: aws4fetch is for replicas and
# snapshots at S3. docs/deploy-fly.md names the others.
ARG OPTIONAL="aws4fetch"
RUN npm install --omit=dev --save-prod --save-exact --ignore-scripts --no-audit --no-fund \
  $(node -p "const { packages } = require('./package-lock.json'); process.env.OPTIONAL.split(/\s+/).filter(Boolean).map((name) => name + '@' + packages['node_modules/' + name].version).join(' ')")

FROM node:24-bookworm-slim
WORKDIR /app
COPY --from=litestream/litestream:0.5 /usr/local/bin/litestream /usr/local/bin/litestream
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/package.json ./package.json
COPY --from=build /app/dist ./dist
# Yours, in place of the sample's: COPY migrations from your project.
COPY migrations ./migrations
RUN mkdir -p /data && chown node:node /data
USER node
VOLUME /data

# Every setting of "tenantry serve" is a variable. Whoever listens on all addresses needs a key: TENANTRY_ADMIN_KEY is a
# secret of the place that runs the image, and never a line of this file.
ENV NODE_ENV=production TENANTRY_DATA=/data TENANTRY_MIGRATIONS=/app/migrations
ENV TENANTRY_HOST=0.0.0.0 TENANTRY_PORT=8787
EXPOSE 8787

HEALTHCHECK --interval=15s --timeout=5s --start-period=10s CMD ["node", "-e", "fetch('http://127.0.0.1:' + process.env.TENANTRY_PORT + '/readyz').then((answer) => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]

# Not through npm, which would not hand SIGTERM on: running requests get their end.
CMD ["node", "dist/cli.js", "serve"]
