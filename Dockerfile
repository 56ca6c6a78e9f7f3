# docker build -t tracelink .      (docs/containers.md)
FROM rust:1.91-slim-bookworm AS build
# Debian keeps no old version to pin to.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends build-essential \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
RUN cargo build --release --locked --bin tracelink

# glibc and nothing else: no shell, no package manager, no root.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /src/target/release/tracelink /usr/local/bin/tracelink
COPY --from=build /src/LICENSE /src/THIRD-PARTY-LICENCES.txt /usr/share/doc/tracelink/
USER 65532:65532
EXPOSE 4317 4318
ENTRYPOINT ["/usr/local/bin/tracelink"]
CMD ["listen", "--grpc", "0.0.0.0:4317", "--http", "0.0.0.0:4318"]
