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
COPY pyproject.toml README.md ./
COPY model/version.py model/
RUN mkdir raftka storage kraft net broker client tracing simulations \
    && /opt/raftka/bin/pip install --no-cache-dir . \
    && /opt/raftka/bin/pip uninstall --yes raftka
COPY . .
RUN /opt/raftka/bin/pip install --no-cache-dir --no-deps . \
    && /opt/raftka/bin/pip uninstall --yes pip

FROM python:3.13-slim
COPY --from=build /opt/raftka /opt/raftka
COPY bin /opt/raftka/scripts
COPY docker/entrypoint docker/server.properties /opt/raftka/docker/
# Kafka's script names are found on the PATH and in /bin, with and without .sh.
RUN ln -s /opt/raftka/scripts/kafka-* /opt/raftka/bin/raftka /usr/bin/ \
    && useradd --uid 1000 --create-home kafka \
    && install --directory --owner=kafka --group=kafka /var/lib/kafka/data
USER kafka
WORKDIR /home/kafka
VOLUME /var/lib/kafka/data
EXPOSE 9092 9093
STOPSIGNAL SIGTERM
ENTRYPOINT ["/opt/raftka/docker/entrypoint"]
