# One image, three commands: the web server, which is the default, the worker, and the nginx before
# the web server. docker-compose.yml runs all. No secret is built in; what the service needs to know comes from its environment.

FROM python:3.11-slim-bookworm AS build
# `service,monitoring` adds Flower, for the profile of that name.
ARG EXTRAS=service
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv /opt/venv && /opt/venv/bin/python -m pip install pip==26.3
WORKDIR /src
COPY pyproject.toml hatch_build.py constraints.txt README.md CHANGELOG.md LICENSE ./
COPY mindcorpus mindcorpus
RUN --mount=type=cache,target=/root/.cache/pip \
    /opt/venv/bin/python -m pip install --constraint constraints.txt \
    --build-constraint constraints.txt ".[${EXTRAS}]"
COPY workers workers
COPY web web
# The running container cannot write what Python would otherwise compile anew in each process.
RUN /opt/venv/bin/python -m compileall -q workers web

FROM python:3.11-slim-bookworm
LABEL org.opencontainers.image.title="mindcorpus" \
      org.opencontainers.image.description="Merge and prepare jobs: web server and worker." \
      org.opencontainers.image.licenses="MIT"
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends nginx \
    && rm -rf /var/lib/apt/lists/*
# Numbers, not names: what owns the volumes must be the same on every host that shares them. A new
# volume takes its owner from the folder of the image.
RUN groupadd --gid 10001 mindcorpus \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /tmp \
       --shell /usr/sbin/nologin mindcorpus \
    && install --directory --mode 0700 --owner 10001 --group 10001 /data /cache /state \
    && install --directory --owner 10001 --group 10001 /socket
COPY --from=build /opt/venv /opt/venv
COPY --from=build /src/workers /app/workers
COPY --from=build /src/web /app/web
COPY docker/nginx.conf /etc/mindcorpus/nginx.conf
COPY docker/problems /etc/mindcorpus/problems
WORKDIR /app
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    HF_HOME=/cache \
    MINDCORPUS_DATA_DIR=/data \
    MINDCORPUS_STATE_DIR=/state \
    MINDCORPUS_HOST=0.0.0.0 \
    MINDCORPUS_PORT=8000
USER 10001:10001
EXPOSE 8000
# SIGTERM: gunicorn lets requests end, a worker hands its job over to the next one.
STOPSIGNAL SIGTERM
# Whether the web server's process answers; whether the whole service works is asked at /readyz.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/healthz', timeout=4)"]
CMD ["python", "-m", "gunicorn", "-c", "python:web.gunicorn_config", "web:create_app()"]
