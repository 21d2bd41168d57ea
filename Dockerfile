# One image for every part of kgbuilder: `docker run IMAGE part reader`; without arguments it is `up`, everything in one.
FROM python:3.11-slim-bookworm

# PIP_ARGS: an index of CPU-only wheels of torch makes the image some 4 GB smaller.
ARG PIP_ARGS=""
ENV PYTHONUNBUFFERED=1 PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1

WORKDIR /app
COPY pyproject.toml constraints.txt ./
COPY kgbuilder/install/requirements.py kgbuilder/install/requirements.py
RUN python kgbuilder/install/requirements.py > /tmp/requirements.txt \
    && pip install $PIP_ARGS -c constraints.txt -r /tmp/requirements.txt \
    && rm /tmp/requirements.txt

RUN useradd --uid 1000 --create-home kgbuilder && install -d -o kgbuilder -g kgbuilder -m 0700 /data
COPY . .
RUN python -m compileall -q kgbuilder extraction knowledge training

USER kgbuilder
ENV DATA_DIR=/data HOST=0.0.0.0 PORT=8000
EXPOSE 8000
ENTRYPOINT ["python", "manage.py"]
CMD ["up"]
