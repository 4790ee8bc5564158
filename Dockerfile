# The platform on one machine. Build it from the root of the project: docker build --tag maw-platform .
FROM node:24-bookworm-slim
WORKDIR /project
COPY package.json package-lock.json .npmrc ./
COPY worker-agent/package.json worker-agent/
COPY scripts/node24/package.json scripts/node24/
# Without the workspace scripts/node24: this image already has Node.
RUN npm ci --omit=dev --ignore-scripts --workspace=worker-agent --include-workspace-root && npm cache clean --force
COPY schema schema
COPY functions functions
COPY worker-agent worker-agent
COPY local local
# Creates the links of the bundled PostgreSQL, because the account that runs it may not write here.
RUN node --eval "import('/project/local/postgres/binaries.ts').then(({ findBinaries }) => findBinaries())" \
  && install --directory --owner=node --group=node --mode=0711 /var/lib/maw
ENV MAW_DATA=/var/lib/maw
# The account `node` of the base image.
USER 1000:1000
VOLUME /var/lib/maw
EXPOSE 8080
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \
  CMD ["node", "--eval", "fetch('http://127.0.0.1:8080/api/v1/health').then(({ ok }) => process.exit(ok ? 0 : 1), () => process.exit(1))"]
ENTRYPOINT ["node", "local/start.ts"]
CMD ["--listen", "0.0.0.0"]
