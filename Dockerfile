# raftka: one node, settings from KAFKA_* variables as in Apache Kafka's image. See docker/entrypoint.
#
#   docker build -t raftka .
#   docker run -p 9092:9092 raftka                         one node on localhost:9092
#   docker run raftka topics --bootstrap-server ... --list any other command of raftka
#
# Three nodes: docker-compose -f ./docker-compose.yaml up --build

FROM python:3.13-slim AS build
RUN python3 -m venv /opt/raftka
WORKDIR /build
# What changes seldom first: a change of the sources does not download anything again.
COPY pyproject.toml README.md LICENSE build_hook.py ./
COPY model/version.py model/
RUN mkdir raftka storage kraft net broker client tracing simulations \
    && /opt/raftka/bin/pip install --no-cache-dir . \
    && /opt/raftka/bin/pip uninstall --yes raftka
COPY . .
# The commit, which `raftka version` shows: docker build --build-arg COMMIT=$(git rev-parse HEAD) .
ARG COMMIT=
RUN RAFTKA_COMMIT=$COMMIT /opt/raftka/bin/pip install --no-cache-dir --no-deps . \
    && /opt/raftka/bin/pip uninstall --yes pip

FROM python:3.13-slim
COPY --from=build /opt/raftka /opt/raftka
COPY bin /opt/raftka/scripts
COPY docker/entrypoint docker/healthcheck docker/settings docker/weblogs docker/server.properties /opt/raftka/docker/
# Kafka's script names are found on the PATH and in /bin, with and without .sh.
RUN ln -s /opt/raftka/scripts/kafka-* /opt/raftka/bin/raftka /usr/bin/ \
    && useradd --uid 1000 --gid 0 --create-home kafka \
    && chmod g=u /home/kafka \
    && install --directory --owner=kafka --group=0 --mode=775 /var/lib/kafka/data
# Any user, as with --user 1234 or in OpenShift, is in group 0 and may write there.
USER kafka
WORKDIR /home/kafka
VOLUME /var/lib/kafka/data
EXPOSE 9092 9093
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["/opt/raftka/docker/healthcheck"]
ENTRYPOINT ["/opt/raftka/docker/entrypoint"]
