# syntax=docker/dockerfile:1

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# The cached target folder is no part of the image, so the programs are copied out of it in the same step.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target,sharing=locked \
    cargo build --release --locked --package footnote --bin footnote --package footnote-ingest --bin ingest \
    && install -D --target-directory=/out target/release/footnote target/release/ingest


FROM debian:bookworm-slim
# ca-certificates for TLS to a remote model, curl for the health check.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates curl \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin footnote \
    && install --directory --owner=footnote --group=footnote /data
COPY --from=build /out/ /usr/local/bin/
# The programs contain models, whose licence wants to be handed on with them.
COPY LICENSE-MIT LICENSE-APACHE /usr/share/doc/footnote/
COPY models/all-MiniLM-L6-v2/LICENSE models/all-MiniLM-L6-v2/README.md /usr/share/doc/footnote/all-MiniLM-L6-v2/
COPY models/ms-marco-MiniLM-L-12-v2/LICENSE models/ms-marco-MiniLM-L-12-v2/README.md \
    /usr/share/doc/footnote/ms-marco-MiniLM-L-12-v2/
# The sample documents; mount your own folder over them. The embedding model is inside the programs.
COPY data /srv/footnote/data

WORKDIR /srv/footnote
USER footnote
# Listening on all addresses makes the server insist on FOOTNOTE_API_KEY.
ENV FOOTNOTE_LISTEN=0.0.0.0:8080 \
    FOOTNOTE_DATA_DIR=/data
VOLUME /data
EXPOSE 8080
ENTRYPOINT ["footnote"]
CMD ["serve", "--ingest", "data"]
