# docker build -t hlsync . ; docker run -v hlsync:/data -e HLSYNC_ACCOUNTS=0x… -p 127.0.0.1:4477:4477 hlsync
FROM node:24-bookworm-slim AS build
WORKDIR /app
COPY package.json package-lock.json ./
RUN npm ci --no-audit --no-fund
COPY . .
RUN npm run build && npm prune --omit=dev

FROM node:24-bookworm-slim
WORKDIR /app
COPY --from=build /app/package.json /app/LICENSE ./
COPY --from=build /app/node_modules node_modules
COPY --from=build /app/bin bin
COPY --from=build /app/dist dist
COPY --from=build /app/migrations migrations
COPY --from=build /app/sql sql
COPY --from=build /app/dashboard/dist dashboard/dist
RUN mkdir /data && chown node:node /data && ln -s /app/bin/hlsync.js /usr/local/bin/hlsync
USER node
# The embedded database, .env and config file are looked for here.
WORKDIR /data
VOLUME /data
ENV NODE_ENV=production HLSYNC_LISTEN=0.0.0.0:4477
EXPOSE 4477
HEALTHCHECK --start-period=60s CMD ["node", "-e", "fetch('http://127.0.0.1:4477/livez').then((a) => process.exit(a.ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["hlsync"]
CMD ["run"]
