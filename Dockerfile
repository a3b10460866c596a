# syntax=docker/dockerfile:1
# One image for every process: router, worker, operator and the `orion` command.
#
#   make image                                        # docker, podman or buildah, for this machine
#   docker buildx build --platform linux/arm64,linux/amd64 .
#
# BASE is any Debian with Python >= 3.11, pip and venv. Builder and final stage must start from the same one.
ARG BASE=docker.io/library/python:3.13-slim-trixie

FROM ${BASE} AS build
# Settings of pip, for networks with an index or an authority of their own; they stay in this stage.
ARG PIP_CERT PIP_INDEX_URL PIP_EXTRA_INDEX_URL
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1
WORKDIR /src
COPY requirements/build.txt requirements/image.txt requirements/
# Only wheels: nothing is compiled, so no compiler is needed on any platform. Locked by hash.
RUN python3 -m venv /tmp/tools && /tmp/tools/bin/pip install --quiet --only-binary :all: --require-hashes -r requirements/build.txt
RUN python3 -m venv /opt/orion && /opt/orion/bin/pip install --quiet --only-binary :all: --require-hashes -r requirements/image.txt
COPY pyproject.toml README.md LICENSE ./
COPY agent agent
COPY cli cli
COPY contracts contracts
COPY lab lab
COPY operator operator
COPY router router
# The root file system is read-only at run time: byte code is made here. pip is not needed any more.
RUN /tmp/tools/bin/hatchling build -t wheel -d /tmp/wheel \
 && /opt/orion/bin/pip install --quiet --no-deps --no-index /tmp/wheel/*.whl \
 && /opt/orion/bin/pip uninstall --quiet --yes pip setuptools 2>/dev/null; \
    find /opt/orion -name tests -type d -prune -exec rm -rf {} + \
 && /opt/orion/bin/python -m compileall -q -j 0 /opt/orion/lib

FROM ${BASE}
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title="orion-inference" \
      org.opencontainers.image.description="One address for a handful of Ollama boards" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
COPY --from=build /opt/orion /opt/orion
# A name for the user: Python's getpass asks for one.
RUN echo 'orion:x:64000:64000:orion-inference:/tmp:/usr/sbin/nologin' >>/etc/passwd && echo 'orion:x:64000:' >>/etc/group
# PYTHONSAFEPATH: nothing in a working directory is imported by accident. MALLOC_ARENA_MAX: threads share heaps.
ENV PATH=/opt/orion/bin:/usr/local/bin:/usr/bin:/bin \
    HOME=/tmp \
    MALLOC_ARENA_MAX=2 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONSAFEPATH=1 \
    PYTHONUNBUFFERED=1
USER 64000:64000
WORKDIR /tmp
CMD ["orion", "--help"]
