# syntax=docker/dockerfile:1
# mediarip-mqtt with ffmpeg and a JavaScript runtime; amd64 and arm64.
#   docker build -t mediarip-mqtt .
#   docker run -e MEDIARIP__MQTT__HOST=... -e PUID=1000 -e PGID=1000 -v /srv/media:/media mediarip-mqtt
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS build
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 python3-venv ca-certificates
WORKDIR /src
COPY pyproject.toml uv.lock README.md LICENSE ./
# Install the pinned dependencies (uv.lock) before the program: this layer changes less often.
RUN python3 -m venv /opt/mediarip \
 && python3 -m venv /tmp/uv \
 && /tmp/uv/bin/pip install --no-cache-dir --quiet 'uv>=0.13,<0.14' \
 && /tmp/uv/bin/uv export --frozen --no-dev --no-emit-project --extra js --extra pot --extra regex --quiet -o /tmp/locked.txt \
 && /opt/mediarip/bin/pip install --no-cache-dir --quiet --require-hashes -r /tmp/locked.txt
COPY mediarip_mqtt mediarip_mqtt
COPY homeassistant homeassistant
RUN /opt/mediarip/bin/pip install --no-cache-dir --quiet --no-deps . \
 && /opt/mediarip/bin/python -m compileall -q /opt/mediarip

FROM ${BASE}
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 ffmpeg tini ca-certificates tzdata \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /opt/mediarip /opt/mediarip
COPY docker/entrypoint /usr/local/bin/entrypoint
# The only required setting is the broker's address, MEDIARIP__MQTT__HOST.
ENV PATH=/opt/mediarip/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONUNBUFFERED=1 \
    PUID=1000 \
    PGID=1000 \
    UMASK=022 \
    MEDIARIP__STORAGE__ROOT=/media \
    XDG_DATA_HOME=/data
# With the sticky bit, so that `docker run --user` may use it, too.
RUN install -d -m 1777 /data
VOLUME ["/media", "/data"]
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s CMD ["entrypoint", "healthcheck"]
ENTRYPOINT ["tini", "--", "entrypoint"]
CMD ["run"]
