# syntax=docker/dockerfile:1
# One image for every role: the role is the subcommand.

FROM rust:1.95-bookworm AS builder
# For TLS to a managed Kafka: OpenSSL's headers. The rest of librdkafka builds with what the image has.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libssl-dev pkg-config \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY . .
# The caches outlive the layer, so a changed line does not build the dependencies again. The binary is copied
# out because the target folder is not part of the layer.
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
# Loopback, the default, could not be reached from outside the container.
ENV RECOUNT_LISTEN=0.0.0.0:8080
EXPOSE 8080
ENTRYPOINT ["recount"]
