FROM python:3.12-slim-bookworm AS build
RUN python3 -m venv /opt/tensoria
WORKDIR /src
COPY . .
# pip and setuptools are tools of the build; what runs needs neither.
RUN /opt/tensoria/bin/pip install --no-cache-dir . \
    && /opt/tensoria/bin/python -m pip uninstall --yes --quiet setuptools pip

FROM python:3.12-slim-bookworm
# Its number is known, so that ./data can belong to it outside; most first users have it themselves.
RUN useradd --uid 1000 --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin tensoria \
    && install --directory --owner=tensoria /data
COPY --from=build /opt/tensoria /opt/tensoria
# Inside a container every address but loopback is the outside. Who may reach it is decided where
# the port is published, so a key is asked for unless API_BIND says that this is loopback.
ENV PATH=/opt/tensoria/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    API_HOST=0.0.0.0 \
    API_PORT=8002
USER tensoria
# So that data/ is the mounted folder, as it is beside a service that runs without a container.
WORKDIR /
EXPOSE 8002
# gunicorn's word for "finish what you are answering, then stop".
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=30s --timeout=5s --start-period=15s \
    CMD ["python3", "-c", "import os, urllib.request as r; r.urlopen('http://127.0.0.1:' + os.environ['API_PORT'] + '/health', timeout=4)"]
CMD ["tensoria", "serve"]
