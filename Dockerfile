# syntax=docker/dockerfile:1
# One image for all roles. The subcommand selects the role: `docker run recount command-service`.

FROM rust:1.95-bookworm AS builder
# The headers of OpenSSL, for TLS to a managed Kafka. The image has everything else that librdkafka needs.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libssl-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# The caches outlive the layer, so a changed line does not rebuild the dependencies. The target folder is a cache and not
# part of the layer, so the binary is copied out of it.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --package recount --features kafka-tls \
    && cp target/release/recount /usr/local/bin/recount

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates libssl3 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin recount
COPY --from=builder /usr/local/bin/recount /usr/local/bin/recount
USER recount
# The default, loopback, cannot be reached from outside the container.
ENV RECOUNT_LISTEN=0.0.0.0:8080
EXPOSE 8080
ENTRYPOINT ["recount"]
