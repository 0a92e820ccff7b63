# The slim image rather than the smaller alpine one: it holds the same (glibc) build of Bun that the tests run on.
FROM oven/bun:1.4.5-slim AS dependencies
WORKDIR /app
COPY package.json bun.lock ./
# Peers would bring TypeScript along, which nothing needs at run time. No package's script runs: package.json trusts none.
RUN bun install --frozen-lockfile --production --omit=peer --ignore-scripts

FROM oven/bun:1.4.5-slim
WORKDIR /app
ENV NODE_ENV=production
COPY --from=dependencies /app/node_modules node_modules
COPY package.json ./
COPY redis redis
COPY src src
# Nothing is written: the orders are in the Redis of REDIS_URL. The image has no Redis of its own.
USER bun
# 8000 is the customers'. 8001 is the baristas', and reachable from outside the container only with a STAFF_TOKEN.
EXPOSE 8000 8001
# Without --start-interval, which older builders refuse, such as the buildah of Debian 12; compose.yaml has it.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
  CMD ["bun", "-e", "const s = process.env.TLS_CERT ? 's' : ''; process.exit((await fetch(`http${s}://127.0.0.1:8000/livez`, { tls: { rejectUnauthorized: false } })).ok ? 0 : 1)"]
# No shell and no `bun run` in between, so that SIGTERM reaches the server, which then drains.
CMD ["bun", "src/main.ts"]
